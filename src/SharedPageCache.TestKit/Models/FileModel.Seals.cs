namespace SharedPageCache.TestKit.Models;

/// <content>Files that stay as they are.</content>
public sealed partial class FileModel
{
    /// <summary>Most files are left that can be written.</summary>
    private bool MayBeSealed => _files.Count(static file => file.IsSealed) < (_files.Count + 1) / 3;

    private async ValueTask SealAsync(ModelledFile file)
    {
        if (!MayBeSealed)
        {
            await ReadAsync(file).ConfigureAwait(false);
        }
        else if (_files.Count < _shape.MostFiles && _dice.OneIn(2))
        {
            await CloneAsync(file, isSealed: true).ConfigureAwait(false);
        }
        else
        {
            HandleOf(file).Seal();
            file.Seal();
            Require(HandleOf(file) is { IsSealed: true, CanWrite: false }, $"file {file.Number} says that it is not sealed");
            await CheckAsync(file, 0, _longest + 1).ConfigureAwait(false);
        }
    }

    /// <summary>What would change a sealed file is refused, unless it has nothing to do, and changes nothing.</summary>
    private async ValueTask TryInVainAsync(ModelOperation operation, ModelledFile file)
    {
        try
        {
            await DoAsync(operation, file).ConfigureAwait(false);
        }
        catch (NotSupportedException)
        {
            Refusals++;
            await CheckAsync(file, 0, _longest + 1).ConfigureAwait(false);
        }

        Require(file.Content.Bytes.SequenceEqual(file.Sealed!.Bytes), $"file {file.Number} was changed, and is sealed");
    }
}
