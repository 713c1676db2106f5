namespace SharedPageCache.Stress.Faults;

/// <summary>Several things at once, in the middle of one another.</summary>
internal static class MomentScenarios
{
    public static readonly (string Name, string Program)[] Table =
    [
        ("two files, one flush", "new b 4p; write a 0 2p; write b 0 2p; flush; read a; read b"),
        ("a write during the veto", "clone a b; @BeforeUnshare write a 3p 9; write a 0 9; flush; read a"),
        ("a clone during the veto", "clone a b; @BeforeUnshare clone a c; write a 0 9; flush; read c"),
        ("a flush during the veto", "write a 2p p; clone a b; @BeforeUnshare flush; write a 0 9; flush; read a"),
        ("a read during the log's flush", "write a 0 9 5; @EnsureDurable read a; flush"),
        ("a write during the log's flush", "write a 0 9 5; @EnsureDurable write a 3p 9 6; flush; flush; read a"),
        ("a range clone during the device's flush", "write a 0 2p; new b 4p; @flush range a 0 b p 2p; flush; flush; read b"),
        ("a cut and a clone during the device write", "write a 0 4p; @write setlen a p; @write clone a b; flush; flush; read b"),
        ("overwritten twice during the write-back", "write a 0 2p; @Place write a 0 9; @write write a 0 9; flush; flush; read a"),
        ("a lease and a clone during the write-back", "write a 0 2p; @Place lease a 0 L; @write clone a b; flush; write a 0 9; give L; flush; read b"),
        ("a merge and a write during the write-back", "clone a b; write b 0 2p; @Place merge b a; @write write b 0 9; flush; flush; read a"),
        ("everything of a file's life", "new b 2p+5; write b 0 3p; clone b c; punch b p p; flush; setlen c p; merge c b; delete c; flush; read b"),
        ("a branch that is dropped", "write a 0 p; clone a b; write b 0 2p; close b; flush; read a; open b; delete b; flush"),
        ("a snapshot before each write", "write a 0 9; clone a b; write a 0 9; clone a c; write a 0 9; flush; read a; read b; read c"),
        ("a log and its snapshots", "write a 8p 20 1; clone a b; write a 8p+20 20 2; flush; write a 8p+40 20 3; flush; read b; read a"),
        ("scan, sweep, write, sweep, scan", "read a; sweep; write a p 9; sweep; read a; flush; sweep; read a"),
        ("a page is cut, grows and is written while it is leased", "write a 7p p; lease a 7p L; setlen a 7p+3; setlen a 8p; write a 7p+5 3; flush; give L; read a"),
        ("holes, zeros and lengths in a row", "punch a 0 p; zero a 2p+1 p; setlen a 5p+3; zero a 5p 3p; punch a 6p 9p; flush; read a"),
        ("write, flush and clone in a row", "write a 0 9; flush; clone a b; write b 0 9; flush; clone b c; write c 0 9; flush; read a; read b; read c"),
        ("dedupe, write, merge", "clone a b; dedupe a b; write b p 9; merge b a; flush; read a; read b"),
    ];
}
