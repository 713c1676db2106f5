using SharedPageCache.Cow.Disk;

namespace SharedPageCache.Cow;

/// <summary>What a file may be called: 1 to 255 bytes of well-formed UTF-8, whatever the characters.</summary>
internal static class FileName
{
    public static void Check(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        int length;
        try
        {
            length = NodeFormat.Names.GetByteCount(name);
        }
        catch (System.Text.EncoderFallbackException error)
        {
            throw new ArgumentException("A name must be well-formed Unicode.", nameof(name), error);
        }

        if (length > NodeFormat.LongestName)
        {
            throw new ArgumentException(
                $"A name has at most {NodeFormat.LongestName} bytes of UTF-8; this one has {length}.", nameof(name));
        }
    }

    public static void CheckFree(VolumeState volume, string name)
    {
        if (volume.Names.ContainsKey(name))
        {
            throw new IOException($"The volume {volume.Name} has a file named '{name}' already.");
        }
    }
}
