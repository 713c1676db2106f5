using System.Diagnostics;
using SharedPageCache.TestKit.Runs;

namespace SharedPageCache.TestKit.Faults;

/// <summary>
/// Fault enumeration in the manner of SQLite: a scenario is run again and again, with its n-th call failing, n = 1, 2, … until
/// it runs clean; for each kind of fault, once and for ever after.
/// </summary>
/// <example>
/// <code>
/// var figures = await new FaultEnumeration { Kinds = [FaultKind.Throws, FaultKind.TransfersShort] }.RunAsync("write and flush", async plan =>
/// {
///     using var engine = new MyEngine(new FaultyDevice(new MemoryDevice(1 &lt;&lt; 20), plan));
///     try { await engine.WriteSomethingAsync(); } catch (IOException) { /* as documented */ }
///     plan.Heal();
///     await engine.CheckThatNothingIsLostAsync();
/// });
/// </code>
/// </example>
[DebuggerDisplay("{Kinds.Count} kinds, every {MostStride} calls at most")]
public sealed class FaultEnumeration
{
    /// <summary>The kinds of faults. Default: all of them.</summary>
    public IReadOnlyList<FaultKind> Kinds { get; init; } = Enum.GetValues<FaultKind>();

    /// <summary>
    /// Kinds of which not every call is tried: from one to the next are 1 to so many calls, by <see cref="Seed"/>. 1 (the
    /// default) tries every call of every kind. <see cref="FaultKind.Throws"/> always strikes every call.
    /// </summary>
    public int MostStride { get; init; } = 1;

    /// <summary>Decides the strides.</summary>
    public ulong Seed { get; init; }

    /// <summary>More calls than any run makes: a scenario that still fails there does not end.</summary>
    public int MostCalls { get; init; } = 2_000;

    /// <summary>Runs a scenario until it has failed at each of its calls.</summary>
    /// <param name="name">The scenario, for messages.</param>
    /// <param name="run">
    /// One run: it makes everything anew, has its calls fail by the plan, heals the plan and checks that nothing is lost. What
    /// it throws is a bug.
    /// </param>
    /// <returns>What was tried.</returns>
    /// <exception cref="InvalidOperationException">A run has failed; says which fault does it.</exception>
    public async Task<FaultFigures> RunAsync(string name, Func<FaultPlan, Task> run)
    {
        ArgumentNullException.ThrowIfNull(run);
        var figures = new FaultFigures(1, 0, 0, 0);
        var dice = new Dice(Dice.Mix(Seed, (ulong)name.Length));
        foreach (var kind in Kinds)
        {
            foreach (var forever in new[] { false, true })
            {
                for (var at = 1; ; at += kind == FaultKind.Throws ? 1 : dice.From(1, MostStride))
                {
                    var plan = FaultPlan.AtCall(at, forever, kind);
                    await RunAsync(name, run, plan).ConfigureAwait(false);
                    figures += new FaultFigures(0, 1, plan.Struck > 0 ? 1 : 0, plan.Struck);
                    if (plan.Struck == 0)
                    {
                        break;
                    }

                    if (at > MostCalls)
                    {
                        throw new InvalidOperationException($"{name}: there are more than {MostCalls} calls; it does not end.");
                    }
                }
            }
        }

        return figures;
    }

    /// <summary>Runs a scenario once.</summary>
    /// <param name="name">The scenario, for messages.</param>
    /// <param name="run">One run.</param>
    /// <param name="plan">What fails in it.</param>
    /// <exception cref="InvalidOperationException">The run has failed.</exception>
    public static async Task RunAsync(string name, Func<FaultPlan, Task> run, FaultPlan plan)
    {
        ArgumentNullException.ThrowIfNull(run);
        try
        {
            await run(plan).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            throw new InvalidOperationException($"{name}, {plan}: {error.Message}", error);
        }
    }
}
