using SharedPageCache.Tests.Support;
using Xunit.Abstractions;

namespace SharedPageCache.Tests.Writing;

/// <summary>
/// Many files, all operations, byte arrays as the oracle: whatever is written, cloned, cut and flushed in whatever order, a
/// file shows what it should (I1, I2), and what was flushed is on the device (C6).
/// </summary>
public class WriteModelTests(ITestOutputHelper output)
{
    /// <summary>Seeds that once failed run first.</summary>
    [Theory]
    [Trait("Contract", "C2")]
    [Trait("Contract", "C5")]
    [Trait("Contract", "C6")]
    [InlineData(1, 4000)]
    [InlineData(2, 4000)]
    [InlineData(3, 4000)]
    [InlineData(0, 20_000)]
    public async Task Every_file_always_shows_what_was_written_to_it(int seed, int operations)
    {
        seed = seed != 0 ? seed : int.TryParse(Environment.GetEnvironmentVariable("SPC_SEED"), out var given) ? given : Random.Shared.Next();
        output.WriteLine($"SPC_SEED={seed} SPC_OPERATIONS={operations} dotnet test tests/SharedPageCache.Tests --filter FullyQualifiedName~WriteModelTests");
        if (seed != 0 && int.TryParse(Environment.GetEnvironmentVariable("SPC_OPERATIONS"), out var more))
        {
            operations = more;
        }

        var random = new Random(seed);
        for (var left = operations; left > 0; left -= 1000)
        {
            using var model = new WriteModel(random.Next());
            output.WriteLine(model.ToString());
            await model.RunAsync(1000);
        }
    }
}
