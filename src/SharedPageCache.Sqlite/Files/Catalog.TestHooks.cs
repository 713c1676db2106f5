namespace SharedPageCache.Sqlite.Files;

/// <content>What tests look at.</content>
internal sealed partial class Catalog
{
    /// <summary>Called before a super-journal is deleted, with no lock held.</summary>
    public Action? BeforeSuperJournal { get; set; }

    private void PassMoment(string name)
    {
        if (OwnerOf(name) is { } owner)
        {
            owner.PassMoment();
        }
        else
        {
            BeforeSuperJournal?.Invoke();
        }
    }
}
