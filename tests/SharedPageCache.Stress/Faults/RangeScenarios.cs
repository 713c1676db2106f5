namespace SharedPageCache.Stress.Faults;

/// <summary>Ranges that are cloned and deduplicated.</summary>
internal static class RangeScenarios
{
    public static readonly (string Name, string Program)[] Table =
    [
        ("clone a clean range into a new file", "new b 0; range a p b 0 3p; flush; read b"),
        ("clone a clean range over another", "clone a b; range a 0 b 4p 2p; flush; read b; read a"),
        ("clone a clean range inside a file, behind its end", "setlen a 6p+10; range a p+5 a 9p+5 2p+3; flush; setlen a 14p; flush; read a"),
        ("clone a dirty range", "write a p 2p; new b 4p; range a p b p 2p; flush; read b"),
        ("clone a dirty range with edges into a clone, write both",
            "write a 3 2p; clone a b; write a p p; range a 100 b 3p+100 3p; write a p+7 10; write b 4p+9 10; flush; read b"),
        ("clone a range of dirty and clean pages", "write a p p; write a 3p p; new b 8p; range a 0 b 2p 5p; flush; read b; read a"),
        ("clone a range over dirty pages", "new b 6p; write b 0 4p; range a 2p b p 2p; flush; read b"),
        ("copy a range that lies differently", "write a 0 10; clone a b; range a 1 b 5p-2 p; flush; read b"),
        ("copy a range inside one page", "range a 5 a p+9 11; flush; read a"),
        ("clone a range of a hole", "new b 8p; range b 0 a 2p 3p; flush; read a"),
        ("clone the tail", "setlen a 7p+9; new b 0; range a 6p b 0 p+9; flush; setlen b 4p; flush; read b"),
        ("clone the tail behind the end", "setlen a 7p+9; new b p+3; range a 6p b 5p p+9; flush; read b"),
        ("clone a range over pages that are being written back", "write a 0 6p; @Place range a 0 a 4p 2p; flush; flush; read a"),
        ("clone a range that is being written back", "write a 0 3p; new b 4p; @write range a 0 b 0 3p; flush; flush; read b"),
        ("write the source after the clone", "new b 4p; range a 0 b 0 4p; write a p 9; flush; read b; read a"),
        ("write the destination after the clone", "new b 4p; range a 0 b 0 4p; write b p 9; flush; read b; read a"),
        ("cut the source after the clone", "write a 0 4p; new b 4p; range a 0 b 0 4p; setlen a p; flush; read b"),
        ("delete the source after the clone", "write a 0 2p; new b 4p; range a 0 b 0 4p; delete a; flush; read b"),
        ("ranges to and fro", "new b 8p; range a 0 b 4p 4p; range b 4p a 4p 4p; flush; read a; read b"),
        ("a range twice", "new b 8p; range a 0 b 0 2p; range a 0 b 4p 2p; write a 0 9; flush; read b"),
        ("ranges at once", "new b 8p; new c 8p; range a 0 b 0 4p / range a 2p c 0 4p; flush; read b; read c"),
        ("a range and a read of its source at once", "new b 8p; range a 0 b 0 4p / read a; flush; read b"),
        ("veto of the copy of a cloned range", "new b 4p; range a 0 b 0 4p; write b p+1 9; write a 2p 2p; flush"),
        ("dedupe with a clone", "write a 0 p; clone a b; write b 2p+1 1; dedupe a b; flush; read a; read b"),
        ("dedupe of equal pages", "new b 8p; write b 0 4p; new c 8p; range b 0 c 0 4p; write c p 5; dedupe b c; flush; read c"),
        ("dedupe of clean files", "clone a b; sweep; dedupe a b; flush; read b"),
        ("dedupe of dirty pages that differ", "clone a b; write b 0 3p; dedupe a b; flush; read b"),
        ("a sequence that cannot be read, and a range", "sequence; new b 4p; range a p b 0 2p; flush; read b"),
    ];
}
