using SharedPageCache.Concurrency;
using SharedPageCache.Mappings;

namespace SharedPageCache.Faults;

/// <content>What a write holds while it waits, and when it gives that back: so that writes never wait in a circle.</content>
internal sealed partial class PageWrite
{
    private Permits? _turn;

    /// <summary>Whether the file's turn for its length is the writer's, who is going to make the file longer.</summary>
    public bool IsInLengthTurn { get; init; }

    /// <summary>Whether nobody else gets a place of a file before the write has ended or let go: one of its pages, or the turn of the length.</summary>
    public bool Keeps(object file, long place) =>
        file == _file && (place == FileWriting.LengthPlace ? IsInLengthTurn : place >= _firstPage && place - _firstPage < _pages.Length);

    /// <summary>Whether it is this write's turn to wait for frames while it has some.</summary>
    public bool HasTurn => _turn is not null;

    /// <summary>Whether the write must take its turn before it waits for a frame: it may have prepared pages, and others too.</summary>
    public bool NeedsTurn => _turn is null && _pages.Length > 1;

    /// <summary>
    /// Before a write of several pages waits for a frame it gives back those that it has prepared and takes its turn: only one at
    /// a time waits while it has some.
    /// </summary>
    public async ValueTask TakeTurnAsync(Permits turn, CancellationToken cancellationToken)
    {
        GiveBackAll();
        await turn.TakeAsync(cancellationToken).ConfigureAwait(false);
        _turn = turn;
    }

    /// <summary>
    /// Before a wait for the volume's own device or engine, which may never answer, frames and turn are given back, which writes to
    /// other volumes need; not the marks, and not the frame of a write lease.
    /// </summary>
    public void GiveWay()
    {
        if (!_isLeased)
        {
            LetGoOfFrames();
        }
    }

    /// <summary>
    /// Gives everything back, the marks too; the write begins again. Before it waits for another length of the file: who
    /// makes a file longer waits for the mark of its last page.
    /// </summary>
    public void LetGo()
    {
        LetGoOfFrames();
        while (_marked > 0)
        {
            _file.Writing.Marks.Unmark(_firstPage + --_marked);
        }
    }

    public void Dispose() => LetGo();

    private void LetGoOfFrames()
    {
        GiveBackAll();
        _turn?.Give();
        _turn = null;
    }

    private void GiveBackAll()
    {
        for (var i = 0; i < _pages.Length; i++)
        {
            GiveBack(i);
        }
    }

    private void GiveBack(int i)
    {
        if (_pages[i].Frame >= 0)
        {
            _rooms.Pool.Push(_pages[i].Frame);
            _rooms.AddStaged(-1);
            _pages[i] = new PreparedPage(-1);
        }
    }
}
