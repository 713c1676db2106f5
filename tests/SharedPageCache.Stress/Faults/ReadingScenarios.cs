namespace SharedPageCache.Stress.Faults;

/// <summary>Reads of every kind, with and without neighbours.</summary>
internal static class ReadingScenarios
{
    public static readonly (string Name, string Program)[] Table =
    [
        ("read all", "read a"),
        ("read a byte", "read a 3 1"),
        ("read over a page's end", "read a p-1 2"),
        ("read the tail", "read a 8p-5 5"),
        ("read twice", "read a; read a"),
        ("read backwards", "read a 7p p; read a 6p p; read a 3p p; read a 0 p"),
        ("read, sweep, read", "read a; sweep; read a 2p 3p"),
        ("try what was read", "read a 0 3p; tryread a 0 3p; tryread a 0 5p"),
        ("prefetch, then read", "prefetch a 0 8p; read a"),
        ("prefetch a part, read beside it", "prefetch a 2p 2p; read a p 4p"),
        ("prefetch beyond the end", "prefetch a 6p 9p; read a 7p p"),
        ("read a stream", "stream a"),
        ("read a pipe", "pipe a"),
        ("read a pipe of a file that is in memory", "read a; pipe a"),
        ("read a file of holes", "new b 5p+3; read b; stream b"),
        ("read an empty file", "new b 0; read b; pipe b"),
        ("read a clone after its origin", "read a; clone a b; read b"),
        ("read a clone before its origin", "clone a b; read b; read a"),
        ("read a clone of a clone", "clone a b; clone b c; read c; read a p p"),
        ("two readers at once", "read a / read a"),
        ("three readers at once, of a family", "clone a b; read a / read b / stream a"),
        ("readers and a prefetch at once", "prefetch a 0 8p / read a / tryread a 0 2p"),
        ("a pipe and a reader at once", "pipe a / read a 2p 4p"),
        ("open again, read", "read a 0 2p; close a; open a; read a"),
        ("close while others read the same blocks", "clone a b; read b 0 3p; close a; read b; open a; read a"),
        ("invalidate between reads", "read a; invalidate a; read a"),
        ("discard between reads", "read a; discard a; read a"),
        ("blocks move between reads", "read a; move a 2p; read a p 3p"),
        ("blocks move under a clone", "clone a b; read b; move a 0; read a 0 p; read b 0 p"),
        ("compare a file with its clone", "clone a b; read a 0 p; diff a b"),
        ("compare two files that have nothing in common", "new b 8p; diff a b; diff b a"),
        ("who shows the block", "read a; find a; clone a b; find b"),
        ("read with half of the frames leased", "occupy; read a; sweep; read a; vacate; read a"),
        ("prefetch with half of the frames leased", "occupy; prefetch a 0 8p; vacate; read a"),
        ("a sequence that cannot be read", "sequence; read a; sweep; read a; invalidate a; read a 0 p"),
        ("a sequence that cannot be read, in a long read of two runs", "sequence; move a 3p; sweep; read a"),
        ("a sequence that cannot be read, and a clone", "sequence; clone a b; read b; clone b c; read c 2p p"),
    ];
}
