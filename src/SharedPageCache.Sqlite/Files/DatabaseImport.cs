namespace SharedPageCache.Sqlite.Files;

/// <summary>Copies a database file into the store: all of it, under its name only when it is complete.</summary>
internal static class DatabaseImport
{
    private const int PieceBytes = 1 << 20;

    public static async Task RunAsync(Catalog catalog, string path, string name, CancellationToken cancellationToken)
    {
        foreach (var suffix in new[] { DatabaseName.JournalSuffix, DatabaseName.WalSuffix })
        {
            if (new FileInfo(path + suffix) is { Exists: true, Length: > 0 })
            {
                throw new InvalidDataException(
                    $"'{path}' has a '{suffix}' beside it: its last state is not in the file alone. Open and close it with SQLite first.");
            }
        }

        using var source = File.OpenHandle(path, options: FileOptions.Asynchronous | FileOptions.SequentialScan);
        if (!DatabaseHead.IsIn(source))
        {
            throw new InvalidDataException($"'{path}' is no SQLite database: it does not begin with 'SQLite format 3'.");
        }

        var file = catalog.MakeNameless();
        try
        {
            var buffer = new byte[PieceBytes];
            for (var offset = 0L; ; )
            {
                var read = await RandomAccess.ReadAsync(source, buffer, offset, cancellationToken).ConfigureAwait(false);
                if (read == 0)
                {
                    break;
                }

                file.Write(buffer.AsSpan(0, read), offset);
                offset += read;
            }

            // The name may become durable with anybody's sync; by then the content is.
            await file.Pages.FlushAsync(cancellationToken).ConfigureAwait(false);
            catalog.AddFilled(file, name);
        }
        catch
        {
            file.GiveUp();
            throw;
        }
    }
}
