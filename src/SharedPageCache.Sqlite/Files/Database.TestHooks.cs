namespace SharedPageCache.Sqlite.Files;

/// <content>What tests look at.</content>
internal sealed partial class Database
{
    /// <summary>Called before each change of one of the files, with no lock held.</summary>
    public Action? BeforeChange { get; set; }
}
