using CommunityToolkit.HighPerformance.Buffers;
using SharedPageCache.Frames;
using SharedPageCache.Mappings;
using SharedPageCache.Rmap;
using SharedPageCache.Writeback;

namespace SharedPageCache.Faults;

/// <summary>
/// One write that a clone sees whole or not at all: up to <c>MaxAtomicWrite</c> bytes, some pages in a row.
/// </summary>
/// <remarks>
/// <para>
/// <b>Marks</b> of all its pages are held from the first look to the end: no other writer of the file touches these pages.
/// So what was prepared stays right unless the file's truth changes (its <see cref="FileMapping.Edition"/>) or the block
/// that a page was copied from is discarded; both are compared again inside the gate, after the last wait.
/// </para>
/// <para>
/// <b>Prepare</b> (outside the gate, may wait): a page that cannot be written in place gets a new frame with the new
/// content, copied from the page that is resident or loaded; the source is pinned while it is copied, and whoever writes
/// in place looks at pins after taking X, so the copy is whole. A clean page that nobody else shows is not copied: its
/// frame is taken over.
/// </para>
/// <para>
/// <b>Apply</b> (inside the gate): first every page that is written in place is taken (X on its frame, a full fence, then
/// no pins), then all bytes and references change. If one cannot be taken all are given back and that page is prepared.
/// Inside together if the file owns the leaves; else alone, with the binding lock, copying the paths. Binding lock before
/// X: who freezes frames holds it and waits for X.
/// </para>
/// <para>
/// <b>In place</b> means: the slot is provisional, and root, nodes, leaf and frame all carry the file's stamp, compared
/// inside the gate: nobody else shows the frame. Everything else is copied or taken over.
/// </para>
/// </remarks>
internal sealed partial class PageWrite : IDisposable
{
    private readonly Rooms _rooms;
    private readonly PageFaults _faults;
    private readonly ProvisionalFrames _provisional;
    private readonly FileMapping _file;
    private readonly long _offset;
    private readonly int _length;
    private Lsn _lsn;
    private readonly PreparedPage[] _pages;
    private readonly long _firstPage;
    private int _marked;

    public PageWrite(Rooms rooms, PageFaults faults, ProvisionalFrames provisional, FileMapping file, long offset, int length, Lsn lsn)
    {
        _rooms = rooms;
        _faults = faults;
        _provisional = provisional;
        _file = file;
        _offset = offset;
        _length = length;
        _lsn = lsn;
        _firstPage = offset >> rooms.PageShift;
        _pages = new PreparedPage[(int)((offset + Math.Max(1, length) - 1 >> rooms.PageShift) - _firstPage) + 1];
        _unshareAsked = new SharingMoment[_pages.Length];
        Array.Fill(_pages, new PreparedPage(-1));
    }

    /// <summary>The page that the need is about.</summary>
    public long Page { get; private set; }

    /// <summary>Whether pages are copied even if nothing of them changes: to have their tail zeroed.</summary>
    public bool ForcesCopy { get; init; }

    /// <summary>How many pages the write has made dirty.</summary>
    public int Shown { get; private set; }

    /// <summary>The moment at which the write began to wait for room, as its volume's writer counts them.</summary>
    public long? WaitsSince { get; set; }

    /// <summary>Goes as far as it can without a wait.</summary>
    /// <param name="bytes">What is written.</param>
    public WriteNeed TryGoOn(ReadOnlySpan<byte> bytes)
    {
        for (; _marked < _pages.Length; _marked++)
        {
            Page = _firstPage + _marked;
            if (!_file.Writing.Marks.TryMark(Page))
            {
                return WriteNeed.Mark;
            }
        }

        while (true)
        {
            _file.ThrowIfUnwritable();
            if (_offset + _length > _file.Tree.Length)
            {
                return WriteNeed.Length;
            }

            for (var i = 0; i < _pages.Length; i++)
            {
                if (_pages[i].Frame < 0 && (ForcesCopy || !WriteInPlace.LooksPossible(_rooms, _file, _firstPage + i)) && Prepare(i, bytes) is var need and not WriteNeed.Done)
                {
                    return need;
                }
            }

            var missing = Apply(bytes, out var applied);
            if (applied != WriteNeed.Source)
            {
                return applied;
            }

            // What this page was prepared from is no longer true, or it can no longer be written in place.
            GiveBack(missing);
            if (Prepare(missing, bytes) is var again and not WriteNeed.Done)
            {
                return again;
            }
        }
    }

    /// <summary>The page of a <see cref="WriteNeed.Source"/> has come: it is copied at once, and given back.</summary>
    /// <param name="hold">The page.</param>
    /// <param name="moment">The moment before it was asked for.</param>
    /// <param name="bytes">What is written.</param>
    public void Supply(PageHold hold, SourceMoment moment, ReadOnlySpan<byte> bytes) =>
        TryFill((int)(Page - _firstPage), hold, moment, bytes);

    private WriteNeed Prepare(int i, ReadOnlySpan<byte> bytes)
    {
        if (NeedBeforeFrame(i, out var leaf) is var need and not WriteNeed.Done)
        {
            return need;
        }

        var moment = SourceMoment.Of(_file);
        var hold = PageHold.Zero;
        if (IsWhole(i))
        {
            if (TryTakeOver(i, leaf![Window.SlotOf(Page)], pins: 0))
            {
                Fill(i, _pages[i].Frame, default, moment, bytes);
                return WriteNeed.Done;
            }
        }
        else if (!_faults.TryFaultMinor(_file, Page, out hold))
        {
            return WriteNeed.Source;
        }

        return TryFill(i, hold, moment, bytes) ? WriteNeed.Done : WriteNeed.Frame;
    }

    /// <summary>Makes a page's new content in a new frame, from a source that is given back.</summary>
    /// <returns>False if there is no frame.</returns>
    private bool TryFill(int i, PageHold hold, SourceMoment moment, ReadOnlySpan<byte> bytes)
    {
        try
        {
            if (hold.Kind == PageHoldKind.Pinned)
            {
                _rooms.Guard?.ThrowIfChanged(hold.Frame, "when it was copied for a write");
            }

            if (TryTakeOver(i, hold))
            {
                Fill(i, hold.Frame, SourceOf(hold), moment, bytes);
                return true;
            }

            if (TryTakeFrame(i, out var frame))
            {
                Copy(i, frame, SourceOf(hold), moment, bytes);
                return true;
            }

            // The source may be in the only frame that can be had: it is copied aside, and then its frame may go.
            using var aside = SpanOwner<byte>.Allocate(_rooms.PageSize);
            var source = aside.Span[..SourceOf(hold).Length];
            SourceOf(hold).CopyTo(source);
            _faults.Release(hold);
            hold = PageHold.Zero;
            if (TryTakeFrame(i, out frame))
            {
                Copy(i, frame, source, moment, bytes);
                return true;
            }

            return false;
        }
        finally
        {
            _faults.Release(hold);
        }
    }

    /// <summary>The bytes of a held page; none if it reads zero.</summary>
    private ReadOnlySpan<byte> SourceOf(PageHold hold) =>
        hold.Kind is PageHoldKind.Pinned or PageHoldKind.Around ? _rooms.Arena.Span(hold.Frame) : default;

    /// <summary>Whether nothing of the old page stays visible.</summary>
    private bool IsWhole(int i)
    {
        var start = _firstPage + i << _rooms.PageShift;
        return !ForcesCopy && _offset <= start
            && _offset + _length >= Math.Min(start + _rooms.PageSize, _file.Tree.Length);
    }

    private bool TryTakeFrame(int i, out int frame)
    {
        if (!_rooms.Supply.TryTake(_file.Account.Owner, out frame))
        {
            return false;
        }

        _rooms.AddStaged(1);
        _pages[i] = new PreparedPage(frame);
        return true;
    }

    private void Copy(int i, int frame, ReadOnlySpan<byte> source, SourceMoment moment, ReadOnlySpan<byte> bytes)
    {
        Fill(i, frame, source, moment, bytes);
        if (!source.IsEmpty)
        {
            _rooms.Writeback.PagesCopied.Increment();
        }
    }

    private void Fill(int i, int frame, ReadOnlySpan<byte> source, SourceMoment moment, ReadOnlySpan<byte> bytes)
    {
        var pageStart = _firstPage + i << _rooms.PageShift;
        var isWhole = IsWhole(i);
        PageContent.Compose(
            _rooms.Arena.Span(frame), isWhole ? default : source, isWhole, pageStart, _file.Tree.Length, _offset, bytes);
        _pages[i] = new PreparedPage(frame, moment.Edition, isWhole ? long.MaxValue : moment.Clock);
    }

    /// <summary>Changes everything, or nothing.</summary>
    /// <returns>The page that must be prepared (again) if <paramref name="need"/> is <see cref="WriteNeed.Source"/>.</returns>
    private int Apply(ReadOnlySpan<byte> bytes, out WriteNeed need)
    {
        var leaves = new Leaf[_pages.Length];
        var alone = false;
        _file.EnterTogether();
        if (!OwnsAll(leaves))
        {
            _file.LeaveTogether();
            _file.EnterAlone();
            alone = true;
        }

        // Who replaces a dirty page looks, in the same hold of the binding lock, whether it has lost its last owner.
        var binds = alone || ReplacesProvisional(leaves);
        if (binds)
        {
            _file.Volume.Binding.Enter();
        }

        var missing = -1;
        try
        {
            need = Check(leaves, alone);
            var held = need == WriteNeed.Done ? HoldAll(leaves) : 0;
            if (need == WriteNeed.Done && held == leaves.Length)
            {
                missing = TakeAll(leaves);
                need = missing < 0 ? WriteNeed.Done : WriteNeed.Source;
            }
            else if (need == WriteNeed.Done)
            {
                need = WriteNeed.Leaf;
            }

            if (need == WriteNeed.Done)
            {
                Change(leaves, bytes);
            }

            for (var i = 0; i < held; i++)
            {
                leaves[i].LetGo();
            }
        }
        finally
        {
            if (binds)
            {
                _file.Volume.Binding.Exit();
            }

            if (alone)
            {
                _file.LeaveAlone();
            }
            else
            {
                _file.LeaveTogether();
            }
        }

        if (need == WriteNeed.Done)
        {
            NoteUse(leaves);
        }

        return missing;
    }

    private bool OwnsAll(Leaf[] leaves)
    {
        for (var i = 0; i < _pages.Length; i++)
        {
            var window = Window.Of(_firstPage + i);
            if (_file.Tree.FindLeaf(window) is not { } leaf || !_file.Owns(window, leaf))
            {
                return false;
            }

            leaves[i] = leaf;
        }

        return true;
    }

    private bool ReplacesProvisional(Leaf[] leaves)
    {
        for (var i = 0; i < _pages.Length; i++)
        {
            if (_pages[i].Frame >= 0 && leaves[i].IsProvisional(Window.SlotOf(_firstPage + i)))
            {
                return true;
            }
        }

        return false;
    }

    private WriteNeed Check(Leaf[] leaves, bool alone)
    {
        _file.ThrowIfUnwritable();
        if (_offset + _length > _file.Tree.Length)
        {
            return WriteNeed.Length;
        }

        for (var i = 0; i < _pages.Length; i++)
        {
            Page = _firstPage + i;
            if (!alone)
            {
                // The page was not shared when it was prepared, and a range of the file may have been since.
                if (_pages[i].Frame >= 0 && _file.MayShareAny && _unshareAsked[i] != _file.Sharing)
                {
                    return WriteNeed.Unshare;
                }

                continue;
            }

            // The engine hears of each page that stops being shared before it does.
            if (_file.Tree.FindLeaf(Window.Of(Page)) is { } shared && _unshareAsked[i] != _file.Sharing && _file.IsShared(shared, Window.SlotOf(Page)))
            {
                return WriteNeed.Unshare;
            }

            if (_file.Diverge(Window.Of(Page)) is not { } leaf)
            {
                return WriteNeed.Leaf;
            }

            leaves[i] = leaf;
        }

        return WriteNeed.Done;
    }

    /// <summary>Keeps the leaves alive until their pages are shown in them.</summary>
    private int HoldAll(Leaf[] leaves)
    {
        var held = 0;
        while (held < leaves.Length && leaves[held].TryHold())
        {
            held++;
        }

        Page = _firstPage + Math.Min(held, leaves.Length - 1);
        return held;
    }

    /// <summary>Takes X on every page that is written in place, and compares what the others were prepared from.</summary>
    /// <returns>The page that is not ready, or -1.</returns>
    private int TakeAll(Leaf[] leaves)
    {
        var stamp = _file.Stamp;
        for (var i = 0; i < _pages.Length; i++)
        {
            var slot = Window.SlotOf(_firstPage + i);
            if (_pages[i].Frame >= 0 ? IsGood(i, leaves[i], slot) : TryTakeInPlace(leaves[i], slot, stamp))
            {
                continue;
            }

            for (var taken = 0; taken < i; taken++)
            {
                if (_pages[taken].Frame < 0)
                {
                    _rooms.Frames[leaves[taken][Window.SlotOf(_firstPage + taken)].Frame].State.EndWrite(changed: false);
                }
            }

            return i;
        }

        return -1;
    }

    private bool IsStillTrue(PreparedPage prepared, Leaf leaf, int slot) =>
        prepared.Edition == _file.Edition
        && (prepared.Clock == long.MaxValue || leaf.IsProvisional(slot)
            || leaf.ResolveByRuns(slot, _rooms.PageShift) is not { Kind: PageSourceKind.Block } source
            || !_file.Volume.Clock.HasChangedSince(prepared.Clock, source.Block));

    private bool TryTakeInPlace(Leaf leaf, int slot, long stamp)
    {
        var reference = leaf[slot];
        return leaf.IsProvisional(slot) && WriteInPlace.TryTake(_rooms.Frames, reference, stamp);
    }

    private void Change(Leaf[] leaves, ReadOnlySpan<byte> bytes)
    {
        _file.NoteContent();
        var stamp = _file.Stamp;
        OwnerWalk? walk = null;
        for (var i = 0; i < _pages.Length; i++)
        {
            var slot = Window.SlotOf(_firstPage + i);
            var old = leaves[i][slot];
            if (_pages[i].Frame < 0)
            {
                PageContent.Overlay(_rooms.Arena.Span(old.Frame), _firstPage + i << _rooms.PageShift, _offset, bytes);
                if (_lsn != Lsn.None)
                {
                    _file.Volume.Dirty.Raise(old.Frame, _lsn);
                }

                _rooms.Frames[old.Frame].State.EndWrite(changed: true);
                continue;
            }

            var (lsn, round) = (_lsn, long.MaxValue);
            var replaces = leaves[i].IsProvisional(slot);
            if (replaces && _file.Volume.Dirty.TryGet(old.Frame, out var source))
            {
                // The copy holds what the source's log record describes; a flush that owes the source owes the copy, unless
                // it has the source's image already.
                lsn = lsn < source.Lsn ? source.Lsn : lsn;
                round = _rooms.Frames[old.Frame].State.Load().Phase == FramePhase.Dirty ? source.Round : round;
            }

            Show(i, leaves[i], slot, stamp, lsn, round);
            if (replaces)
            {
                walk ??= _provisional.NewWalk();
                _provisional.Lost(_file.Volume, old, walk, stamp);
            }
        }
    }

    /// <summary>Publishes upwards: bytes and state, the dirty set, the frame's place, the reference.</summary>
    /// <remarks>With X until the reference is there: no write-back takes the frame for one that nobody shows.</remarks>
    private void Show(int i, Leaf leaf, int slot, long stamp, Lsn lsn, long round)
    {
        var frame = _pages[i].Frame;
        _pages[i] = new PreparedPage(-1);
        _rooms.AddStaged(-1);
        Shown++;
        var generation = _rooms.Frames[frame].State.Load().Generation;
        _rooms.Frames.SetStamp(frame, stamp);
        _rooms.Frames[frame].State.PublishDirty();
        _file.Volume.Dirty.Add(
            frame, new DirtyPages.Entry(generation, _file, _firstPage + i, lsn, _rooms.Time.GetTimestamp(), round));
        leaf.Lock.Enter();
        _rooms.Rmap.Add(frame, new Place(leaf.Family.Id, slot));
        leaf.InstallProvisional(slot, PageReference.Resident(frame, generation), _rooms.Ledger);
        leaf.Lock.Exit();
        _rooms.Frames[frame].State.EndWrite(changed: false);
    }

    private void NoteUse(Leaf[] leaves)
    {
        for (var i = 0; i < _pages.Length; i++)
        {
            _rooms.Reader.TouchFirst(_file, _firstPage + i, leaves[i]);
        }

        _file.Volume.Writer!.Noted();
    }
}
