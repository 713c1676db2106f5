using System.Globalization;

namespace SharedPageCache.Soak.Legs;

/// <summary>One kind of test, run as code: it tries until it has tried enough, or its time is over, or something is wrong.</summary>
internal interface ISoakLeg
{
    /// <summary>Its name on the command line.</summary>
    string Name { get; }

    /// <summary>What its budget counts.</summary>
    string Unit { get; }

    /// <summary>What fits the project's CI.</summary>
    LegBudget Ci { get; }

    /// <summary>What is tried before a release.</summary>
    LegBudget Release { get; }

    /// <summary>Runs it.</summary>
    /// <param name="budget">When it is enough.</param>
    /// <param name="tell">Told now and then how far it is.</param>
    LegReport Run(LegBudget budget, Action<string> tell);

    /// <summary>The command that runs it again in the same way.</summary>
    string Command(LegBudget budget) => string.Create(
        CultureInfo.InvariantCulture,
        $"dotnet run -c Release --project tests/SharedPageCache.Soak -- --legs {Name} --seed 0x{budget.Seed:x} --count {budget.Count} --seconds {budget.Time.TotalSeconds:f0}");
}
