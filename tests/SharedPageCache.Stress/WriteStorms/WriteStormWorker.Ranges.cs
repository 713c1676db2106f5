using System.Runtime.InteropServices;

namespace SharedPageCache.Stress.WriteStorms;

/// <content>Ranges that are shared, zeroed, and taken over from a branch.</content>
internal sealed partial class WriteStormWorker
{
    private int StripesOfRecord => storm.RecordPages * WrittenFile.Stripes;

    private int StripesOfFile => options.Pages * WrittenFile.Stripes;

    /// <summary>
    /// A range of another file, or of this one, is this file's. A record is taken as a whole: later clones must find it whole.
    /// Anything else is taken from anywhere behind the records, with edges in the middle of pages.
    /// </summary>
    private void CloneRange(WrittenFile file) => WithAnother(file, source =>
    {
        var (from, to, count) = _dice.OneIn(3)
            ? (_dice.Below(2) * StripesOfRecord, _dice.Below(2) * StripesOfRecord, StripesOfRecord)
            : AnyRange();
        if (source == file && Math.Abs(from - to) < count)
        {
            return;
        }

        Doing = $"clone {count} stripes at {from} of {source} to {to} of {file}";
        var looks = source.CellsAt(from, count).ToArray().Select(static cell => cell.Now()).ToArray();
        var changes = new Cell.Change[count];
        for (var i = 0; i < count; i++)
        {
            changes[i] = file.CellsAt(to + i, 1)[0].Begin(source.CellsAt(from + i, 1)[0], looks[i]);
        }

        long done;
        try
        {
            done = _dice.OneIn(2)
                ? file.Handle.CloneRange(source.Handle, Offset(file, from), Offset(file, to), Offset(file, count))
                : file.Handle.CloneRangeAsync(source.Handle, Offset(file, from), Offset(file, to), Offset(file, count)).AsTask().GetAwaiter().GetResult();
        }
        catch (Exception error) when (error is CacheCapacityException || (error is CacheWritebackException && options.Fails))
        {
            // All or nothing.
            done = 0;
        }

        if (done % file.StripeBytes != 0)
        {
            throw new WriteStormFailure($"{done} bytes were cloned to {file}, where all lengths are stripes of {file.StripeBytes}");
        }

        for (var i = 0; i < count; i++)
        {
            var cell = file.CellsAt(to + i, 1)[0];
            if (i < done / file.StripeBytes)
            {
                cell.End(changes[i]);
            }
            else
            {
                cell.Cancel(changes[i]);
            }
        }

        Ranges += done > 0 ? 1 : 0;
    });

    /// <summary>Changes nothing that anybody reads.</summary>
    private void Dedupe(WrittenFile file) => WithAnother(file, source =>
    {
        var (from, to, count) = _dice.OneIn(2) ? (0, 0, StripesOfFile) : AnyRange();
        if (source == file && Math.Abs(from - to) < count)
        {
            return;
        }

        Doing = $"dedupe {count} stripes at {from} of {source} and {to} of {file}";
        try
        {
            Tolerates(() => Deduped += file.Handle.Dedupe(source.Handle, Offset(file, from), Offset(file, to), Offset(file, count)) > 0 ? 1 : 0);
        }
        catch (CacheCapacityException)
        {
            // Metadata has used up the memory limit.
        }
    });

    /// <summary>A branch that this thread alone knows and writes to is what the file is, unless the file has changed.</summary>
    private void Merge(WrittenFile file)
    {
        Doing = $"branch {file}";
        var branch = file.Handle.Clone(new FileOpenOptions { Id = storm.NextId() });
        try
        {
            var changed = new List<(int Stripe, ulong Word)>();
            for (var i = _dice.Below(4); i >= 0; i--)
            {
                var page = AnyStripedPage();
                var stripe = (page * WrittenFile.Stripes) + (number % WrittenFile.Stripes);
                var bytes = new byte[file.StripeBytes];
                var word = file.NextWord(page);
                MemoryMarshal.Cast<byte, ulong>(bytes.AsSpan()).Fill(word);
                if (changed.Exists(done => done.Stripe == stripe) || !Tolerates(() => branch.Write(Offset(file, stripe), bytes)))
                {
                    return;
                }

                changed.Add((stripe, word));
            }

            Doing = $"merge a branch into {file}";
            var changes = changed.ConvertAll(done => (Cell: file.CellsAt(done.Stripe, 1)[0], Change: file.CellsAt(done.Stripe, 1)[0].Begin(done.Word)));
            try
            {
                branch.MergeInto(file.Handle);
                changes.ForEach(static each => each.Cell.End(each.Change));
                Merges++;
            }
            catch (MergeConflictException)
            {
                changes.ForEach(static each => each.Cell.Cancel(each.Change));
            }
        }
        finally
        {
            if (_dice.OneIn(2))
            {
                branch.Delete();
            }

            branch.Dispose();
        }
    }

    /// <summary>Zeros, also in the middle of a page; the file reaches the end of the range afterwards.</summary>
    private void Zero(WrittenFile file)
    {
        var first = (AnyStripedPage() * WrittenFile.Stripes) + _dice.Below(WrittenFile.Stripes);
        var count = Math.Min(_dice.From(1, 40), StripesOfFile - first);
        Doing = $"zero {count} stripes at {first} of {file}";
        var changes = file.CellsAt(first, count).ToArray().Select(static cell => (Cell: cell, Change: cell.Begin(0))).ToArray();
        if (Tolerates(() => file.Handle.ZeroRange(Offset(file, first), Offset(file, count))))
        {
            Array.ForEach(changes, static each => each.Cell.End(each.Change));
        }
    }

    /// <summary>Two ranges behind the records; mostly with offsets that lie equally in their pages.</summary>
    private (int From, int To, int Count) AnyRange()
    {
        var first = storm.FirstStripedPage * WrittenFile.Stripes;
        var (from, to) = (_dice.From(first, StripesOfFile - 1), _dice.From(first, StripesOfFile - 1));
        to = _dice.OneIn(5) ? to : (to & -WrittenFile.Stripes) + (from & (WrittenFile.Stripes - 1));
        var most = StripesOfFile - Math.Max(from, to);
        return (from, to, _dice.From(1, Math.Min(most, _dice.OneIn(3) ? most : 40)));
    }

    private static long Offset(WrittenFile file, int stripe) => (long)stripe * file.StripeBytes;

    /// <summary>Does something with the file, which is held, and with another one or the same.</summary>
    private void WithAnother(WrittenFile file, Action<WrittenFile> act)
    {
        if (storm.Pick(_dice) is not { } other)
        {
            return;
        }

        if (other == file)
        {
            act(file);
            return;
        }

        // Who wants a file alone gives up after a while: no circle.
        if (!other.Use.TryEnterReadLock(100))
        {
            return;
        }

        try
        {
            if (!other.IsGone)
            {
                act(other);
            }
        }
        finally
        {
            other.Use.ExitReadLock();
        }
    }
}
