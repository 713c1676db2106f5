namespace SharedPageCache.Stress.Faults;

/// <summary>Lengths, holes, zeros, deletion.</summary>
internal static class ShapeScenarios
{
    public static readonly (string Name, string Program)[] Table =
    [
        ("cut", "setlen a 3p; flush; read a"),
        ("cut in the middle of a page", "setlen a 3p+7; flush; read a"),
        ("cut and grow", "setlen a 3p+7; setlen a 6p; flush; read a"),
        ("cut, flush, grow, write", "setlen a 3p+7; flush; setlen a 6p; write a 3p+100 10; flush; read a"),
        ("cut to nothing and grow", "setlen a 0; setlen a 4p; write a p 10; flush; read a"),
        ("cut what is dirty", "write a 2p 4p; setlen a 3p+5; flush; read a"),
        ("grow", "setlen a 12p+3; flush; read a"),
        ("grow twice from the middle of a page", "setlen a 8p+3; setlen a 8p+50; setlen a 10p; flush; read a"),
        ("punch and grow a clean file", "punch a 0 p; setlen a 9p+1; write a 12p 10; flush; read a"),
        ("grow by a write", "write a 9p+5 p; flush; read a"),
        ("grow by one byte", "write a 8p 1; flush; write a 8p+1 1; flush; read a"),
        ("punch", "punch a p 3p; flush; read a"),
        ("punch with ends inside pages", "punch a p+7 3p; flush; read a"),
        ("punch inside one page", "punch a p+7 9; flush; read a p p"),
        ("punch what is dirty", "write a 0 6p; punch a p+1 3p; flush; read a"),
        ("punch to the end and beyond", "punch a 5p+9 9p; flush; read a"),
        ("punch what a clone shows", "clone a b; punch a 2p 2p; flush; read b; read a"),
        ("punch twice, write between", "punch a 0 4p; write a p 10; punch a p p; flush; read a"),
        ("punch a hole", "new b 5p; punch b p 2p; flush; read b"),
        ("zero", "zero a p 3p; flush; read a"),
        ("zero with ends inside pages", "zero a p+9 2p+1; flush; read a"),
        ("zero behind the end", "zero a 7p+1 4p; flush; read a"),
        ("zero far behind the end", "zero a 12p 2p; flush; read a"),
        ("zero of one byte", "zero a 5 1; flush; read a"),
        ("delete", "delete a"),
        ("delete what is dirty", "write a 0 3p; delete a; flush"),
        ("delete, and its clone lives", "write a 0 3p; clone a b; delete a; flush; read b"),
        ("delete a clone", "clone a b; write b 0 3p; delete b; flush; read a"),
        ("delete one of three", "write a 0 p; clone a b; clone b c; delete b; flush; read a; read c"),
        ("cut during the write-back", "write a 0 6p; @Place setlen a 2p+7; flush; setlen a 5p; flush; read a"),
        ("punch during the write-back", "write a 0 6p; @Place punch a p 2p; flush; read a"),
        ("zero during the device write", "write a 0 6p; @write zero a p 2p; flush; read a"),
        ("delete during the write-back", "write a 0 4p; @Place delete a; flush"),
        ("clone and delete during the write-back", "write a 0 4p; @Place clone a b; @Place delete a; flush; flush; read b"),
        ("two changes of length at once", "clone a b; setlen a 12p+3 / setlen b 3p+3; flush; read a; read b"),
        ("a sequence that cannot be read, and a cut", "sequence; write a 0 2p; setlen a p+3; punch a 0 p; flush; read a"),
    ];
}
