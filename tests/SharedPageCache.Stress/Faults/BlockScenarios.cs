namespace SharedPageCache.Stress.Faults;

/// <summary>What an engine does to its blocks: writes them in place, moves them, finds them bad and repairs them.</summary>
internal static class BlockScenarios
{
    public static readonly (string Name, string Program)[] Table =
    [
        ("write a block directly", "read a; direct a 2p; read a; sweep; read a"),
        ("write a block directly that two show", "clone a b; read b; direct a 2p; read a; read b"),
        ("write a block directly under a reader", "@read direct a 5p; read a 0 2p; read a"),
        ("a bad block, repaired", "read a; bad a 2p; read a 0 2p; repair a; read a"),
        ("a bad block, read before it is repaired", "bad a 2p; read a 2p p; repair a; read a"),
        ("a bad block that two show", "clone a b; bad a 2p; read b 0 p; repair a; read a; read b"),
        ("a bad block is written whole", "bad a 2p; write a 2p p; flush; read a 2p p"),
        ("a bad block is written in part", "bad a 2p; write a 2p+5 9; repair a; write a 2p+5 9; flush; read a"),
        ("a bad block is written around", "bad a 2p; around a 2p p; read a; flush"),
        ("a bad block is punched", "bad a 2p; punch a 2p p; flush; read a"),
        ("a bad block under a dirty page", "write a 2p p; bad a 2p; flush; read a"),
        ("a bad block under a clone that is written", "clone a b; bad a 2p; write b 2p p; flush; read b; repair a; read a"),
        ("a bad block, repaired twice", "bad a 2p; repair a; bad a 2p; repair a; read a"),
        ("a block moves, and is written", "move a 2p; write a 2p 9; flush; read a"),
        ("a block moves under a dirty page", "write a 2p 9; move a 2p; flush; read a"),
        ("a block moves under a clone's dirty page", "clone a b; write b 2p 9; move a 2p; flush; read a; read b"),
        ("blocks move and are discarded", "move a p; move a p; discard a; read a; flush; read a"),
        ("discard of a dirty file's blocks", "write a 0 3p; discard a; flush; discard a; read a"),
        ("discard during the write-back", "write a 0 2p; @Place discard a; flush; read a"),
        ("discard during a read", "@read discard a; read a; read a"),
        ("invalidate during the write-back", "write a 0 2p; @Place invalidate a; flush; read a"),
        ("invalidate of a dirty file", "write a 0 2p; invalidate a; read a; write a p 9; flush; read a"),
        ("a clone of an invalidated file", "write a 0 2p; invalidate a; clone a b; write b 0 9; flush; read a; read b"),
    ];
}
