using System.Globalization;
using SharedPageCache.Reflink.Tests.Mounts;
using static SharedPageCache.Reflink.Tests.Mounts.FileSystemKind;

namespace SharedPageCache.Reflink.Tests.Writing;

/// <summary>
/// Random histories of some files on a real file system against plain arrays: what the cache shows at every moment, and what
/// a plain reader finds after a flush.
/// </summary>
/// <remarks>
/// Replay one by setting REFLINK_SEED to the seed that a failure prints. REFLINK_STEPS makes longer ones, REFLINK_HISTORIES more of
/// them: what goes wrong only when write-back comes between two steps wants many, on a machine with other work.
/// </remarks>
public sealed class WriteModelTests(MountedFileSystems fileSystems) : WritingTest(fileSystems)
{
    private const int MaxFiles = 6;
    private const int MaxLength = 60 * Page;

    [Theory]
    [OnFileSystem(Xfs, 4096, 1 << 20, 3_600_000)]
    [OnFileSystem(Btrfs, 4096, 1 << 20, 3_600_000)]
    [OnFileSystem(Xfs, 4096, 192 << 10, 10)]
    [OnFileSystem(Btrfs, 4096, 192 << 10, 10)]
    [OnFileSystem(Xfs, 16384, 1 << 20, 20)]
    [OnFileSystem(Btrfs, 8192, 512 << 10, 20)]
    [OnFileSystem(CompressedBtrfs, 4096, 256 << 10, 10)]
    public async Task Every_file_always_shows_what_was_written_to_it(FileSystemKind kind, int pageSize, int capacity, int ageMilliseconds)
    {
        UseWritableCache(capacity, pageSize, TimeSpan.FromMilliseconds(ageMilliseconds));
        await RunAsync(random => new History(this, FolderOn(kind), random, filler: null));
    }

    /// <summary>Now and then another program takes all the room: whatever fails for it is done again when there is some.</summary>
    [Theory]
    [OnFileSystem(Xfs, 1 << 20)]
    [OnFileSystem(Btrfs, 1 << 20)]
    [OnFileSystem(Xfs, 192 << 10)]
    [OnFileSystem(Btrfs, 192 << 10)]
    public async Task Nothing_is_lost_when_the_device_is_full_now_and_then(FileSystemKind kind, int capacity)
    {
        UseWritableCache(capacity, Page, TimeSpan.FromMilliseconds(15));
        using var mount = LoopMount.Make(kind, 320L << 20);
        try
        {
            await RunAsync(random => new History(
                this, Directory.CreateDirectory(Path.Combine(mount.Root, Guid.NewGuid().ToString("n"))).FullName, random, Path.Combine(mount.Root, "filler")));
        }
        finally
        {
            Store.Dispose();
        }
    }

    private static int? Setting(string name) =>
        Environment.GetEnvironmentVariable(name) is { } given ? int.Parse(given, CultureInfo.InvariantCulture) : null;

    private async Task RunAsync(Func<Random, History> begin)
    {
        for (var i = 0; i < (Setting("REFLINK_HISTORIES") ?? 1); i++)
        {
            var seed = Setting("REFLINK_SEED") ?? Random.Shared.Next();
            await RunAsync(begin(new Random(seed)), seed, Setting("REFLINK_STEPS") ?? 300);
        }
    }

    private async Task RunAsync(History history, int seed, int steps)
    {
        try
        {
            for (var step = 0; step < steps; step++)
            {
                await history.StepAsync();
                if (step % 50 == 49)
                {
                    Verify();
                }
            }

            await history.EndAsync();
        }
        catch (Exception error)
        {
            throw new Xunit.Sdk.XunitException(
                $"REFLINK_SEED={seed}: {error}\n{string.Join('\n', history.Log.TakeLast(25))}");
        }
    }

    private sealed class History(WriteModelTests test, string folder, Random random, string? filler)
    {
        private readonly List<(ReflinkedFile File, byte[] Content)> _files = [];
        private int _names;

        public List<string> Log { get; } = [];

        public async Task StepAsync()
        {
            if (filler is not null && random.Next(20) == 0 && !File.Exists(filler))
            {
                Log.Add("full");
                WritingTroubleTests.Fill(filler);
            }

            if (_files.Count == 0)
            {
                MakeRoom();
                Create();
            }

            var index = random.Next(_files.Count);
            var (file, content) = _files[index];
            switch (random.Next(100))
            {
                case < 40:
                    var offset = random.Next(Math.Min(MaxLength, content.Length + 2 * Page));
                    var length = random.Next(4) == 0 ? random.Next(1, 8 * Page) : random.Next(1, 300);
                    if (random.Next(3) == 0)
                    {
                        (offset, length) = (offset & -Page, (length + Page - 1) & -Page);
                    }

                    Note($"write {offset} {length}", file);
                    var bytes = Content(length);
                    await TryAsync(() => file.File.WriteAsync(offset, bytes));
                    _files[index] = (file, Overlaid(content, offset, bytes));
                    break;
                case < 55:
                    Read(file, content);
                    break;
                case < 62:
                    var newLength = random.Next(5) == 0 ? 0 : random.Next(2) == 0
                        ? random.Next(content.Length + 1) : Math.Min(MaxLength, content.Length + random.Next(3 * Page));
                    Note($"length {newLength}", file);
                    await TryAsync(() => file.File.SetLengthAsync(newLength));
                    Array.Resize(ref content, newLength);
                    _files[index] = (file, content);
                    break;
                case < 70:
                    var start = random.Next(content.Length + 1);
                    var hole = random.Next(content.Length - start + 1);
                    Note($"punch {start} {hole}", file);
                    await TryAsync(() => file.File.PunchHoleAsync(start, hole));
                    content = [.. content];
                    content.AsSpan(start, hole).Clear();
                    _files[index] = (file, content);
                    break;
                case < 80:
                    Note("flush", file);
                    await TryAsync(() => file.File.FlushAsync());
                    AssertOnDisk(content, file.Path);
                    break;
                case < 84:
                    Note("flush all", file);
                    await TryAsync(() => file.File.Volume.FlushAsync());
                    _files.ForEach(static each => AssertOnDisk(each.Content, each.File.Path));
                    break;
                case < 87:
                    await CloneRangeAsync(index);
                    break;
                case < 91:
                    if (_files.Count < MaxFiles)
                    {
                        Note("clone", file);
                        var name = NewName();
                        await TryAsync(async () => _files.Add((await file.CloneAsync(name), content)));
                    }

                    break;
                case < 93:
                    Note("reopen", file);
                    MakeRoom();
                    file.Dispose();
                    AssertOnDisk(content, file.Path);
                    _files[index] = (test.Store.OpenForWriting(file.Path), content);
                    break;
                case < 95:
                    Note("delete", file);
                    MakeRoom();
                    file.File.Delete();
                    file.Dispose();
                    Assert.False(File.Exists(file.Path));
                    _files.RemoveAt(index);
                    break;
                case < 98:
                    await CopyByOthersAsync(file, content);
                    break;
                default:
                    file.Revalidate();
                    break;
            }

            var (any, expected) = _files.Count == 0 ? default : _files[random.Next(_files.Count)];
            if (any is not null)
            {
                Read(any, expected);
            }
        }

        private async Task CloneRangeAsync(int index)
        {
            var (file, content) = _files[index];
            var (source, bytes) = _files[random.Next(_files.Count)];
            var (from, to) = (random.Next(bytes.Length + 1), random.Next(Math.Min(MaxLength, content.Length + Page)));
            if (random.Next(4) > 0)
            {
                (from, to) = random.Next(2) == 0 ? (from & -Page, to & -Page) : (from, (to & -Page) + (from & (Page - 1)));
            }

            var length = random.Next(Math.Min(bytes.Length - from, MaxLength) + 1);
            if (((from - to) & (file.File.Volume.PageSize - 1)) != 0)
            {
                // All of it is copied.
                length = (int)Math.Min(length, file.File.MaxAtomicWrite - file.File.Volume.PageSize);
            }

            Note($"clone {length} from {from} of {Path.GetFileName(source.Path)} to {to}", file);
            await TryAsync(async () => Assert.Equal(length, await file.CloneRangeAsync(source, from, to, length)));
            _files[index] = (file, length == 0 ? content : Overlaid(content, to, bytes[from..(from + length)]));
        }

        public async Task EndAsync()
        {
            MakeRoom();
            foreach (var (file, content) in _files)
            {
                AssertContent(content, file);
                await TryAsync(() => file.File.FlushAsync());
                await file.DisposeAsync();
                AssertOnDisk(content, file.Path);
            }

            test.Verify();
            Assert.Equal(0, test.Figures.DirtyBytes);
            Assert.Equal(0, test.Figures.OpenFiles);
        }

        /// <summary>Does something; if it fails because there is no room, again when there is.</summary>
        private async Task TryAsync(Func<ValueTask> act)
        {
            // Once because there is no room, and once more because a failure in the background is told afterwards.
            for (var attempt = filler is null ? 2 : 0; ; attempt++)
            {
                try
                {
                    await act();
                    return;
                }
                catch (IOException error) when (attempt < 2)
                {
                    Log.Add($"failed: {error.Message}");
                    MakeRoom();
                }
            }
        }

        private void MakeRoom()
        {
            if (filler is not null && File.Exists(filler))
            {
                Log.Add("room");
                File.Delete(filler);
                Command.Run("sync", "-f", folder);
            }
        }

        private void Create()
        {
            var content = Content(random.Next(20 * Page));
            _files.Add((test.OpenNew(NewName(), content), content));
            Note("create", _files[^1].File);
        }

        /// <summary>Another program makes a reflink, which is opened for reading and for itself.</summary>
        private async Task CopyByOthersAsync(ReflinkedFile file, byte[] content)
        {
            Note("copy", file);
            MakeRoom();
            await TryAsync(() => file.File.FlushAsync());
            var name = NewName();
            File.Copy(file.Path, name);
            using (var copy = test.Store.Open(name))
            {
                AssertContent(content, copy);
                file.File.Write(0, content.AsSpan(0, Math.Min(content.Length, 10)));
                AssertContent(content, copy);
            }

            File.Delete(name);
        }

        private void Read(ReflinkedFile file, byte[] content)
        {
            Assert.Equal(content.Length, file.File.Length);
            var offset = random.Next(content.Length + 1);
            var buffer = new byte[Math.Min(content.Length - offset, random.Next(1, 6 * Page))];
            Assert.Equal(buffer.Length, file.File.Read(offset, buffer));
            var expected = content.AsSpan(offset, buffer.Length);
            Assert.True(
                expected.SequenceEqual(buffer),
                $"{Path.GetFileName(file.Path)} differs at {offset + expected.CommonPrefixLength(buffer)}, read from {offset} on.");
        }

        private byte[] Content(int length)
        {
            var bytes = new byte[length];
            random.NextBytes(bytes);
            if (random.Next(3) == 0)
            {
                // Something to compress.
                bytes.AsSpan(length / 4).Fill((byte)random.Next(256));
            }

            return bytes;
        }

        private string NewName() => Path.Combine(folder, $"{_names++}");

        private void Note(string what, ReflinkedFile file) => Log.Add($"{what} ({Path.GetFileName(file.Path)}, {file.File.Length} bytes)");
    }
}
