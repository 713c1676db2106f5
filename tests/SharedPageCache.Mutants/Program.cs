using System.Diagnostics;
using System.Reflection;
using SharedPageCache.Mutants;

if (args is ["run-tests", var where, var project, .. var filters])
{
    return TestRun.Run(where, project, filters);
}

var root = typeof(Mutant).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(static pair => pair.Key == "RepositoryRoot").Value!;
var check = new MutationCheck(root);
if (args is ["--list"])
{
    check.Mutants.ForEach(static mutant => Console.WriteLine($"{(mutant.IsInCi ? "ci" : "  ")} {mutant.Room,-12} {mutant.Name}: {mutant.Rule}"));
    return 0;
}

var (all, ci, builds, planted, narrow, resumes, table, jobs, patience) = (false, false, true, false, false, false, false, 1, 120);
var only = new List<string>();
for (var i = 0; i < args.Length; i++)
{
    switch (args[i])
    {
        case "--all":
            all = true;
            break;
        case "--ci":
            ci = true;
            break;
        case "--planted":
            planted = true;
            break;
        case "--narrow":
            narrow = true;
            break;
        case "--resume":
            resumes = true;
            break;
        case "--table":
            table = true;
            break;
        case "--no-build":
            builds = false;
            break;
        case "--only" when i + 1 < args.Length:
            only.Add(args[++i]);
            break;
        case "--jobs" when i + 1 < args.Length && int.TryParse(args[i + 1], out jobs) && jobs > 0:
            i++;
            break;
        case "--patience" when i + 1 < args.Length && int.TryParse(args[i + 1], out patience) && patience > 0:
            i++;
            break;
        default:
            return Usage();
    }
}

if (!all && !ci && !planted && !table && only.Count == 0)
{
    return Usage();
}

var unknown = only.Except(check.Mutants.Select(static mutant => mutant.Name)).ToList();
if (unknown.Count > 0)
{
    Console.Error.WriteLine($"There is no mutant {string.Join(", ", unknown)}; --list names them.");
    return 2;
}

if (check.Stale() is { Count: > 0 } stale)
{
    Console.Error.WriteLine("Mutants that fit the sources no more; adapt Mutants.txt:");
    stale.ForEach(Console.Error.WriteLine);
    return 2;
}

var watch = Stopwatch.StartNew();
var chosen = check.Mutants.FindAll(mutant =>
    (all || (ci && mutant.IsInCi) || only.Contains(mutant.Name)) && !(resumes && check.KnownOf(mutant) is { KilledBy: not null }));
var result = check.Run(chosen, builds, planted || (all && !narrow), narrow, jobs, TimeSpan.FromSeconds(patience));
if (result is null)
{
    return 2;
}

if ((all && !narrow) || table)
{
    File.WriteAllText(Path.Combine(root, "docs", "mutants.md"), Table.Page(check));
}

Console.WriteLine($"{result.Killed} killed, {result.Survived} survived, after {watch.Elapsed.TotalSeconds:f0} s");
return result.Survived == 0 ? 0 : 1;

static int Usage()
{
    Console.Error.WriteLine("""
        --all            every mutant and every planted bug; writes docs/mutants.md
        --ci             those that check every change of the project
        --only NAME      one mutant; may be given several times
        --planted        the bugs planted for the schedule explorer
        --narrow         only the tests that a mutant names are asked
        --resume         not those that were killed in an earlier run and have not changed since
        --table          writes docs/mutants.md from what is known of all runs
        --list           names and rules
        --no-build       the tests were built for release before
        --jobs N         mutants under way at a time (1)
        --patience N     seconds that a run of tests may take (120)
        """);
    return 2;
}
