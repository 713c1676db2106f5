using SharedPageCache.Reflink.Native;

namespace SharedPageCache.Reflink;

/// <content>Equal ranges that the file system shares.</content>
internal sealed partial class WritableReflinkFile
{
    /// <summary>The most that file systems compare in one call.</summary>
    private const long ComparedAtOnce = 16 << 20;

    /// <summary>
    /// Has the file system share what is equal of two ranges, and asks for the extents again. What is on the disk is what counts, at the moment of each call: its content stays, whoever writes meanwhile.
    /// </summary>
    /// <returns>How many bytes are shared now.</returns>
    public long Dedupe(WritableReflinkFile source, long sourceOffset, long offset, long length, CancellationToken cancellationToken)
    {
        var block = Volume.BlockSize;
        var head = -sourceOffset & (block - 1);
        if (((sourceOffset - offset) & (block - 1)) != 0 || length <= head)
        {
            return 0;
        }

        (sourceOffset, offset, length) = (sourceOffset + head, offset + head, length - head);
        var endsWithBoth = sourceOffset + length == RandomAccess.GetLength(source.Handle) && offset + length == RandomAccess.GetLength(Handle);
        length = endsWithBoth ? length : length & -block;
        var done = 0L;
        lock (_shape)
        {
            _isUntouchedClone = false;
        }

        try
        {
            while (done < length)
            {
                cancellationToken.ThrowIfCancellationRequested();
                source.ThrowIfRefused();
                ThrowIfRefused();
                var shared = WritableFile.Dedupe(
                    source.Handle, sourceOffset + done, Handle, offset + done, Math.Min(length - done, ComparedAtOnce), Path);
                if (shared == 0)
                {
                    // The call says only that they differ somewhere: block by block to the first that does.
                    return done + DedupeBlocks(source, sourceOffset + done, offset + done, Math.Min(length - done, ComparedAtOnce));
                }

                done += shared;
            }

            return done;
        }
        finally
        {
            Revalidate();
        }
    }

    /// <summary>Of a range that is not equal as a whole, shares the beginning that is: the difference is looked for by halves.</summary>
    private long DedupeBlocks(WritableReflinkFile source, long sourceOffset, long offset, long length)
    {
        var done = 0L;
        for (var differing = length; differing > Volume.BlockSize;)
        {
            var half = Math.Max(Volume.BlockSize, differing / 2 & -(long)Volume.BlockSize);
            var shared = WritableFile.Dedupe(source.Handle, sourceOffset + done, Handle, offset + done, half, Path);
            done += shared;
            differing = shared == 0 ? half : differing - shared;
        }

        return done;
    }
}
