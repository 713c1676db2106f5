using System.Reflection;
using System.Runtime.Loader;
using Xunit.Abstractions;
using Xunit.Sdk;

namespace SharedPageCache.Mutants;

/// <summary>
/// Runs tests of an assembly in this process, in which nothing else runs, and ends at the first that fails. Says on standard output
/// which one that was; the exit code is 0 if none failed, 1 if one did, 2 if there was none to run.
/// </summary>
internal sealed class TestRun : IMessageSink
{
    private readonly List<ITestCase> _cases = [];
    private readonly ManualResetEventSlim _discovered = new();
    private readonly ManualResetEventSlim _finished = new();

    /// <param name="directory">Where the assembly and all that it uses lies.</param>
    /// <param name="name">The assembly's name.</param>
    /// <param name="filters">Classes, or classes and methods; a test runs if its name contains one. None: all but soaks.</param>
    public static int Run(string directory, string name, string[] filters)
    {
        AssemblyLoadContext.Default.Resolving += (context, wanted) =>
            Path.Combine(directory, wanted.Name + ".dll") is var path && File.Exists(path) ? context.LoadFromAssemblyPath(path) : null;
        return new TestRun().Run(Assembly.Load(new AssemblyName(name)), filters);
    }

    private int Run(Assembly assembly, string[] filters)
    {
        var options = new Options();
        using var framework = new XunitTestFramework(this);
        using var discoverer = framework.GetDiscoverer(Reflector.Wrap(assembly));
        discoverer.Find(includeSourceInformation: false, this, options);
        _discovered.Wait();
        var chosen = _cases.FindAll(test => filters.Length > 0
            ? filters.Any(filter => Matches(test, filter))
            : !test.Traits.Any(static trait => trait.Value.Contains("Soak")));
        if (chosen.Count == 0)
        {
            Console.WriteLine("NONE");
            return 2;
        }

        using var executor = framework.GetExecutor(assembly.GetName());
        executor.RunTests(chosen, this, options);
        _finished.Wait();
        SaySeconds();
        Console.WriteLine($"PASSED {chosen.Count}");
        return 0;
    }

    bool IMessageSink.OnMessage(IMessageSinkMessage message)
    {
        switch (message)
        {
            case ITestCaseDiscoveryMessage found:
                _cases.Add(found.TestCase);
                break;
            case IDiscoveryCompleteMessage:
                _discovered.Set();
                break;
            case ITestFailed failed:
                Say(failed.Test.DisplayName, failed.Messages);
                break;
            case ITestClassCleanupFailure failed:
                Say(failed.TestClass.Class.Name, failed.Messages);
                break;
            case ITestCleanupFailure failed:
                Say(failed.Test.DisplayName, failed.Messages);
                break;
            case IErrorMessage failed:
                Say("the test framework", failed.Messages);
                break;
            case ITestAssemblyFinished:
                _finished.Set();
                break;
        }

        return true;

        static void Say(string test, string?[] messages)
        {
            SaySeconds();
            Console.WriteLine($"FAILED {test}");
            Console.WriteLine(messages.FirstOrDefault());
            Console.Out.Flush();

            // The first is enough, and others may hang.
            Environment.Exit(1);
        }
    }

    private static void SaySeconds() => Console.WriteLine(string.Create(
        System.Globalization.CultureInfo.InvariantCulture, $"\nSECONDS {Environment.CpuUsage.TotalTime.TotalSeconds:f2}"));

    private static bool Matches(ITestCase test, string filter) =>
        $"{test.TestMethod.TestClass.Class.Name}.{test.TestMethod.Method.Name}".Contains(filter, StringComparison.Ordinal)
        || test.DisplayName.Contains(filter, StringComparison.Ordinal);

    /// <summary>The framework's own defaults, but no more threads than processors.</summary>
    private sealed class Options : ITestFrameworkDiscoveryOptions, ITestFrameworkExecutionOptions
    {
        private readonly Dictionary<string, object?> _values = new(StringComparer.Ordinal)
        {
            ["xunit.execution.MaxParallelThreads"] = Environment.ProcessorCount,
            ["xunit.discovery.PreEnumerateTheories"] = true,
            ["xunit.execution.SynchronousMessageReporting"] = true,
        };

        public TValue GetValue<TValue>(string name) => _values.TryGetValue(name, out var value) ? (TValue)value! : default!;

        public void SetValue<TValue>(string name, TValue value) => _values[name] = value;
    }
}
