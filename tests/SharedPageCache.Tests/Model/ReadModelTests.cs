namespace SharedPageCache.Tests.Model;

/// <summary>
/// Random steps of several files against the model: open, clone, close, overwrite, remap, move, evict, lease, read.
/// </summary>
/// <remarks>
/// Each run takes fresh seeds and names the one that failed; to replay it, put it first in <see cref="Seeds"/>. Seeds that
/// once failed stay there.
/// </remarks>
public class ReadModelTests
{
    private const int Steps = 1500;

    /// <summary>Seeds that once found something, then fresh ones: one, or as many as the environment says.</summary>
    private static int[] Seeds =>
    [
        1, 2,
        .. Enumerable.Range(0, int.Parse(Environment.GetEnvironmentVariable("READ_MODEL_SEEDS") ?? "1")).Select(_ => Random.Shared.Next()),
    ];

    [Theory]
    [Trait("Contract", "C1")]
    [Trait("Contract", "C4")]
    [Trait("Contract", "C8")]
    [Trait("Contract", "C10")]
    [Trait("Contract", "C11")]
    [Trait("Row", "A9")]
    [Trait("Row", "F3")]
    [InlineData(3, 512, 512, EvictionPolicy.S3Fifo, 0, false)]
    [InlineData(8, 512, 512, EvictionPolicy.Clock, 32, false)]
    [InlineData(16, 512, 4096, EvictionPolicy.S3Fifo, 8, false)]
    [InlineData(8, 4096, 512, EvictionPolicy.S3Fifo, 0, false)]
    [InlineData(5, 4096, 1024, EvictionPolicy.Clock, 4, false)]
    [InlineData(64, 1024, 1024, EvictionPolicy.S3Fifo, 32, false)]
    [InlineData(6, 65536, 512, EvictionPolicy.S3Fifo, 2, false)]
    [InlineData(7, 512, 512, EvictionPolicy.S3Fifo, 8, true)]
    [InlineData(24, 4096, 512, EvictionPolicy.Clock, 4, true)]
    [InlineData(16, 512, 4096, EvictionPolicy.S3Fifo, 8, true)]
    public async Task Every_file_always_shows_what_its_extents_say(
        int frames, int pageSize, int blockSize, EvictionPolicy policy, int readAhead, bool deviceFails)
    {
        foreach (var seed in Seeds)
        {
            var step = 0;
            var model = new ReadModel(seed, frames, pageSize, blockSize, policy, readAhead, deviceFails);
            try
            {
                for (; step < Steps; step++)
                {
                    await model.StepAsync();
                    if (step % 100 == 0)
                    {
                        model.Verify();
                    }
                }
            }
            catch (Exception error)
            {
                throw new InvalidOperationException($"Seed {seed}, step {step}: {error.Message}", error);
            }

            model.Dispose();
        }
    }
}
