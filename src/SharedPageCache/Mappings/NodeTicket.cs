using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>
/// Books a node's bytes and takes them off when the node has become unreachable. Nodes are shared between clones and not
/// counted, so only the garbage collector knows when the last tree has let go; the sweeper, which takes a node out of
/// every tree, knows earlier and says so.
/// </summary>
internal sealed class NodeTicket
{
    private readonly NodeLedger _ledger;
    private readonly LeafFamily? _family;
    private int _bytes;
    private int _garbage;

    /// <param name="ledger">Where the bytes are booked.</param>
    /// <param name="bytes">The bytes of the node.</param>
    /// <param name="family">The family, if the node is a leaf.</param>
    public NodeTicket(NodeLedger ledger, int bytes, LeafFamily? family = null)
    {
        _ledger = ledger;
        _bytes = bytes;
        _family = family;
        ledger.AddNode(bytes);
        Number = family is null ? 0 : ledger.AddLeaf();
    }

    /// <summary>The how-many-eth leaf this is.</summary>
    public long Number { get; }

    /// <summary>Whether the node is a leaf that was buried.</summary>
    public bool IsBuried { get; set; }

    /// <summary>Whether the node was taken out of all trees.</summary>
    public bool IsGarbage => Atomic.LoadAcquire(ref _garbage) != 0;

    /// <summary>The node has grown, or shrunk.</summary>
    public void Grow(int bytes)
    {
        Atomic.Add(ref _bytes, bytes);
        _ledger.AddNode(bytes);
    }

    /// <summary>The node was taken out of all trees: from now on it is garbage.</summary>
    public void Discard()
    {
        var bytes = Atomic.LoadAcquire(ref _bytes);
        if (Atomic.CompareExchange(ref _garbage, bytes, 0) == 0)
        {
            _ledger.AddGarbage(bytes, _family is null ? 0 : 1);
        }
    }

    ~NodeTicket()
    {
        _ledger.RemoveNode(_bytes);
        if (_garbage != 0)
        {
            _ledger.AddGarbage(-_garbage, _family is null ? 0 : -1);
        }

        if (_family is not null)
        {
            _ledger.RemoveLeaf();
            _family.LeafCollected(IsBuried);
        }
    }
}
