using System.Buffers;

namespace SharedPageCache.Stress.Faults;

/// <summary>Steps that hold pages: what is leased stays as it was (I5), and what is leased for writing is nobody else's until it is committed.</summary>
internal sealed partial class Play
{
    /// <summary>Something that was taken under a name.</summary>
    private sealed class Taken(IDisposable what, string file, int offset, byte[] bytes)
    {
        public IDisposable What => what;

        public string File => file;

        public int Offset => offset;

        public byte[] Bytes { get; set; } = bytes;

        /// <summary>The page was cut since it was leased for writing.</summary>
        public bool IsCut { get; set; }

        /// <summary>It may have been: what cuts it has failed in the middle.</summary>
        public bool MayBeCut { get; set; }
    }

    private async Task LeaseAsync(Step step)
    {
        if (Find(step.File) is not { } played || step.Size(1, PageSize) is var offset && offset >= played.Length)
        {
            return;
        }

        PageMemoryLease? lease = null;
        async Task Take(CancellationToken token) => lease = await played.File.PinAsync(offset, token);
        if (await TryAsync(step, () => Take(default).GetAwaiter().GetResult(), Take))
        {
            Note(step.Words[2], new Taken(lease!, step.File, offset, played.Bytes.AsSpan(offset, lease!.Length).ToArray()));
            DemandEqual(_taken[step.Words[2]].Bytes, lease.Memory.Span, $"'{step}'");
        }
    }

    private async Task LeaseRangeAsync(Step step)
    {
        if (Find(step.File) is not { } played)
        {
            return;
        }

        var (offset, length) = RangeOf(step, played);
        if (length == 0)
        {
            return;
        }

        PageRangeLease? lease = null;
        async Task Take(CancellationToken token) => lease = await played.File.PinRangeAsync(offset, length, token);
        if (await TryAsync(step, () => Take(default).GetAwaiter().GetResult(), Take))
        {
            Note(step.Words[3], new Taken(lease!, step.File, offset, played.Bytes.AsSpan(offset, length).ToArray()));
            DemandEqual(_taken[step.Words[3]].Bytes, lease!.Sequence.ToArray(), $"'{step}'");
        }
    }

    private void Keep(Step step)
    {
        if (Find(step.File) is { } played && step.Size(1, PageSize) is var offset && offset < played.Length && played.File.TryKeep(offset, out var page))
        {
            DemandEqual(played.Bytes.AsSpan(offset, page.Span.Length), page.Span, $"'{step}'");
            page.Release();
        }
    }

    private async Task LeaseForWriteAsync(Step step)
    {
        if (Find(step.File) is not { } played || step.Size(1, PageSize) is var offset && offset >= played.Length)
        {
            return;
        }

        var discards = step.Words.Length > 3;
        WriteLease? lease = null;
        async Task Take(CancellationToken token) => lease = await played.File.LeaseForWriteAsync(offset, discards, token);
        var outcome = await TryAsync(
            step,
            () =>
            {
                if (!played.File.TryLeaseForWrite(offset, out lease, discards))
                {
                    Take(default).GetAwaiter().GetResult();
                }
            },
            Take);
        if (outcome)
        {
            var old = discards ? new byte[lease!.Length] : played.Bytes.AsSpan(offset, lease!.Length).ToArray();
            Note(step.Words[2], new Taken(lease, step.File, offset, old));
            DemandEqual(old, lease.Span, $"'{step}'");
        }
    }

    private void Fill(Step step)
    {
        if (_taken.TryGetValue(step.File, out var taken))
        {
            taken.Bytes = Fresh(taken.Bytes.Length);
            taken.Bytes.CopyTo(((WriteLease)taken.What).Span);
        }
    }

    /// <summary>A commit that is refused or fails has changed nothing, and the lease still holds its bytes.</summary>
    private async Task CommitAsync(Step step)
    {
        if (!_taken.TryGetValue(step.File, out var taken) || Find(taken.File) is not { } played)
        {
            return;
        }

        var lease = (WriteLease)taken.What;
        var isRefused = false;
        async Task Commit(CancellationToken token)
        {
            try
            {
                await lease.CommitAsync(default, token);
            }
            catch (InvalidOperationException) when (taken.MayBeCut || played.Length < taken.Offset + taken.Bytes.Length)
            {
                isRefused = true;
            }
        }

        void CommitNow()
        {
            try
            {
                lease.Commit();
            }
            catch (InvalidOperationException) when (taken.MayBeCut || played.Length < taken.Offset + taken.Bytes.Length)
            {
                isRefused = true;
            }
        }

        var outcome = await TryAsync(step, CommitNow, Commit);
        if (lease.IsCommitted)
        {
            Demand(!taken.IsCut, $"'{step}' brought back a page that was cut");
            played.Change(played.With(taken.Offset, taken.Bytes));
            _taken.TryRemove(step.File, out _);
        }
        else
        {
            Demand(isRefused || !outcome, $"'{step}' did nothing");
            DemandEqual(taken.Bytes, lease.Span, $"'{step}' failed; the lease");
            played.MayHaveChanged();
        }
    }

    private void Note(string name, Taken taken)
    {
        Give(name);
        _taken[name] = taken;
    }

    private void Give(string name)
    {
        if (!_taken.TryRemove(name, out var taken))
        {
            return;
        }

        switch (taken.What)
        {
            case PageMemoryLease lease:
                DemandEqual(taken.Bytes, lease.Memory.Span, $"lease {name} at its end");
                break;
            case PageRangeLease range:
                DemandEqual(taken.Bytes, range.Sequence.ToArray(), $"lease {name} at its end");
                break;
            case WriteLease write:
                DemandEqual(taken.Bytes, write.Span, $"write lease {name} at its end");
                break;
        }

        taken.What.Dispose();
    }

    public void GiveAll()
    {
        foreach (var name in _taken.Keys.ToList())
        {
            Give(name);
        }

        Vacate();
    }

    /// <summary>Pages of a file were cut, or replaced: leases for writing of them cannot be committed any more.</summary>
    private void Cut(string name, int offset, int length, bool isCertain)
    {
        foreach (var taken in _taken.Values.Where(taken => taken.File == name && taken.What is WriteLease))
        {
            var end = (long)offset + length;
            var isHit = offset < (long)taken.Offset + PageSize && taken.Offset < end;
            taken.MayBeCut |= isHit;
            taken.IsCut |= isHit && isCertain && offset <= taken.Offset && taken.Offset + taken.Bytes.Length <= end;
        }
    }

    private void Occupy()
    {
        _hasOccupied = true;
        _occupied.AddRange(world.Occupy());
    }

    private void Vacate()
    {
        _occupied.ForEach(static lease => lease.Dispose());
        _occupied.Clear();
    }
}
