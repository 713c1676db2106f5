using System.Diagnostics;
using SharedPageCache.Concurrency;
using SharedPageCache.Faults;

namespace SharedPageCache;

/// <summary>
/// A page of a file, leased to be written in the cache's own memory: a copy that takes the page's place when it is
/// committed, and is forgotten if it is not.
/// </summary>
/// <remarks>
/// <para>
/// Until <see cref="Commit"/> everybody else has the old page: readers, leases, clones, write-back. Other writers of the
/// page (and whoever makes the file longer, if the page is its last and not full) wait until the lease ends. So a flow
/// that holds a lease must not write the page otherwise, and two flows that lease several pages take them in the same order: such
/// waits are not detected; they can be cancelled.
/// </para>
/// <para>
/// The lease is as long as the file was inside the page, and a commit never changes the file's length. A commit is one
/// write: whole or not at all, for readers, clones and write-back. If it fails nothing has happened, and the lease is as it was: try again, or
/// dispose it. Thread-safe but for the bytes; dispose may be called more than once.
/// </para>
/// <para>
/// Leases for reading and writing together hold at most half of the cache's frames. A lease that is collected without having been
/// disposed ends uncommitted and is counted in <see cref="PageCacheStatistics.LeakedLeases"/>. <b>Memory that is kept
/// beyond the commit or the end cannot be guarded: whoever writes to it then writes to somebody's page.</b>
/// </para>
/// </remarks>
/// <example>
/// <code>
/// using var lease = await file.LeaseForWriteAsync(offset, cancellationToken: token);
/// BinaryPrimitives.WriteInt64LittleEndian(lease.Span, value);
/// await lease.CommitAsync(lsn, token);
/// </code>
/// </example>
[DebuggerDisplay("{Length} bytes at {Offset}, {StateInWords,nq}")]
public sealed class WriteLease : IDisposable
{
    private const int Open = 0;
    private const int Committing = 1;
    private const int Committed = 2;
    private const int Ended = 3;

    /// <summary>Disposed while a commit was under way: the commit ends the lease if it fails.</summary>
    private const int EndsAfterCommit = 4;

    private readonly MappedFile _file;
    private readonly WriteLeases _owner;
    private readonly PageWrite _write;
    private readonly Memory<byte> _memory;
    private readonly int _ticket;
    private int _state;

    internal WriteLease(MappedFile file, WriteLeases owner, PageWrite write, int ticket, long offset)
    {
        _file = file;
        _owner = owner;
        _write = write;
        _ticket = ticket;
        _memory = owner.Memory(write);
        Offset = offset;
        Frame = new FrameIndex(write.LeasedFrame);
    }

    /// <summary>Ends the lease and reports the leak.</summary>
    ~WriteLease()
    {
        // Unreachable, so a commit that has not ended never will.
        if (Atomic.Exchange(ref _state, Ended) is Open or Committing or EndsAfterCommit)
        {
            _owner.GiveLeaked(_write, _ticket);
        }
    }

    /// <summary>Where the page begins in the file.</summary>
    public long Offset { get; }

    /// <summary>How many bytes are leased: the page, or what of it was inside the file when it was leased.</summary>
    public int Length => _memory.Length;

    /// <summary>The frame that holds the bytes, and the page once it is committed.</summary>
    public FrameIndex Frame { get; }

    /// <summary>Whether the page was committed.</summary>
    public bool IsCommitted => Atomic.LoadAcquire(ref _state) == Committed;

    /// <summary>The bytes, from the beginning of the page on.</summary>
    /// <exception cref="InvalidOperationException">The lease was committed, or is being committed.</exception>
    /// <exception cref="ObjectDisposedException">The lease was disposed.</exception>
    public Memory<byte> Memory
    {
        get
        {
            ThrowUnless(Open, Atomic.LoadAcquire(ref _state));
            return _memory;
        }
    }

    /// <summary>The bytes, from the beginning of the page on.</summary>
    /// <inheritdoc cref="Memory" path="/exception"/>
    public Span<byte> Span => Memory.Span;

    private string StateInWords => Atomic.LoadAcquire(ref _state) switch
    {
        Open => "open",
        Committing or EndsAfterCommit => "being committed",
        Committed => "committed",
        _ => "disposed",
    };

    /// <summary>Puts the bytes in the page's place, blocking the thread if room must be made. Ends the lease.</summary>
    /// <param name="lsn">The log record that describes the write: the page is not written back before it is durable.</param>
    /// <exception cref="InvalidOperationException">
    /// The page was cut meanwhile: punched, cut off, replaced, or the file is shorter than what was leased. Or the lease was
    /// committed already.
    /// </exception>
    /// <exception cref="NotSupportedException">The file was sealed meanwhile.</exception>
    /// <exception cref="ObjectDisposedException">The file is closed or deleted, its volume detached, or the lease disposed.</exception>
    /// <exception cref="CacheWritebackException">There is no room, and all that is dirty has failed to be written back.</exception>
    public void Commit(Lsn lsn = default)
    {
        BeginCommit();
        var isDone = false;
        try
        {
            _file.ThrowIfNoWriter();
            _owner.Commit(_file.Mapping, _write, lsn);
            isDone = true;
        }
        finally
        {
            EndCommit(isDone);
            GC.KeepAlive(this);
        }

        PageWrites.Complete(WriteLeases.PayAsync(_file.Mapping, _write, CancellationToken.None));
    }

    /// <summary>Puts the bytes in the page's place without blocking the thread. Ends the lease.</summary>
    /// <param name="lsn">The log record that describes the write: the page is not written back before it is durable.</param>
    /// <param name="cancellationToken">Cancels waits; the lease is then as it was.</param>
    /// <inheritdoc cref="Commit" path="/exception"/>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async ValueTask CommitAsync(Lsn lsn = default, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        BeginCommit();
        var isDone = false;
        try
        {
            _file.ThrowIfNoWriter();
            await _owner.CommitAsync(_file.Mapping, _write, lsn, cancellationToken).ConfigureAwait(false);
            isDone = true;
        }
        finally
        {
            EndCommit(isDone);
        }

        await WriteLeases.PayAsync(_file.Mapping, _write, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Ends the lease. If it was not committed the page stays as it was.</summary>
    public void Dispose()
    {
        while (Atomic.LoadAcquire(ref _state) is Open or Committing)
        {
            if (Atomic.CompareExchange(ref _state, Ended, Open) == Open)
            {
                _owner.Give(_write, _ticket);
            }
            else
            {
                Atomic.CompareExchange(ref _state, EndsAfterCommit, Committing);
            }
        }

        GC.SuppressFinalize(this);
    }

    private void BeginCommit() => ThrowUnless(Open, Atomic.CompareExchange(ref _state, Committing, Open));

    private void EndCommit(bool isDone)
    {
        if (isDone)
        {
            Atomic.Exchange(ref _state, Committed);
            _owner.Give(_write, _ticket);
        }
        else if (Atomic.CompareExchange(ref _state, Open, Committing) != Committing)
        {
            Atomic.Exchange(ref _state, Ended);
            _owner.Give(_write, _ticket);
        }
    }

    private void ThrowUnless(int expected, int state)
    {
        if (state == expected)
        {
            return;
        }

        ObjectDisposedException.ThrowIf(state is Ended or EndsAfterCommit, this);
        throw new InvalidOperationException(
            $"The write lease at {Offset} of file {_file.Name} {(state == Committed ? "was committed already" : "is being committed")}.");
    }
}
