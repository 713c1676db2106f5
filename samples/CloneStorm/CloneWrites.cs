namespace SharedPageCache.Samples.CloneStorm;

/// <summary>
/// What each clone writes: whole pages in a row, then bytes that lie across the border of two pages, then some bytes
/// inside of one. The places are the clone's own, and the same in every run.
/// </summary>
/// <remarks>
/// When a clone has been cloned again while all that is dirty, it overwrites the first of its whole pages in part, and
/// the new clone the page with the few bytes. So no version of a page is ever written to twice, and each is shown by
/// somebody in the end: every one of them must go to the device, once.
/// </remarks>
internal sealed class CloneWrites
{
    /// <summary>The most blocks that a clone and the clone of it need on the device, metadata included.</summary>
    public const int MostBlocks = 96;

    /// <summary>How many more pages become dirty when a clone is cloned again.</summary>
    public const int PagesAfterCloning = 2;

    private const int LeastPages = 4;
    private const int MostPages = 16;
    private const int PagesInPart = 3;
    private const int FewBytes = 100;

    private readonly int _pageSize;
    private readonly long _third; // of the image, in pages: each of the three places lies in its own

    private CloneWrites(int pages, int pageSize, long imagePages)
    {
        Pages = pages;
        _pageSize = pageSize;
        _third = imagePages / 3;
    }

    /// <summary>How many pages each clone writes before it may be cloned.</summary>
    public int Pages { get; }

    /// <summary>Chooses how much is written: if possible so little that nothing goes to the device before the flush.</summary>
    /// <param name="clones">The number of clones.</param>
    /// <param name="frames">The frames of the cache.</param>
    /// <param name="pageSize">The page size in bytes.</param>
    /// <param name="imageBytes">The length of the image in bytes.</param>
    public static CloneWrites For(int clones, long frames, int pageSize, long imageBytes)
    {
        // The cache begins to write by itself when a tenth of its frames is dirty.
        long quiet = (frames * 95 / 1000 / clones) - (PagesAfterCloning / 2);
        long pages = Math.Min(Math.Clamp(quiet, LeastPages, MostPages), imageBytes / pageSize / 4);
        return new CloneWrites((int)pages, pageSize, imageBytes / pageSize);
    }

    /// <summary>What a clone writes first.</summary>
    /// <param name="clone">The number of the clone.</param>
    public ImageWrite[] Of(int clone)
    {
        (long run, long border, long few) = PlacesOf(clone);
        return
        [
            new ImageWrite(run * _pageSize, (Pages - PagesInPart) * _pageSize, Seed(clone, 0)),
            new ImageWrite((border * _pageSize) + (_pageSize / 2) + 1, _pageSize, Seed(clone, 1)),
            new ImageWrite((few * _pageSize) + (_pageSize / 3), FewBytes, Seed(clone, 2)),
        ];
    }

    /// <summary>What a clone writes when it has been cloned again.</summary>
    /// <param name="clone">The number of the clone.</param>
    public ImageWrite OfOrigin(int clone) =>
        new((PlacesOf(clone).Run * _pageSize) + 7, _pageSize / 2, Seed(clone, 3));

    /// <summary>What the clone of a clone writes.</summary>
    /// <param name="clone">The number of the clone that it was cloned from.</param>
    public ImageWrite OfSecond(int clone) =>
        new((PlacesOf(clone).Few * _pageSize) + (_pageSize / 4), _pageSize / 2, Seed(clone, 4));

    private static int Seed(int clone, int write) => (clone * 5) + write;

    private (long Run, long Border, long Few) PlacesOf(int clone)
    {
        var random = new Random(clone);
        return (
            random.NextInt64(_third - (Pages - PagesInPart) + 1),
            _third + random.NextInt64(_third - 1),
            (2 * _third) + random.NextInt64(_third));
    }
}
