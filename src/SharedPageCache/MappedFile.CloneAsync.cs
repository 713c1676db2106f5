using SharedPageCache.Concurrency;
using SharedPageCache.Mappings;

namespace SharedPageCache;

/// <content>Clones that are a system call.</content>
public sealed partial class MappedFile
{
    /// <summary>Clones the file, also where the engine's clone is a system call or does I/O.</summary>
    /// <param name="options">Identity, name and domain of the clone, and whether it is sealed; default an anonymous file in the same domain.</param>
    /// <param name="cancellationToken">Cancels the engine's operation where it can.</param>
    /// <returns>The clone, which the caller disposes.</returns>
    /// <remarks>
    /// A clone by a system call shows what the engine holds. So what is dirty is written back first, and no write-back and
    /// no change of the file's shape comes between that and the moment when the clone is there; writes go on meanwhile, and
    /// the clone has those that were done by then. An engine that needs nothing else flushed for it (<see cref="IPromptCloneableExtentMap"/>) is
    /// asked without a flush while no page of the file is dirty.
    /// </remarks>
    /// <exception cref="ArgumentException">The id is open already.</exception>
    /// <exception cref="CacheCapacityException">Metadata has used up the memory limit.</exception>
    /// <exception cref="CacheWritebackException">What is dirty could not be written back; there is no clone.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public async ValueTask<MappedFile> CloneAsync(
        FileOpenOptions? options = null, CancellationToken cancellationToken = default)
    {
        EngineCode.ThrowIfInCallback();
        if (_mapping.Extents is not IAsyncCloneableExtentMap cloneable)
        {
            return Clone(options);
        }

        ThrowIfUnusable(0);
        _engine.ThrowIfMetadataFull();
        var terms = FileOpenOptions.TermsOf(options, _mapping.Domain);
        _mapping.Volume.ThrowIfOpen(terms.Id);
        FileMapping? clone = null;
        if (cloneable is IPromptCloneableExtentMap prompt)
        {
            await CacheEngine.IfCleanAsync(_mapping, () => clone = TryCloneByEngine(prompt, terms), cancellationToken).ConfigureAwait(false);
        }

        if (clone is null)
        {
            await CacheEngine.FlushThenAsync(
                _mapping, async () => clone = await CloneByEngineAsync(cloneable, terms, cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
        }

        return new MappedFile(Volume, _engine, clone!);
    }

    private FileMapping? TryCloneByEngine(IPromptCloneableExtentMap cloneable, FileTerms terms)
    {
        const string Call = $"{nameof(IPromptCloneableExtentMap)}.{nameof(IPromptCloneableExtentMap.TryClone)}";
        var cookie = _mapping.TakeCookie();
        return EngineCode.Call(_mapping.Volume, 0, Call, cloneable.TryClone) is { } extents ? _mapping.AddClone(extents, cookie, terms) : null;
    }

    private async ValueTask<FileMapping> CloneByEngineAsync(IAsyncCloneableExtentMap cloneable, FileTerms terms, CancellationToken cancellationToken)
    {
        const string Call = $"{nameof(IAsyncCloneableExtentMap)}.{nameof(IAsyncCloneableExtentMap.CloneAsync)}";
        var cookie = _mapping.TakeCookie();
        IExtentMap? extents = null;
        await EngineCode.CallAsync(
            _mapping.Volume, 0, Call, async () => extents = await cloneable.CloneAsync(cancellationToken).ConfigureAwait(false)).ConfigureAwait(false);
        return extents is not null
            ? _mapping.AddClone(extents, cookie, terms)
            : throw new InvalidOperationException($"{cloneable.GetType().Name}.CloneAsync returned null.");
    }
}
