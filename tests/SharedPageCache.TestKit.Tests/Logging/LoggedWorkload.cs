namespace SharedPageCache.TestKit.Tests.Logging;

/// <summary>
/// Random changes of the files of a world, one after the other, beside a model; each state of the model is kept with the
/// log's end, until something newer was promised.
/// </summary>
internal sealed class LoggedWorkload(LoggedWorld world, ulong seed)
{
    private const int MostPages = 6;

    private readonly Dice _dice = new(seed);
    private readonly List<(Lsn End, SortedDictionary<string, byte[][]> State)> _states = [(Lsn.None, [])];
    private readonly Dictionary<string, Lsn> _newestOf = [];
    private int _version;
    private int _names;

    public SortedDictionary<string, byte[][]> Now => _states[^1].State;

    public int AllowedStates => _states.Count;

    public bool IsAllowed(SortedDictionary<string, byte[][]> found) => _states.Exists(state => LoggedWorld.AreEqual(state.State, found));

    /// <summary>Does something. If it throws, it may have happened or not.</summary>
    public async Task StepAsync()
    {
        if (Now.Count == 0)
        {
            await CreateAsync();
            return;
        }

        var name = Now.Keys.ElementAt(_dice.Below(Now.Count));
        var file = world.Engine.OpenFile(name);
        switch (_dice.Below(16))
        {
            case 0 when Now.Count < 5:
                await CreateAsync();
                break;
            case 1 or 2 when Now.Count < 5:
                var clone = $"clone {++_names}";
                await ChangeAsync(state => state.Add(clone, [.. state[name]]), () => file.CloneAsync(clone));
                break;
            case 3 when _dice.OneIn(2):
                await ChangeAsync(state => state.Remove(name), file.DeleteAsync);
                break;
            case 4:
                await SetPagesAsync(name, file);
                break;
            case 5 when file.Pages > 0:
                var (first, count) = (_dice.Below((int)file.Pages), 1 + _dice.Below(3));
                await ChangeAsync(
                    state => Array.Fill(state[name], new byte[LoggedWorld.Payload], first, (int)Math.Min(count, file.Pages - first)),
                    () => file.PunchAsync(first, count));
                break;
            case 6 or 7:
                var end = world.Engine.LogEnd;
                await world.Engine.CommitAsync();
                Promised(end);
                break;
            case 8 or 9 or 10:
                await file.FlushAsync();
                Promised(_newestOf.GetValueOrDefault(name));
                break;
            case 11 when _dice.OneIn(2):
                end = world.Engine.LogEnd;
                await world.Volume.FlushAsync();
                Promised(end);
                break;
            case 12 when _dice.OneIn(3):
                end = world.Engine.LogEnd;
                await world.Engine.CheckpointAsync();
                Promised(end);
                break;
            default:
                await UpdateAsync(name, file);
                break;
        }
    }

    private async Task CreateAsync()
    {
        var name = $"file {++_names}";
        await ChangeAsync(state => state.Add(name, []), () => world.Engine.CreateFileAsync(name, 0));
        await SetPagesAsync(name, world.Engine.OpenFile(name));
    }

    private async Task SetPagesAsync(string name, LoggedFile file)
    {
        var pages = 1 + _dice.Below(MostPages);
        await ChangeAsync(
            state =>
            {
                var content = state[name];
                var old = content.Length;
                Array.Resize(ref content, pages);
                for (var page = old; page < pages; page++)
                {
                    content[page] = new byte[LoggedWorld.Payload];
                }

                state[name] = content;
            },
            () => file.SetPagesAsync(pages));
    }

    private async Task UpdateAsync(string name, LoggedFile file)
    {
        if (file.Pages == 0)
        {
            return;
        }

        var page = _dice.Below((int)file.Pages);
        var (offset, length) = _dice.OneIn(3) ? (0, LoggedWorld.Payload) : (_dice.Below(500), 1 + _dice.Below(500));
        var bytes = new PageTag(1, 1, page, ++_version).ToBytes(length);
        await ChangeAsync(
            state =>
            {
                var content = state[name][page].ToArray();
                bytes.CopyTo(content, offset);
                state[name][page] = content;
            },
            async () => _newestOf[name] = await file.UpdateAsync(page, offset, bytes));
    }

    /// <summary>Changes the model and the files. The new state counts from before the change: whoever is cut may have made it.</summary>
    private async Task ChangeAsync(Action<SortedDictionary<string, byte[][]>> model, Func<Task> change)
    {
        var next = new SortedDictionary<string, byte[][]>(StringComparer.Ordinal);
        foreach (var (name, pages) in Now)
        {
            next.Add(name, [.. pages]);
        }

        model(next);
        _states.Add((new Lsn(ulong.MaxValue), next));
        await change();
        _states[^1] = (world.Engine.LogEnd, next);
    }

    /// <summary>The log is durable up to a record: older states are out of the question.</summary>
    private void Promised(Lsn lsn)
    {
        var last = _states.FindLastIndex(state => state.End <= lsn);
        if (last > 0)
        {
            _states.RemoveRange(0, last);
        }
    }
}
