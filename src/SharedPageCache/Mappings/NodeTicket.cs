namespace SharedPageCache.Mappings;

/// <summary>
/// Books a node's bytes and takes them off when the node has become unreachable. Nodes are shared between clones and not
/// counted, so only the garbage collector knows when the last tree has let go.
/// </summary>
internal sealed class NodeTicket
{
    private readonly NodeLedger _ledger;
    private readonly LeafFamily? _family;
    private int _bytes;

    public NodeTicket(NodeLedger ledger, int bytes, LeafFamily? family = null)
    {
        _ledger = ledger;
        _bytes = bytes;
        _family = family;
        ledger.AddNode(bytes);
        if (family is not null)
        {
            ledger.AddLeaf();
        }
    }

    /// <summary>The node has grown or shrunk. Under the node's lock.</summary>
    public void Rebook(int difference)
    {
        _bytes += difference;
        _ledger.AddNode(difference);
    }

    ~NodeTicket()
    {
        _ledger.RemoveNode(_bytes);
        if (_family is not null)
        {
            _ledger.RemoveLeaf();
            _family.LeafCollected();
        }
    }
}
