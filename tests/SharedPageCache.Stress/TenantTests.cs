using SharedPageCache.Stress.Support;
using SharedPageCache.Stress.Tenants;
using Xunit.Abstractions;

namespace SharedPageCache.Stress;

/// <summary>
/// Tenants of one cache that do not trust each other (T8): on few frames, with a device that fails and reads short, no tenant finds
/// a word of another one, in what it reads, in buffers after a failure, or in memory that is handed to the device for it; and
/// what may be shown to it says nothing of others.
/// </summary>
public sealed class TenantTests(ITestOutputHelper output)
{
    private const int RoundMilliseconds = 300;

    [Fact]
    [Trait("Category", "Soak")]
    public async Task No_tenant_finds_a_word_of_another_one()
    {
        var (rounds, operations, words, watched, faults, refusals) = (0, 0L, 0L, 0L, 0L, 0L);
        foreach (var seed in Soak.Rounds())
        {
            var options = TenantOptions.Of(seed, RoundMilliseconds);
            output.WriteLine($"{options}{Environment.NewLine}  {Soak.Replay(nameof(No_tenant_finds_a_word_of_another_one), seed)}");
            using var cache = new PageCache(new PageCacheOptions
            {
                PageSize = options.PageSize, Policy = options.Policy, HugePages = false, ExactFrameCount = options.Frames, DirtyAge = TimeSpan.FromMilliseconds(10),
            });
            TenantVolume[] volumes = [new(cache, options), new(cache, options)];

            // Two of them have said nothing: the default domains of two volumes.
            Tenant[] tenants =
            [
                new(options, volumes[0], 0, SecurityDomain.Default), new(options, volumes[1], 1, SecurityDomain.Default),
                new(options, volumes[0], 2, new SecurityDomain(7)), new(options, volumes[1], 3, new SecurityDomain(SecurityDomain.MaxValue)),
            ];
            Run(tenants, options.Milliseconds, cache);
            Array.ForEach(volumes, static volume => volume.Heal());
            Array.ForEach(tenants, static tenant => tenant.Finish());
            foreach (var volume in volumes)
            {
                await volume.Volume.FlushAsync();
                Assert.Empty(volume.Breaches);
                watched += volume.WordsWatched;
                faults += volume.Faults;
            }

            cache.Verify();
            rounds++;
            operations += tenants.Sum(static tenant => tenant.Operations);
            words += tenants.Sum(static tenant => tenant.WordsChecked);
            refusals += tenants.Sum(static tenant => tenant.Refusals);
        }

        Assert.True(words > 0 && watched > 0);
        Soak.Report(output, nameof(No_tenant_finds_a_word_of_another_one), $"{rounds} rounds (seeds), {operations} operations, {words} words read and "
            + $"{watched} words of device buffers checked, 0 foreign, {faults} faults injected, {refusals} told");
    }

    private static void Run(Tenant[] tenants, int milliseconds, PageCache cache)
    {
        var failures = new System.Collections.Concurrent.ConcurrentQueue<Exception>();
        var end = Environment.TickCount64 + milliseconds;
        var threads = tenants.Select(tenant => new Thread(() =>
        {
            try
            {
                while (Environment.TickCount64 < end && failures.IsEmpty)
                {
                    tenant.Step();
                }
            }
            catch (Exception error)
            {
                failures.Enqueue(error);
            }
        })).ToArray();
        Array.ForEach(threads, static thread => thread.Start());
        while (threads.Any(static thread => !thread.Join(20)))
        {
            cache.Verify();
            Assert.True(Environment.TickCount64 < end + 60_000, "a tenant hangs");
        }

        Assert.True(failures.IsEmpty, failures.FirstOrDefault()?.ToString());
    }
}
