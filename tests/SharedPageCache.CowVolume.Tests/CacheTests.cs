using SharedPageCache.Cow.Tests.Support;

namespace SharedPageCache.Cow.Tests;

/// <summary>The volume behind the cache: written through mapped files, cloned while dirty, flushed, closed and opened again.</summary>
public sealed class CacheTests
{
    private const int Page = 4096;

    [Fact]
    public async Task Clones_of_dirty_files_are_there_again_after_a_flush()
    {
        using var path = new TemporaryFile();
        var expected = new Dictionary<string, byte[]>();
        using (var volume = CowVolume.Create(path.Path, new CowVolumeOptions { CapacityBytes = 64 << 20 }))
        {
            using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 16 << 20, PageSize = Page });
            using (var attached = volume.Attach(cache))
            {
                var origin = volume.CreateFile("origin");
                var file = attached.OpenFile(origin, 0);
                var bytes = WriteBack.Bytes(100 * Page + 17, 1);
                file.Write(0, bytes);
                expected["origin"] = bytes;
                for (var i = 0; i < 20; i++)
                {
                    var clone = file.Clone();
                    volume.Link((CowFile)clone.Extents, $"clone{i}");
                    var own = WriteBack.Bytes(3000, 100 + i);
                    clone.Write(i * 5000, own);
                    var all = bytes.ToArray();
                    own.CopyTo(all, i * 5000);
                    expected[$"clone{i}"] = all;
                    if (i % 3 == 0)
                    {
                        await clone.DisposeAsync();
                    }
                }

                await attached.FlushAsync();
                Assert.Equal(0, cache.GetStatistics().DirtyBytes);
                cache.Verify();
            }

            var report = volume.Check();
            Assert.True(report.IsClean, report.ToString());
        }

        using var again = CowVolume.Open(path.Path);
        Assert.Equal(expected.Keys.Order(), again.Files.Select(static file => file.Name).Order());
        foreach (var (name, bytes) in expected)
        {
            Assert.Equal(bytes, again.ReadAll(again.OpenFile(name)));
        }

        Assert.True(again.Check().IsClean);
    }

    [Fact]
    public async Task A_random_history_through_the_cache_is_what_is_read_after_each_reopening()
    {
        var seed = (int)(Seeds.Next() & int.MaxValue);
        using var path = new TemporaryFile();
        var random = new Random(seed);
        var model = new Dictionary<string, ModelFile>();
        for (var round = 0; round < 6; round++)
        {
            using var volume = round == 0
                ? CowVolume.Create(path.Path, new CowVolumeOptions { CapacityBytes = 32 << 20 })
                : CowVolume.Open(path.Path);
            using var cache = new PageCache(new PageCacheOptions { CapacityBytes = (1 + random.Next(8)) << 19, PageSize = Page, MaxReadAheadPages = random.Next(2) * 16 });
            await using var attached = volume.Attach(cache);
            var open = model.Keys.ToDictionary(name => name, name => attached.OpenFile(volume.OpenFile(name), model[name].Length));
            Assert.Equal(model.Keys.Order(), volume.Files.Select(static file => file.Name).Order());
            for (var step = 0; step < 150; step++)
            {
                if (open.Count < 2 || (open.Count < 8 && random.Next(20) == 0))
                {
                    var name = $"file{round}-{step}";
                    if (open.Count > 0 && random.Next(3) != 0)
                    {
                        var (source, file) = open.ElementAt(random.Next(open.Count));
                        var clone = file.Clone();
                        volume.Link((CowFile)clone.Extents, name);
                        open.Add(name, clone);
                        model.Add(name, model[source].Clone());
                    }
                    else
                    {
                        open.Add(name, attached.OpenFile(volume.CreateFile(name), 0));
                        model.Add(name, new ModelFile());
                    }
                }

                var (key, mapped) = open.ElementAt(random.Next(open.Count));
                var (other, origin) = open.ElementAt(random.Next(open.Count));
                var where = $"seed {seed}, round {round}, step {step}";
                if (random.Next(8) == 0)
                {
                    await CloneRangeAsync(origin, model[other], mapped, model[key], random, where);
                }
                else
                {
                    await StepAsync(mapped, model[key], random, where);
                }

                if (random.Next(40) == 0 && open.Count > 2)
                {
                    mapped.Delete();
                    open.Remove(key);
                    model.Remove(key);
                }
            }

            await attached.FlushAsync();
            cache.Verify();
            foreach (var (name, file) in open)
            {
                Check(file, model[name], 0, (int)model[name].Length + 10, $"seed {seed}, end of round {round}");
                file.Dispose();
            }

            Assert.True(volume.Check().IsClean, $"{volume.Check()} seed {seed}");
        }
    }

    private static async Task CloneRangeAsync(
        MappedFile source, ModelFile taken, MappedFile file, ModelFile bytes, Random random, string where)
    {
        var from = random.Next((int)taken.Length + 1) / Page * Page;
        var to = random.Next((int)bytes.Length + (2 * Page)) / Page * Page;
        var (tail, count) = (random.Next(2) * random.Next(Page), random.Next(30 * Page));
        count = (int)Math.Clamp(taken.Length - from - tail, 0, count);
        if (source == file && Math.Abs(from - to) < count)
        {
            return;
        }

        if (random.Next(5) == 0 && to + tail + count <= bytes.Length)
        {
            await file.DedupeAsync(source, from + tail, to + tail, count);
        }
        else
        {
            Assert.Equal(count, await file.CloneRangeAsync(source, from + tail, to + tail, count));
            if (count > 0)
            {
                bytes.CloneRange(taken, from + tail, to + tail, count);
            }
        }

        Check(file, bytes, 0, (int)bytes.Length + 10, where);
    }

    private static async Task StepAsync(MappedFile file, ModelFile model, Random random, string where)
    {
        var end = (int)model.Length;
        switch (random.Next(10))
        {
            case < 5:
                var offset = random.Next(Math.Min(end + 2 * Page, 1 << 20));
                var data = new byte[1 + random.Next(4 * Page)];
                random.NextBytes(data);
                await file.WriteAsync(offset, data);
                model.Write(offset, data);
                break;
            case 5:
                var length = random.Next(1 << 18);
                await file.SetLengthAsync(length);
                model.SetLength(length);
                break;
            case 6:
                var (start, count) = (random.Next(end + 1), random.Next(8 * Page));
                await file.PunchHoleAsync(start, count);
                model.Punch(start, count);
                break;
            case 7:
                await file.FlushAsync();
                break;
        }

        Check(file, model, random.Next((int)model.Length + 1), random.Next(6 * Page), where);
    }

    private static void Check(MappedFile file, ModelFile model, int offset, int count, string where)
    {
        var read = new byte[count];
        var fault = model.FaultOf(offset, read.AsSpan(0, file.Read(offset, read)), count);
        Assert.True(fault is null, $"{where}: {fault}");
    }
}
