using System.Diagnostics;
using System.Globalization;

namespace SharedPageCache.Mutants;

/// <summary>
/// Puts one mutant after the other into the core and looks which test notices: first those that the mutant names, then all tests of the
/// core, then the fault stories. Nothing of the working tree is touched but <c>artifacts/obj/mutants</c>.
/// </summary>
/// <param name="root">The repository.</param>
public sealed class MutationCheck(string root)
{
    private const string CoreTests = "SharedPageCache.Tests";
    private const string Explorer = "SharedPageCache.Schedules";
    private const string Widest = "SharedPageCache.Stress";

    private readonly string _sources = Path.Combine(root, "src", "SharedPageCache");
    private readonly string _work = Path.Combine(
        root, "artifacts", "obj", "mutants", Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
    private readonly VerdictStore _store = new(Path.Combine(root, "artifacts", "obj", "mutants.tsv"));
    private readonly Lock _output = new();

    /// <summary>What became of a mutant.</summary>
    /// <param name="Name">The mutant.</param>
    /// <param name="KilledBy">The test, or null.</param>
    /// <param name="How">What the test said; or what was tried.</param>
    /// <param name="Seconds">Processor seconds of the run that killed it, with the start of its process; schedules for a planted bug.</param>
    public sealed record Verdict(string Name, string? KilledBy, string How, double Seconds);

    /// <summary>What became of all.</summary>
    /// <param name="Mutants">The mutants, in the order of the list.</param>
    /// <param name="Planted">The planted bugs.</param>
    public sealed record Result(IReadOnlyList<Verdict> Mutants, IReadOnlyList<Verdict> Planted)
    {
        /// <summary>How many were killed.</summary>
        public int Killed => Mutants.Concat(Planted).Count(static verdict => verdict.KilledBy is not null);

        /// <summary>How many were not.</summary>
        public int Survived => Mutants.Concat(Planted).Count(static verdict => verdict.KilledBy is null);
    }

    /// <summary>The list.</summary>
    public List<Mutant> Mutants { get; } = Mutant.ReadAll(Path.Combine(root, "tests", "SharedPageCache.Mutants", "Mutants.txt"));

    /// <summary>What is known of a mutant from an earlier run, if it and its list entry have not changed since; null otherwise.</summary>
    public Verdict? KnownOf(Mutant mutant) => _store.Find(mutant);

    /// <summary>What is known of the planted bugs.</summary>
    public List<Verdict> KnownPlanted() => _store.Planted();

    /// <summary>What is wrong with mutants whose text has changed in the sources.</summary>
    public List<string> Stale() => [.. Mutants.Select(mutant => mutant.FaultIn(_sources)).OfType<string>()];

    /// <summary>Runs the check.</summary>
    /// <returns>Null if it could not: the tests do not build, or fail without any mutant.</returns>
    public Result? Run(List<Mutant> mutants, bool builds, bool withPlanted, bool narrow, int jobs, TimeSpan most)
    {
        var projects = mutants.SelectMany(static mutant => mutant.Killers).Select(static killer => Split(killer).Project).Append(CoreTests)
            .Distinct().ToList();
        if (builds && !(mutants.Count == 0 || projects.TrueForAll(Build)) | (withPlanted && !Build(Explorer)))
        {
            return null;
        }

        try
        {
            return Run(mutants, withPlanted, narrow, jobs, most);
        }
        finally
        {
            if (Directory.Exists(_work))
            {
                Directory.Delete(_work, recursive: true);
            }
        }
    }

    private Result? Run(List<Mutant> mutants, bool withPlanted, bool narrow, int jobs, TimeSpan most)
    {
        var verdicts = new Verdict[mutants.Count];
        if (mutants.Count > 0)
        {
            var compiler = new CoreCompiler(_sources, TestBed.BuiltOutputOf(root, CoreTests));
            if (!narrow && !IsSoundWithoutMutants(compiler, mutants, most))
            {
                return null;
            }

            var next = -1;
            var workers = Enumerable.Range(0, jobs).Select(worker => Task.Factory.StartNew(
                () =>
                {
                    var bed = new TestBed(root, Path.Combine(_work, $"bed{worker}"));
                    for (var i = Interlocked.Increment(ref next); i < verdicts.Length; i = Interlocked.Increment(ref next))
                    {
                        verdicts[i] = Try(compiler, bed, mutants[i], narrow, most);
                        Say(verdicts[i]);
                        if (verdicts[i].KilledBy is not null || !narrow)
                        {
                            _store.Add(mutants[i], verdicts[i]);
                        }
                    }
                },
                CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToArray();
            Task.WaitAll(workers);
        }

        return new Result(verdicts, withPlanted ? RunPlanted() : []);
    }

    private bool IsSoundWithoutMutants(CoreCompiler compiler, List<Mutant> mutants, TimeSpan most)
    {
        var bed = new TestBed(root, Path.Combine(_work, "bed0"));
        foreach (var killers in mutants.SelectMany(static mutant => mutant.Killers).Distinct().GroupBy(static killer => Split(killer).Project))
        {
            var fault = compiler.Compile(mutant: null, Path.Combine(bed.Of(killers.Key), "SharedPageCache.dll"));
            if (fault is not null)
            {
                Console.Error.WriteLine($"The core does not compile:\n{fault}");
                return false;
            }

            var outcome = bed.Run(killers.Key, killers.Select(static killer => Split(killer).Filter), most * 5);
            if (outcome.Failed is not null)
            {
                Console.Error.WriteLine($"{outcome.Failed} fails without any mutant:\n{outcome.Why}");
                return false;
            }

            Console.WriteLine($"without a mutant: {outcome.Ran} tests of {killers.Key} pass, {outcome.Seconds:f1} s of processor time");
        }

        return true;
    }

    private Verdict Try(CoreCompiler compiler, TestBed bed, Mutant mutant, bool narrow, TimeSpan most)
    {
        var core = Path.Combine(bed.Of(CoreTests), "SharedPageCache.dll");
        if (compiler.Compile(mutant, core) is { } fault)
        {
            throw new InvalidOperationException($"The mutant {mutant.Name} does not compile:\n{fault}");
        }

        var stages = mutant.Killers.GroupBy(static killer => Split(killer).Project)
            .Select(static killers => (killers.Key, Filters: killers.Select(static killer => Split(killer).Filter).ToList())).ToList();
        if (!narrow)
        {
            stages.Add((CoreTests, []));
        }

        if (!narrow && Directory.Exists(TestBed.BuiltOutputOf(root, Widest)))
        {
            stages.Add((Widest, []));
        }

        foreach (var (project, filters) in stages)
        {
            if (project != CoreTests)
            {
                File.Copy(core, Path.Combine(bed.Of(project), "SharedPageCache.dll"), overwrite: true);
            }

            var outcome = bed.Run(project, filters, filters.Count == 0 ? most * 5 : most);
            if (outcome.IsUndecided && !EndsSoonWithoutMutant(compiler, bed, project, filters, most / 10))
            {
                return new Verdict(mutant.Name, null, $"undecided: tests of {project} came to {outcome.Failed}", 0);
            }

            if (outcome.Failed is not null)
            {
                var killer = outcome.IsUndecided ? $"no end of {(filters.Count == 0 ? project : string.Join(" or ", filters))}" : outcome.Failed;
                return new Verdict(mutant.Name, killer, outcome.Why, outcome.Seconds);
            }
        }

        return new Verdict(mutant.Name, null, $"all tests of {string.Join(" and ", stages.Select(static stage => stage.Item1).Distinct())} pass", 0);
    }

    /// <summary>
    /// Whether the same tests end in much less time without a mutant, here and now: then it is the mutant that has no end, and not the machine
    /// that is busy.
    /// </summary>
    private static bool EndsSoonWithoutMutant(CoreCompiler compiler, TestBed bed, string project, IReadOnlyList<string> filters, TimeSpan most) =>
        compiler.Compile(mutant: null, Path.Combine(bed.Of(project), "SharedPageCache.dll")) is null
        && bed.Run(project, filters, most) is { Failed: null };

    /// <summary>The explorer's own controls: the list is Planted/Edits.txt.</summary>
    private List<Verdict> RunPlanted()
    {
        Directory.CreateDirectory(_work);
        var report = Path.Combine(_work, "planted.txt");
        File.Delete(report);
        var output = TestBed.BuiltOutputOf(root, Explorer);
        TestBed.Run(
            output, Explorer, ["PlantedBugTests"], TimeSpan.FromHours(1), new Dictionary<string, string> { ["SPC_REPORT"] = report });
        var verdicts = new List<Verdict>();
        foreach (var bug in File.ReadAllLines(report).Select(static line => line.Split('\t')).Where(static row => row.Length > 3)
            .GroupBy(static row => row[0]).OrderBy(static bug => bug.Key, StringComparer.Ordinal))
        {
            var found = bug.FirstOrDefault(static row => row[2].StartsWith("found", StringComparison.Ordinal));
            var schedules = bug.Sum(static row => row[2].Split(' ') is [.., "after", var count, "schedules"]
                ? double.Parse(count, CultureInfo.InvariantCulture) : 0);
            verdicts.Add(new Verdict(bug.Key, found is null ? null : $"scenario: {found[1]}", found?[3] ?? "", schedules));
            Say(verdicts[^1]);
            _store.AddPlanted(verdicts[^1]);
        }

        return verdicts;
    }

    private void Say(Verdict verdict)
    {
        lock (_output)
        {
            Console.WriteLine(verdict.KilledBy is null
                ? $"SURVIVED {verdict.Name}: {verdict.How}"
                : string.Create(CultureInfo.InvariantCulture, $"killed {verdict.Name} by {verdict.KilledBy} ({verdict.Seconds:0.#})"));
        }
    }

    private bool Build(string project)
    {
        var start = new ProcessStartInfo("dotnet") { WorkingDirectory = root };
        foreach (var argument in (string[])["build", Path.Combine("tests", project), "-c", "Release", "-v", "q", "-nologo"])
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start)!;
        process.WaitForExit();
        return process.ExitCode == 0;
    }

    private static (string Project, string Filter) Split(string killer) => killer.Split(':', 2) is [var project, var filter]
        ? ($"SharedPageCache.{project}", filter.Trim()) : (CoreTests, killer);
}
