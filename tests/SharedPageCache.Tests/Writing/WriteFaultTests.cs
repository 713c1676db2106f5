using SharedPageCache.Tests.Support;
using Xunit.Abstractions;

namespace SharedPageCache.Tests.Writing;

/// <summary>
/// Fault enumeration in the manner of SQLite (T2, writing): each story is run again with its n-th call of the engine or
/// the device failing, n = 1, 2, … until it runs clean; once, and forever after. Then all is healed, flushed and compared.
/// A failed write loses nothing (C7), and errors are typed (C11).
/// </summary>
public sealed class WriteFaultTests(ITestOutputHelper output)
{
    private const int Page = 4096;

    private static readonly Dictionary<string, Func<Story, Task>> Stories = new()
    {
        ["write, flush"] = async story =>
        {
            story.Write(0, 100, 3 * Page);
            await story.FlushAsync();
        },
        ["write with a log number, flush"] = async story =>
        {
            story.Write(Page, 10, 20, new Lsn(7));
            await story.FlushAsync();
        },
        ["clone a dirty file, write both, flush"] = async story =>
        {
            story.Write(0, 5, Page);
            story.Clone(0);
            story.Write(0, 0, 2 * Page);
            story.Write(story.Count - 1, Page, 10);
            await story.FlushAsync();
        },
        ["overwrite during the write-back"] = async story =>
        {
            story.Write(0, 0, 4 * Page);
            story.DuringPlace(() => story.Write(0, Page, 2 * Page));
            await story.FlushAsync();
        },
        ["truncate during the write-back"] = async story =>
        {
            story.Write(0, 0, 6 * Page);
            story.DuringPlace(() => story.SetLength(0, (2 * Page) + 7));
            await story.FlushAsync();
            story.SetLength(0, 5 * Page);
            await story.FlushAsync();
        },
        ["punch during the write-back"] = async story =>
        {
            story.Write(0, 0, 6 * Page);
            story.DuringPlace(() => story.Punch(0, Page, 2 * Page));
            await story.FlushAsync();
        },
        ["clone and delete during the write-back"] = async story =>
        {
            story.Write(0, 0, 4 * Page);
            story.DuringPlace(() =>
            {
                story.Clone(0);
                story.Delete(0);
            });
            await story.FlushAsync();
        },
        ["delete during the write-back"] = async story =>
        {
            story.Write(0, 0, 4 * Page);
            story.DuringPlace(() => story.Delete(0));
            await story.FlushAsync();
        },
        ["close dirty, open again, flush"] = async story =>
        {
            story.Write(0, 9, 2 * Page);
            story.Reopen(0);
            story.Write(0, 3 * Page, 50);
            await story.FlushAsync();
        },
        ["clone a dirty range with edges into a clone, write both"] = async story =>
        {
            story.Write(0, 3, 2 * Page);
            story.Clone(0);
            story.Write(0, Page, Page);
            story.CloneRange(0, 100, story.Count - 1, (3 * Page) + 100, 3 * Page);
            story.Write(0, Page + 7, 10);
            story.Write(story.Count - 1, (4 * Page) + 9, 10);
            await story.FlushAsync();
        },
        ["clone a clean range inside a file, behind its end"] = async story =>
        {
            story.SetLength(0, (6 * Page) + 10);
            story.CloneRange(0, Page + 5, 0, (9 * Page) + 5, (2 * Page) + 3);
            await story.FlushAsync();
            story.SetLength(0, 14 * Page);
            await story.FlushAsync();
        },
        ["copy a range that lies differently"] = async story =>
        {
            story.Write(0, 0, 10);
            story.Clone(0);
            story.CloneRange(0, 1, story.Count - 1, (5 * Page) - 2, Page);
            await story.FlushAsync();
        },
        ["clone a range over pages that are being written back"] = async story =>
        {
            story.Write(0, 0, 6 * Page);
            story.DuringPlace(() => story.CloneRange(0, 0, 0, 4 * Page, 2 * Page));
            await story.FlushAsync();
        },
        ["dedupe with a clone"] = async story =>
        {
            story.Write(0, 0, Page);
            story.Clone(0);
            story.Write(story.Count - 1, (2 * Page) + 1, 1);
            story.Dedupe(0, story.Count - 1, 8 * Page);
            await story.FlushAsync();
        },
        ["punch and grow a clean file"] = async story =>
        {
            story.Punch(0, 0, Page);
            story.SetLength(0, (9 * Page) + 1);
            story.Write(0, 12 * Page, 10);
            await story.FlushAsync();
        },
    };

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Trait("Contract", "C7")]
    [Trait("Contract", "C11")]
    public async Task Every_call_of_engine_and_device_fails_once_and_forever(bool inPlace)
    {
        var runs = 0;
        foreach (var (name, tell) in Stories)
        {
            foreach (var forever in new[] { false, true })
            {
                for (var n = 1; ; n++)
                {
                    runs++;
                    var what = $"{name}: call {n} fails{(forever ? " and all after it" : "")}, {(inPlace ? "in place" : "elsewhere")}";
                    using var story = new Story(n, forever, inPlace);
                    try
                    {
                        await tell(story);
                        await story.HealAndCompareAsync();
                    }
                    catch (Exception error)
                    {
                        story.Abandon();
                        throw new InvalidOperationException($"{what} ({story.Failed}): {error.Message}", error);
                    }

                    if (story.Failed is null)
                    {
                        break;
                    }
                }
            }
        }

        output.WriteLine($"{Stories.Count} stories, {runs} runs");
    }

    private sealed class InjectedException(string call) : IOException($"the call of {call} fails.");

    /// <summary>Some files, what they should hold, and the call that fails.</summary>
    private sealed class Story : IDisposable
    {
        private readonly WriteCache _cache;
        private readonly List<(MappedFile File, byte[] Bytes)> _files = [];
        private readonly int _failing;
        private readonly bool _forever;
        private int _calls;
        private int _fill;
        private ulong _ids;
        private bool _isHealed;
        private bool _hasChangedMeanwhile;

        /// <summary>The engine has refused a placed run back: it is lost to it.</summary>
        private bool _keepsPlaced;

        public Story(int failing, bool forever, bool inPlace)
        {
            (_failing, _forever) = (failing, forever);
            // So many frames that nothing is written in the background: a story is told by one thread.
            _cache = new WriteCache(frames: 256, inPlace: inPlace);
            var extents = _cache.Engine.CreateMapped(8);
            var file = _cache.Volume.OpenFile(extents, 8 * Page, new FileOpenOptions { Id = FileId.FromNumber(++_ids), Name = "first" });
            _files.Add((file, _cache.Device.Copy(extents.Blocks[0] * Page, 8 * Page)));
            _cache.Engine.Before = Call;
            _cache.Device.BeforeRead = _ => { Call("read"); return Task.CompletedTask; };
            _cache.Device.BeforeWrite = _ => { Call("write"); return Task.CompletedTask; };
            _cache.Device.BeforeFlush = () => Call("flush");
        }

        public int Count => _files.Count;

        /// <summary>The call that failed first.</summary>
        public string? Failed { get; private set; }

        public void Write(int index, int offset, int count, Lsn lsn = default)
        {
            if (index >= Count)
            {
                return;
            }

            // One page after the other: each is written or not.
            for (var done = 0; done < count;)
            {
                var part = Math.Min(count - done, Page - ((offset + done) % Page));
                var bytes = new byte[part];
                Array.Fill(bytes, (byte)++_fill);
                var at = offset + done;
                Try(() => _files[index].File.Write(at, bytes, lsn), () =>
                {
                    Resize(index, Math.Max(_files[index].Bytes.Length, at + part));
                    bytes.CopyTo(_files[index].Bytes, at);
                });
                Resize(index, (int)_files[index].File.Length);
                done += part;
            }
        }

        public void SetLength(int index, int length) =>
            Try(() => _files[index].File.SetLengthAsync(length).AsTask().GetAwaiter().GetResult(), () => Resize(index, length));

        public void Punch(int index, int offset, int length) => Try(
            () => _files[index].File.PunchHoleAsync(offset, length).AsTask().GetAwaiter().GetResult(),
            () => _files[index].Bytes.AsSpan(offset, length).Clear());

        public void Clone(int index)
        {
            MappedFile? clone = null;
            Try(
                () => clone = _files[index].File.Clone(new FileOpenOptions { Id = FileId.FromNumber(++_ids) }),
                () => _files.Add((clone!, [.. _files[index].Bytes])));
        }

        public void CloneRange(int source, int from, int index, int to, int count)
        {
            if (index < Count)
            {
                var dirty = _cache.Figures.DirtyBytes;
                var isDone = false;
                Try(() => _files[index].File.CloneRange(_files[source].File, from, to, count), () =>
                {
                    isDone = true;
                    Resize(index, Math.Max(_files[index].Bytes.Length, to + count));
                    _files[source].Bytes.AsSpan(from, count).ToArray().CopyTo(_files[index].Bytes, to);
                });
                var (file, bytes) = _files[index];
                Assert.Equal(bytes.Length, file.Length);
                Assert.True(isDone || _cache.Figures.DirtyBytes <= dirty + Page, "a range clone that failed has left more than the zeroed tail dirty");
            }
        }

        public void Dedupe(int source, int index, int count)
        {
            if (index < Count && index != source)
            {
                Try(() => _files[index].File.Dedupe(_files[source].File, 0, 0, count), static () => { });
            }
        }

        public void Delete(int index) => Try(_files[index].File.Delete, () => _files.RemoveAt(index));

        public void Reopen(int index)
        {
            var (file, bytes) = _files[index];
            file.Dispose();
            _files[index] = (_cache.Volume.OpenFile(file.Extents, bytes.Length, new FileOpenOptions { Id = file.Id }), bytes);
        }

        public void DuringPlace(Action action) => _cache.Engine.DuringPlace = () =>
        {
            _cache.Engine.DuringPlace = null;
            _hasChangedMeanwhile = true;
            action();
            return Task.CompletedTask;
        };

        public async Task FlushAsync()
        {
            try
            {
                await _cache.Volume.FlushAsync();
            }
            catch (CacheWritebackException error) when (!_isHealed)
            {
                _hasChangedMeanwhile = false;
                Assert.NotNull(Failed);
                Assert.IsType<InjectedException>(error.InnerException);
                var expected = Failed == "GetExtents" ? error.Step : Failed;
                Assert.True(error.Step == expected || _forever, $"step {error.Step}");
                var isOfVolume = error.Step is "Persist" || (error.Step == "Abandon" && error.Offset < 0);
                Assert.True(isOfVolume ? error.Offset == -1 : error.Offset >= 0 && !error.File.IsNone && error.Length > 0, error.Message);
                return;
            }

            if (Failed is "write" or "flush" or "Publish" or "Persist" or "Place" or "EnsureDurable")
            {
                // It failed in this flush or in an earlier one, which has said so; a fault for ever has failed in all.
                Assert.False(_forever && !_isHealed, "a flush over a failing engine says that all is well");
            }

            // A flush promises what was written before it was called.
            if (!_hasChangedMeanwhile)
            {
                AssertDurable();
            }

            _hasChangedMeanwhile = false;
        }

        public async Task HealAndCompareAsync()
        {
            _isHealed = true;
            _cache.Engine.DuringPlace = null;
            foreach (var (file, bytes) in _files)
            {
                AssertEqual(bytes, WriteTests.Read(file, 0, bytes.Length + Page), "read");
            }

            await FlushAsync();
            Assert.Equal(0, _cache.Figures.DirtyBytes);
            _cache.Cache.Verify();
            foreach (var (file, bytes) in _files)
            {
                AssertEqual(bytes, WriteTests.Read(file, 0, bytes.Length + Page), "read after the flush");
            }

            var shown = _files.SelectMany(static pair => ((PageEngine.PageFile)pair.File.Extents).Blocks.Values).Distinct().Count();
            if (!_keepsPlaced)
            {
                Assert.Equal(shown, _cache.Engine.BlocksInUse);
            }

            foreach (var (file, _) in _files)
            {
                file.Dispose();
            }

            Assert.Equal(0, _cache.Figures.OpenFiles);
        }

        public void Abandon() => _cache.Abandon();

        public void Dispose() => _cache.Dispose();

        private void AssertDurable()
        {
            foreach (var (file, bytes) in _files)
            {
                AssertEqual(bytes, _cache.DurableOf(file), "durable");
            }
        }

        private static void AssertEqual(byte[] expected, byte[] actual, string what)
        {
            Assert.True(expected.Length == actual.Length, $"{what}: {actual.Length} bytes, expected {expected.Length}");
            var wrong = expected.AsSpan().CommonPrefixLength(actual);
            Assert.True(wrong == expected.Length, $"{what}: wrong at {wrong} of {expected.Length}");
        }

        private void Resize(int index, int length)
        {
            var (file, bytes) = _files[index];
            Array.Resize(ref bytes, length);
            _files[index] = (file, bytes);
        }

        private void Call(string name)
        {
            if (!_isHealed && (++_calls == _failing || (_forever && _calls > _failing)))
            {
                Failed ??= name;
                _keepsPlaced |= name == "Abandon";
                throw new InjectedException(name);
            }
        }

        /// <summary>What fails has changed nothing, and its error is one of those that are documented.</summary>
        private static void Try(Action action, Action onSuccess)
        {
            try
            {
                action();
            }
            catch (Exception error) when (error is InjectedException or PageLoadException or ExtentMapException or CacheWritebackException)
            {
                return;
            }

            onSuccess();
        }
    }
}
