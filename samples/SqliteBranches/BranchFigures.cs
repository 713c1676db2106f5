using System.Text.Json.Serialization;

namespace SharedPageCache.Samples.SqliteBranches;

/// <summary>What the run has found; printed as JSON under these names.</summary>
internal sealed record BranchFigures
{
    [JsonPropertyName("source_bytes")]
    public required long SourceBytes { get; init; }

    [JsonPropertyName("branches")]
    public required int Branches { get; init; }

    /// <summary>The median time of one branch.</summary>
    [JsonPropertyName("branch_us_median")]
    public required double BranchMicroseconds { get; init; }

    [JsonPropertyName("branch_us_p99")]
    public required double BranchMicrosecondsP99 { get; init; }

    /// <summary>Making all branches durable, by one flush of the store.</summary>
    [JsonPropertyName("flush_ms")]
    public required double FlushMilliseconds { get; init; }

    /// <summary>Copying the database file, without a reflink.</summary>
    [JsonPropertyName("copy_ms")]
    public required double CopyMilliseconds { get; init; }

    [JsonPropertyName("vacuum_into_ms")]
    public required double VacuumIntoMilliseconds { get; init; }

    /// <summary>Pages in the cache when every branch has been read in full.</summary>
    [JsonPropertyName("resident_bytes")]
    public required long ResidentBytes { get; init; }

    /// <summary>What the cache uses for its books then.</summary>
    [JsonPropertyName("metadata_bytes")]
    public required long MetadataBytes { get; init; }

    /// <summary>The pages that the branches show then, each counted once: they are all the same, and as many as the main database's file has.</summary>
    [JsonPropertyName("distinct_bytes")]
    public required long DistinctBytes { get; init; }

    /// <summary>Blocks that the device was asked for while the branches were read.</summary>
    [JsonPropertyName("device_blocks_read")]
    public required long DeviceBlocksRead { get; init; }

    /// <summary>SQLite's own memory for as many ordinary connections, each of which has read: one measured, times the branches.</summary>
    [JsonPropertyName("ordinary_bytes")]
    public required long OrdinaryBytes { get; init; }

    /// <summary>SQLite's own memory for as many connections to branches, measured in the same way.</summary>
    [JsonPropertyName("connection_bytes")]
    public required long ConnectionBytes { get; init; }

    /// <summary>With a directory: what the kernel's page cache keeps of as many reflinks that were read; a few measured, times the branches.</summary>
    [JsonPropertyName("kernel_reflink_bytes"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? KernelReflinkBytes { get; init; }

    /// <summary>With a directory: the median time of the system call of a branch, FICLONE.</summary>
    [JsonPropertyName("ficlone_us_median"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? CallMicroseconds { get; init; }

    /// <summary>With a directory: the median time of a bare reflink of the same file, which is open, FICLONE and close; made in turns with the branches.</summary>
    [JsonPropertyName("reflink_us_median"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? ReflinkMicroseconds { get; init; }

    /// <summary>With a directory: the median of what a bare reflink took more than its own system call.</summary>
    [JsonPropertyName("reflink_above_ficlone_us_median"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? ReflinkAboveCallMicroseconds { get; init; }

    /// <summary>With a directory: the median of what a branch took more than its own system call.</summary>
    [JsonPropertyName("above_ficlone_us_median"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? AboveCallMicroseconds { get; init; }

    /// <summary>The same, the mean.</summary>
    [JsonPropertyName("above_ficlone_us_mean"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? MeanAboveCallMicroseconds { get; init; }

    /// <summary>Point queries a second on a branch, each in a transaction of its own, on one thread.</summary>
    [JsonPropertyName("qps")]
    public required double QueriesPerSecond { get; init; }

    [JsonPropertyName("qps_unix_vfs")]
    public required double UnixQueriesPerSecond { get; init; }

    [JsonPropertyName("qps_unix_mmap")]
    public required double UnixMappedQueriesPerSecond { get; init; }

    /// <summary>The same, all in one transaction.</summary>
    [JsonPropertyName("qps_in_transaction")]
    public required double QueriesInTransaction { get; init; }

    [JsonPropertyName("qps_in_transaction_unix_vfs")]
    public required double UnixQueriesInTransaction { get; init; }

    [JsonPropertyName("qps_in_transaction_unix_mmap")]
    public required double UnixMappedQueriesInTransaction { get; init; }

    /// <summary>Rows inserted a second in one transaction, as on the other VFS with the same settings.</summary>
    [JsonPropertyName("inserts_per_second")]
    public required double InsertsPerSecond { get; init; }

    [JsonPropertyName("inserts_per_second_unix_vfs")]
    public required double UnixInsertsPerSecond { get; init; }

    [JsonPropertyName("branches_written")]
    public required int BranchesWritten { get; init; }

    [JsonPropertyName("read_seconds")]
    public required double ReadSeconds { get; init; }

    [JsonPropertyName("write_seconds")]
    public required double WriteSeconds { get; init; }

    /// <summary>Whether every branch showed what it should, and PRAGMA integrity_check found nothing.</summary>
    [JsonPropertyName("integrity_ok")]
    public required bool IntegrityOk { get; init; }
}
