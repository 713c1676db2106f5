namespace SharedPageCache.TestKit.Faults;

/// <summary>What goes wrong when a fault strikes.</summary>
public enum FaultKind
{
    /// <summary>The call throws an <see cref="InjectedFaultException"/>: a disk that is broken, an engine that refuses.</summary>
    Throws,

    /// <summary>The same, and it says that there is no room (the error code of ENOSPC).</summary>
    NoSpace,

    /// <summary>The call throws an <see cref="OperationCanceledException"/> although nobody has cancelled anything.</summary>
    CancelsItself,

    /// <summary>The operation that made the call is cancelled at this moment; the call itself goes on.</summary>
    TokenFires,

    /// <summary>The device transfers nothing and says so. Other calls throw.</summary>
    TransfersNothing,

    /// <summary>The device transfers one block of what was asked for, if it was more. Other calls throw.</summary>
    TransfersShort,

    /// <summary>The device says that it has transferred half a block. Other calls throw.</summary>
    TransfersHalfABlock,

    /// <summary>The device answers with a number that cannot be: below zero. Other calls throw.</summary>
    AnswersBelowZero,

    /// <summary>The device answers with a number that cannot be: more than was asked for. Other calls throw.</summary>
    AnswersTooMuch,
}
