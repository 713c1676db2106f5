namespace SharedPageCache.Stress.Faults;

/// <summary>Leases for reading and for writing, with changes under them.</summary>
internal static class LeaseScenarios
{
    public static readonly (string Name, string Program)[] Table =
    [
        ("lease a page", "lease a 2p L; give L; read a"),
        ("lease a page from the middle", "lease a 2p+9 L; sweep; give L"),
        ("lease the tail", "setlen a 3p+9; lease a 3p L; give L"),
        ("lease a hole", "new b 3p; lease b p L; write b p 9; give L; flush"),
        ("lease, write the page", "lease a 2p L; write a 2p 9; give L; flush; read a"),
        ("lease a dirty page, write it, flush", "write a 2p p; lease a 2p L; write a 2p+1 5; flush; give L; read a"),
        ("lease, cut the page", "lease a 2p L; setlen a p; give L; flush; read a"),
        ("lease, delete the file", "write a 2p p; lease a 2p L; delete a; give L; flush"),
        ("lease a range", "leases a p 3p L; give L; read a"),
        ("lease a range, write in it", "leases a p 3p L; write a 2p 9; punch a 3p p; flush; give L; read a"),
        ("lease a dirty range, flush", "write a p 3p; leases a 0 5p L; flush; give L"),
        ("lease two ranges at once", "leases a 0 3p L / leases a 4p 3p M; give L; give M"),
        ("keep a page", "read a 0 2p; keep a 5; keep a 4p; write a p 5; keep a p; flush"),
        ("lease over a discard", "lease a 2p L; discard a; read a; give L"),
        ("lease over a move", "lease a 2p L; move a 2p; read a; give L"),
        ("lease for writing, commit", "wlease a 2p W; fill W; commit W; flush; read a"),
        ("lease for writing, give it back", "wlease a 2p W; fill W; give W; flush; read a"),
        ("lease for writing without the content", "wlease a 2p W new; fill W; commit W; flush; read a"),
        ("lease for writing a dirty page", "write a 2p 9; wlease a 2p W; fill W; commit W; flush; read a"),
        ("lease for writing a hole", "new b 4p; wlease b p W; fill W; commit W; flush; read b"),
        ("lease for writing the tail", "setlen a 3p+9; wlease a 3p W; fill W; commit W; setlen a 5p; flush; read a"),
        ("lease for writing, flush in between", "write a 2p 9; wlease a 2p W; flush; fill W; commit W; flush; read a"),
        ("lease for writing, cut in between", "wlease a 4p W; fill W; setlen a 2p; commit W; flush; read a"),
        ("lease for writing, punch in between", "wlease a 2p W; fill W; punch a p 3p; commit W; flush; read a"),
        ("lease for writing, clone in between", "wlease a 2p W; clone a b; fill W; commit W; flush; read a; read b"),
        ("lease for writing, range clone in between", "new b 8p; wlease a 2p W; range b 0 a 2p p; fill W; commit W; flush; read a"),
        ("lease for writing, merge in between", "clone a b; write b 0 9; wlease a 2p W; merge b a; fill W; commit W; flush; read a"),
        ("commit during the write-back", "write a 2p p; wlease a 2p W; fill W; @Place commit W; flush; flush; read a"),
        ("two leases for writing", "wlease a 0 V; wlease a p W; fill V; fill W; commit W; commit V; flush; read a"),
        ("a lease for writing beside a read lease", "lease a 2p L; wlease a 2p W; fill W; commit W; give L; flush; read a"),
        ("lease for writing with half of the frames leased", "wlease a 2p W; occupy; fill W; commit W; vacate; flush; read a"),
        ("a sequence that cannot be read, and leases", "sequence; lease a 0 L; wlease a p W; fill W; commit W; give L; flush"),
    ];
}
