namespace SharedPageCache.TestKit.Devices;

/// <summary>What a device was asked for.</summary>
/// <param name="Run">The blocks.</param>
/// <param name="Origin">The file and offset that the read was for.</param>
/// <param name="Buffers">Into how many buffers.</param>
public readonly record struct ReadRequest(BlockRun Run, BlockOrigin Origin, int Buffers);
