namespace SharedPageCache.Cow;

/// <summary>What lies on the disk is no volume, or one whose metadata has been damaged. Nothing was changed.</summary>
public sealed class VolumeCorruptException : IOException
{
    /// <summary>Makes the exception.</summary>
    /// <param name="reason">What is wrong, with the numbers.</param>
    public VolumeCorruptException(string reason)
        : base($"The volume cannot be opened: {reason}.")
    {
    }
}
