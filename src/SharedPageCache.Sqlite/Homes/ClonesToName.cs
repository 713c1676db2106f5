using SharedPageCache.Reflink;
using SharedPageCache.Sqlite.Files;

namespace SharedPageCache.Sqlite.Homes;

/// <summary>The clones of a directory that have no name yet, in the order in which they will get them.</summary>
/// <remarks>
/// Thread-safe, but names are given by one thread at a time. A clone is named or taken out under the lock, which is held for no flush: what is made durable before is so without it.
/// </remarks>
internal sealed class ClonesToName
{
    private readonly Lock _lock = new();
    private readonly LinkedList<(string Name, ReflinkedFile Clone)> _clones = new();
    private readonly Dictionary<string, LinkedListNode<(string Name, ReflinkedFile Clone)>> _byName = new(StringComparer.Ordinal);

    public void Add(string name, ReflinkedFile clone)
    {
        lock (_lock)
        {
            _byName.Add(name, _clones.AddLast((name, clone)));
        }
    }

    /// <summary>There will be no such name.</summary>
    /// <returns>Whether it was waited for.</returns>
    public bool TryRemove(string name)
    {
        lock (_lock)
        {
            if (!_byName.Remove(name, out var node))
            {
                return false;
            }

            _clones.Remove(node);
            return true;
        }
    }

    /// <summary>Gives all their names, which are durable when the directory is flushed the next time.</summary>
    /// <param name="change">Makes a change of the directory.</param>
    /// <param name="flush">Flushes the directory: called before a database gets its name after a file that goes with it.</param>
    /// <exception cref="IOException">One could not be made durable or named; those that have no name yet wait on.</exception>
    public void NameAll(Action<Action> change, Action flush)
    {
        if (!TryMakeDurable(change, All()))
        {
            // Who was given up is in the list no more.
            _ = TryMakeDurable(change, All());
        }

        string? last = null;
        while (First() is var (name, clone))
        {
            if (last is not null && DatabaseName.OwnerOf(last) == name)
            {
                flush();
            }

            _ = TryMakeDurable(change, clone);
            lock (_lock)
            {
                if (_byName.TryGetValue(name, out var node) && node.Value.Clone == clone)
                {
                    change(clone.TakeName);
                    _clones.Remove(node);
                    _byName.Remove(name);
                    last = name;
                }
            }
        }
    }

    /// <summary>Makes clones durable, many at once.</summary>
    /// <returns>Whether all are: none of them was taken out and given up meanwhile.</returns>
    private static bool TryMakeDurable(Action<Action> change, params ReadOnlySpan<ReflinkedFile> clones)
    {
        try
        {
            foreach (var clone in clones)
            {
                change(clone.TakePassingName);
            }

            ReflinkedFile.MakeDurable(clones.ToArray());
            return true;
        }
        catch (ObjectDisposedException)
        {
            return false;
        }
    }

    private ReflinkedFile[] All()
    {
        lock (_lock)
        {
            return [.. _clones.Select(static node => node.Clone)];
        }
    }

    private (string Name, ReflinkedFile Clone)? First()
    {
        lock (_lock)
        {
            return _clones.First?.Value;
        }
    }
}
