namespace SharedPageCache.Stress.Faults;

/// <summary>Clones that are written, compared and merged.</summary>
internal static class CloneScenarios
{
    public static readonly (string Name, string Program)[] Table =
    [
        ("clone, write the clone", "clone a b; write b 5 9; flush; read a; read b"),
        ("clone, write the origin", "clone a b; write a 5 9; flush; read a; read b"),
        ("clone a dirty file, write both, flush", "write a 5 p; clone a b; write a 0 2p; write b p 10; flush; read b"),
        ("clone a dirty file, flush the clone", "write a 0 2p; clone a b; flush b; read a; flush"),
        ("clone a dirty file, flush the origin", "write a 0 2p; clone a b; flush a; read b; flush"),
        ("clone of a dirty clone", "write a 0 p; clone a b; write b p p; clone b c; write c 2p p; flush; read a; read b; read c"),
        ("three write the same page", "write a 0 9; clone a b; clone a c; write a 0 9; write b 0 9; write c 0 9; flush; read a; read b; read c"),
        ("a clone during the write-back", "write a 0 3p; @Place clone a b; flush; read b; flush"),
        ("a clone during the device write, written", "write a 0 3p; @write clone a b; flush; write b p 5; flush; read a"),
        ("a clone during the persist", "write a 0 p; @Persist clone a b; flush; read b; flush"),
        ("write a clone whole", "clone a b; write b 0 8p; flush; sweep; read a; read b"),
        ("close the origin, write the clone", "write a 0 p; clone a b; close a; write b 0 9; flush; open a; read a"),
        ("clone, cut the clone", "clone a b; setlen b 2p+5; flush; setlen b 4p; flush; read a; read b"),
        ("clone of a cut file", "setlen a 2p+5; clone a b; setlen a 4p; setlen b 3p; flush; read b"),
        ("clones at once", "clone a b / clone a c / read a; flush"),
        ("clone and write at once", "clone a b; clone a c / write b 0 1; flush; read b; read c"),
        ("veto of the copy", "clone a b; write a 0 p; write a p+1 2; write b 2p 2p; flush"),
        ("compare after writes", "clone a b; write b p 9; punch b 4p p; diff a b; flush; diff b a"),
        ("merge", "clone a b; write b p 2p; merge b a; flush; read a; read b"),
        ("merge of a flushed branch", "clone a b; write b p 2p; flush; merge b a; flush; read a"),
        ("merge of a cut branch", "clone a b; setlen b 3p+9; merge b a; flush; read a"),
        ("merge of a grown branch", "clone a b; write b 9p 9; merge b a; flush; read a"),
        ("merge of a branch with holes", "clone a b; punch b 2p 3p; merge b a; flush; read a"),
        ("merge twice", "clone a b; write b 0 9; merge b a; write b p 9; merge b a; flush; read a"),
        ("merge of a branch of a branch", "clone a b; clone b c; write c 0 9; merge c b; merge b a; flush; read a"),
        ("merge is refused", "clone a b; write a 3p 9; write b p 2p; merge b a; flush; read a; read b"),
        ("merge into a dirty file", "write a 0 2p; clone a b; write b p 9; merge b a; flush; read a"),
        ("merge during the write-back of the branch", "clone a b; write b 0 3p; @Place merge b a; flush; flush; read a"),
        ("merge during the write-back of the origin", "write a 0 3p; clone a b; write b p 9; @Place merge b a; flush; flush; read a"),
        ("merge and read at once", "clone a b; write b 0 p; merge b a / read b; flush; read a"),
        ("write after the merge", "clone a b; write b 0 2p; merge b a; write a 0 9; write b p 9; flush; read a; read b"),
        ("delete the branch after the merge", "clone a b; write b 0 2p; merge b a; delete b; flush; read a"),
        ("a sequence that cannot be read, and a merge", "sequence; clone a b; write b p 9; merge b a; flush; read a"),
    ];
}
