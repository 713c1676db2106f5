namespace SharedPageCache.Tests.Support;

/// <summary>What a device was asked for.</summary>
public readonly record struct ReadRequest(BlockRun Run, BlockOrigin Origin, int Buffers);
