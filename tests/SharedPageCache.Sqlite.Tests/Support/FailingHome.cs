using SharedPageCache.Sqlite.Files;
using SharedPageCache.Sqlite.Homes;

namespace SharedPageCache.Sqlite.Tests.Support;

/// <summary>A home that fails one of its calls, or all from that one on; nothing has been done then.</summary>
internal sealed class FailingHome(IHome inner) : IHome
{
    /// <summary>Which call fails, counted from 1; 0 for none.</summary>
    public int FailAt { get; set; }

    /// <summary>Whether all after it fail too.</summary>
    public bool Forever { get; set; }

    /// <summary>Whether a file gets its name back whose loss could not be made durable: as in a file, or as in a directory.</summary>
    public bool NamesAgain { get; set; } = true;

    public int Calls { get; private set; }

    public int Failures { get; private set; }

    public string Path => inner.Path;

    public bool WritesPagesWhole => inner.WritesPagesWhole;

    public IReadOnlyList<string> Names => inner.Names;

    public HomeRoom Room => inner.Room;

    public void Heal() => (FailAt, Forever) = (0, false);

    public StoredFile Open(string name) => inner.Open(name);

    public StoredFile Create(string name) => Unless(nameof(Create), () => inner.Create(name));

    public StoredFile CreateNameless() => Unless(nameof(CreateNameless), inner.CreateNameless);

    public StoredFile Name(StoredFile nameless, string name) => Unless(nameof(Name), () => inner.Name(nameless, name));

    public StoredFile Clone(StoredFile source, string name) => Unless(nameof(Clone), () => inner.Clone(source, name));

    public StoredFile Rename(StoredFile file, string newName) => Unless(nameof(Rename), () => inner.Rename(file, newName));

    public void Unname(params ReadOnlySpan<string> names)
    {
        Count(nameof(Unname));
        inner.Unname(names);
    }

    public void SyncNames()
    {
        Count(nameof(SyncNames));
        inner.SyncNames();
    }

    public bool TryNameAgain(StoredFile file) => NamesAgain && inner.TryNameAgain(file);

    public void Reclaim() => inner.Reclaim();

    public ValueTask FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();

    private T Unless<T>(string what, Func<T> call)
    {
        Count(what);
        return call();
    }

    private void Count(string what)
    {
        Calls++;
        if (FailAt > 0 && (Calls == FailAt || (Forever && Calls > FailAt)))
        {
            Failures++;
            throw new IOException($"The home is broken: {what}.");
        }
    }
}
