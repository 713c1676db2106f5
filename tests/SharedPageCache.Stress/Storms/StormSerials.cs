namespace SharedPageCache.Stress.Storms;

/// <summary>Gives each write of a storm its number, and remembers what it was for the message of a failure.</summary>
internal sealed class StormSerials
{
    private readonly Lock _lock = new();
    private readonly List<string> _notes = ["zero"];

    public long Next(string note)
    {
        lock (_lock)
        {
            _notes.Add(note);
            return _notes.Count - 1;
        }
    }

    public string Explain(long serial)
    {
        lock (_lock)
        {
            return serial >= 0 && serial < _notes.Count ? $"write {serial} ({_notes[(int)serial]})" : $"unknown write {serial}";
        }
    }
}
