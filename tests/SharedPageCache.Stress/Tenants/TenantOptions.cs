namespace SharedPageCache.Stress.Tenants;

/// <summary>One round of the tenants' storm: all of it follows from the seed.</summary>
internal sealed record TenantOptions(ulong Seed, int Frames, int PageSize, int Pages, int Milliseconds, bool Fails, EvictionPolicy Policy)
{
    public static TenantOptions Of(ulong seed, int milliseconds)
    {
        var dice = new Dice(seed);
        return new TenantOptions(
            seed, dice.From(12, 40), 512 << dice.Below(4), dice.From(4, 24), milliseconds, !dice.OneIn(3), dice.Pick(Enum.GetValues<EvictionPolicy>()));
    }
}
