namespace SharedPageCache.Sqlite.Locking;

/// <summary>Which of the eight locks of a log one connection holds.</summary>
internal struct WalLocks
{
    private byte _shared;
    private byte _alone;

    public static byte Mask(int first, int count) => (byte)(((1 << count) - 1) << first);

    public readonly bool HasShared(int index) => (_shared & (1 << index)) != 0;

    public readonly bool HasAlone(int index) => (_alone & (1 << index)) != 0;

    public void TakeShared(byte mask) => _shared |= mask;

    public void TakeAlone(byte mask) => _alone |= mask;

    public void Give(byte mask)
    {
        _alone &= (byte)~mask;
        _shared &= (byte)~mask;
    }
}
