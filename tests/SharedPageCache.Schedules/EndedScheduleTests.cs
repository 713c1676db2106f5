using SharedPageCache.Concurrency;
using SharedPageCache.Schedules.Exploring;

namespace SharedPageCache.Schedules;

/// <summary>What a schedule leaves behind that ends in the middle of things.</summary>
public sealed class EndedScheduleTests
{
    /// <summary>Else the finalizer of a node, which takes its family's lock, would wait for a thread that is no more.</summary>
    [Fact]
    public void No_lock_stays_taken_wherever_the_other_threads_are()
    {
        using var scheduler = new Scheduler();
        var ended = 0;
        for (var seed = 1UL; seed <= 500; seed++)
        {
            var books = new Books();
            var wrong = scheduler.Run(
                [
                    books.Book,
                    books.Book,
                    () =>
                    {
                        Scheduler.Note("looks");
                        throw new InvalidOperationException("seen");
                    },
                ],
                new RandomWalk(seed), limit: 1000, trace: null);
            Assert.Contains("seen", wrong, StringComparison.Ordinal);
            ended += books.Entries < 2 * 3 ? 1 : 0;
            Assert.False(books.IsHeld, $"seed {seed}");
        }

        Assert.InRange(ended, 100, 500);
    }

    private sealed class Books
    {
        private TinyLock _lock;
        private int _entries;

        public bool IsHeld => Scheduler.Quietly(() => _lock.IsHeld);

        public int Entries => _entries;

        public void Book()
        {
            for (var i = 0; i < 3; i++)
            {
                _lock.Enter();
                try
                {
                    Atomic.Increment(ref _entries);
                }
                finally
                {
                    _lock.Exit();
                }
            }
        }
    }
}
