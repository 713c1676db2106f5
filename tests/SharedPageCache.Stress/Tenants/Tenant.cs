namespace SharedPageCache.Stress.Tenants;

/// <summary>
/// One tenant: a thread that clones what it is allowed to see, writes, punches, leases, closes and deletes, and looks at every
/// byte that the cache shows it or leaves in its buffers.
/// </summary>
internal sealed class Tenant(TenantOptions options, TenantVolume volume, int number, SecurityDomain domain)
{
    private const int MostFiles = 4;

    private readonly Dice _dice = new(Dice.Mix(options.Seed, (ulong)number));
    private readonly List<TenantFile> _files = [];
    private readonly byte[] _buffer = new byte[options.PageSize];
    private readonly FileOpenOptions _open = new() { Domain = domain };
    private int _lineage;
    private int _version;

    public long Operations { get; private set; }

    public long WordsChecked { get; private set; }

    public long Refusals { get; private set; }

    public void Step()
    {
        Operations++;
        if (_files.Count == 0 || (_files.Count < MostFiles && _dice.OneIn(12)))
        {
            Open();
            return;
        }

        var file = _files[_dice.Below(_files.Count)];
        var page = _dice.Below(options.Pages);
        try
        {
            switch (_dice.Below(20))
            {
                case < 8:
                    Read(file, page);
                    break;
                case < 13:
                    Write(file, page);
                    break;
                case 13:
                    file.File.PunchHole(page * (long)options.PageSize, options.PageSize);
                    file.Pages[page] = default;
                    break;
                case 14 or 15:
                    WriteUnderLease(file, page);
                    break;
                case 16:
                    file.File.FlushAsync().AsTask().GetAwaiter().GetResult();
                    break;
                case 17:
                    _files.Remove(file);
                    file.File.Delete();
                    break;
                case 18 when _files.Count < MostFiles:
                    _files.Add(new TenantFile(volume.Clone(number, file.File, _open), [.. file.Pages]));
                    break;
                default:
                    AskAbout(file);
                    break;
            }
        }
        catch (Exception error) when (options.Fails && error is PageLoadException or CacheWritebackException)
        {
            // The tenant is told, and in terms of its own file.
            Refusals++;
            var told = (error as PageLoadException)?.FileName ?? (error as CacheWritebackException)?.FileName;
            Require(told == _open.Name || told == volume.Volume.Name, $"was told of a failure in '{told}'");
        }
    }

    /// <summary>With the device healed: every page of every file is what it should be, and goes.</summary>
    public void Finish()
    {
        foreach (var file in _files)
        {
            for (var page = 0; page < options.Pages; page++)
            {
                Read(file, page);
            }

            file.File.Delete();
        }

        _files.Clear();
    }

    private void Open()
    {
        _open.Name = $"a file of tenant {number}";
        var tags = new PageTag[options.Pages];
        if (_dice.OneIn(2))
        {
            for (var page = 0; page < options.Pages; page++)
            {
                tags[page] = TenantVolume.GoldenTag(page);
            }

            _files.Add(new TenantFile(volume.Clone(number, volume.Original, _open), tags));
            return;
        }

        _files.Add(new TenantFile(volume.OpenNew(number, _open, options.Pages * (long)options.PageSize), tags));
    }

    private void Read(TenantFile file, int page)
    {
        // What was in the buffer before is the tenant's own: whatever happens, nothing else may be in it afterwards.
        new PageTag(number, 0, 0, 1).Fill(_buffer);
        var offset = page * (long)options.PageSize;
        try
        {
            if (!_dice.OneIn(2) || !file.File.TryRead(offset, _buffer, out var read))
            {
                Require(WatchedDevice.ForeignWord(_buffer, number) is null, $"found foreign bytes after a read that did not succeed");
                read = file.File.Read(offset, _buffer);
            }

            Require(read == options.PageSize, $"read {read} bytes");
            Check(file, page, _buffer);
        }
        catch (PageLoadException)
        {
            WordsChecked += _buffer.Length / 8;
            Require(WatchedDevice.ForeignWord(_buffer, number) is not { } word, $"found foreign bytes after a failed read");
            throw;
        }
    }

    private void Write(TenantFile file, int page)
    {
        var tag = NextTag(page);
        tag.Fill(_buffer);
        file.File.Write(page * (long)options.PageSize, _buffer);
        file.Pages[page] = tag;
    }

    /// <summary>The shape of CVE-2020-29374: what is leased does not change, whoever is the last that shows it and writes.</summary>
    private void WriteUnderLease(TenantFile file, int page)
    {
        if (!file.File.TryPin(page * (long)options.PageSize, out var lease))
        {
            return;
        }

        using (lease)
        {
            Check(file, page, lease.Span);
            var before = new TenantFile(file.File, [.. file.Pages]);
            if (_dice.OneIn(2))
            {
                Write(file, page);
            }
            else
            {
                // By a clone, and then the leased file is the one that stays behind.
                var clone = new TenantFile(volume.Clone(number, file.File, _open), [.. file.Pages]);
                try
                {
                    Write(clone, page);
                }
                finally
                {
                    clone.File.Delete();
                }
            }

            Check(before, page, lease.Span);
        }
    }

    private void AskAbout(TenantFile file)
    {
        var report = volume.Volume.GetReport(domain);
        Require(report.OpenFiles >= _files.Count, $"has {_files.Count} files open and is told of {report.OpenFiles}");
        var mine = _files.ConvertAll(static known => known.File.Extents);
        var block = _dice.Below(options.Pages * 8) * (long)options.PageSize;
        foreach (var place in volume.Volume.FindReferences(new BlockRun(block, 4L * options.PageSize), domain))
        {
            Require(mine.Contains(place.Extents), $"was told that file {place.Name} shows {place.Blocks}");
        }

        Require(file.File.Domain == domain, "has a file in another domain");
    }

    private void Check(TenantFile file, int page, ReadOnlySpan<byte> bytes)
    {
        WordsChecked += bytes.Length / 8;
        var fault = file.FaultOf(page, bytes);
        Require(fault is null, $"at page {page}: {fault}");
    }

    private PageTag NextTag(int page)
    {
        _version = _version % 1_000_000 + 1;
        _lineage = (_lineage + 1) % 2048;
        return new PageTag(number, _lineage, page, _version);
    }

    private void Require(bool condition, string what) => Assert.True(condition, $"Tenant {number} ({domain}) {what}. {options}");
}
