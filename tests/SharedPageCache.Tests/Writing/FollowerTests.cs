using static SharedPageCache.Tests.Writing.WriteTests;

namespace SharedPageCache.Tests.Writing;

/// <summary>Files that follow another one: what is written is seen by nobody else, and a follower that is told catches up by sharing.</summary>
public class FollowerTests
{
    private const int Page = 4096;
    private const int Pages = 64;

    [Fact]
    [Trait("Row", "L33")]
    [Trait("Contract", "C2")]
    public async Task Followers_that_are_told_catch_up_with_their_leader_by_sharing_what_differs()
    {
        using var cache = new WriteCache(frames: 256);
        var leader = cache.OpenMapped(Pages);
        var old = Read(leader, 0, Pages * Page);
        var followers = Enumerable.Range(0, 10).Select(_ => cache.Own(leader.Clone())).ToArray();
        for (var round = 1; round <= 3; round++)
        {
            leader.Write((5 * Page) + 10, Bytes(round, 100));
            leader.Write(40 * Page, Bytes(-round, 2 * Page));
            var now = Read(leader, 0, Pages * Page);
            var (reads, copies, written) = (cache.Figures.DevicePagesRead, cache.Figures.PagesCopied, cache.Figures.PagesWritten);
            foreach (var follower in followers)
            {
                // By itself it sees nothing.
                Assert.Equal(old, Read(follower, 0, Pages * Page));
                var differences = leader.DiffPages(follower);
                Assert.Equal([new FileRange(5 * Page, Page), new FileRange(40 * Page, 2 * Page)], differences);
                foreach (var (offset, length) in differences)
                {
                    follower.CloneRange(leader, offset, offset, length);
                }

                Assert.Empty(leader.DiffPages(follower));
                Assert.Equal(now, Read(follower, 0, Pages * Page));
            }

            // Nothing was read or copied for it, and what all show is written once.
            Assert.Equal((reads, copies), (cache.Figures.DevicePagesRead, cache.Figures.PagesCopied));
            await cache.Volume.FlushAsync();
            Assert.Equal(3, cache.Figures.PagesWritten - written);
            Assert.All(followers, follower => Assert.Equal(now, cache.DurableOf(follower)));
            Assert.Equal(Pages, cache.Engine.BlocksInUse);
            old = now;
        }
    }
}
