using System.Diagnostics;

namespace SharedPageCache.TestKit.Runs;

/// <summary>
/// A process that is made to be killed: it runs an assembly that was built beside the test, tells what it does on standard
/// output, one line for each fact, and dies without a chance to clean up (SIGKILL where there is one).
/// </summary>
/// <remarks>
/// A line counts only if it is whole. What the child wrote before it died is read to the end, so the order must be: say what is about
/// to be done, do it, say that it is done.
/// </remarks>
[DebuggerDisplay("{Lines.Count} lines, exited {HasExited}")]
public sealed class ChildProcess : IDisposable
{
    private readonly Process _process;
    private readonly List<string> _lines = [];
    private readonly Task _reading;
    private readonly Task<string> _errors;
    private readonly SemaphoreSlim _news = new(0);

    private ChildProcess(Process process)
    {
        _process = process;
        _reading = Task.Run(ReadAsync);
        _errors = process.StandardError.ReadToEndAsync();
    }

    /// <summary>The whole lines that it has written.</summary>
    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lines)
            {
                return [.. _lines];
            }
        }
    }

    /// <summary>Whether it has ended.</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>Starts an assembly with <c>dotnet exec</c>.</summary>
    /// <param name="assembly">Path of the built assembly, which has an entry point.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <returns>The process, which the caller kills and disposes.</returns>
    public static ChildProcess Start(string assembly, params ReadOnlySpan<string> arguments)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet")
        {
            RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, UseShellExecute = false,
        };

        // It lives for a moment: quick to start matters, fast code does not. And nobody instruments it.
        start.Environment["DOTNET_TieredPGO"] = "0";
        start.Environment["DOTNET_gcServer"] = "0";
        start.Environment["DOTNET_GCHeapCount"] = "1";
        start.Environment.Remove("CORECLR_ENABLE_PROFILING");
        start.Environment.Remove("DOTNET_STARTUP_HOOKS");
        foreach (var argument in (ReadOnlySpan<string>)["exec", assembly, .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        return new ChildProcess(Process.Start(start) ?? throw new InvalidOperationException($"{assembly} could not be started."));
    }

    /// <summary>Waits until it has written so many lines, or has ended.</summary>
    /// <param name="count">How many.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Whether it has.</returns>
    public async Task<bool> WaitForLinesAsync(int count, CancellationToken cancellationToken)
    {
        while (Lines.Count < count)
        {
            if (_reading.IsCompleted)
            {
                return Lines.Count >= count;
            }

            await _news.WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        return true;
    }

    /// <summary>Kills it, and waits until it is dead and all that it wrote was read.</summary>
    /// <returns>The whole lines that it has written.</returns>
    /// <exception cref="InvalidOperationException">It had ended by itself, with the error in the message: a child is to work until it is killed.</exception>
    public async Task<IReadOnlyList<string>> KillAsync()
    {
        var endedItself = _process.HasExited;
        _process.Kill();
        await _process.WaitForExitAsync().ConfigureAwait(false);
        await _reading.ConfigureAwait(false);
        return endedItself
            ? throw new InvalidOperationException($"The child ended by itself with code {_process.ExitCode}: {await _errors.ConfigureAwait(false)}")
            : Lines;
    }

    /// <summary>Kills it if it lives.</summary>
    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.Dispose();
        _news.Dispose();
    }

    private async Task ReadAsync()
    {
        var output = _process.StandardOutput;
        var line = new System.Text.StringBuilder();
        var buffer = new char[4096];
        while (await output.ReadAsync(buffer).ConfigureAwait(false) is > 0 and var count)
        {
            foreach (var letter in buffer.AsSpan(0, count))
            {
                if (letter == '\n')
                {
                    lock (_lines)
                    {
                        _lines.Add(line.ToString());
                    }

                    line.Clear();
                }
                else
                {
                    line.Append(letter);
                }
            }

            _news.Release();
        }

        _news.Release();
    }
}
