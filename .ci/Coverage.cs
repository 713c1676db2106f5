#:property PublishAot=false
#:property TreatWarningsAsErrors=true

// What no test executes. Merges the JSON files that coverlet writes for several test projects, prints line and branch coverage of
// each shipped assembly, lists the lines that nothing reaches, and the catch blocks that nothing enters.
//
//   dotnet Coverage.dll FOLDER-WITH-RESULTS ROOT-OF-SOURCES [--list] [--check docs/coverage.md]
//
// --list prints every uncovered line; --check fails if the core is below the bars, if a catch block of the core is never entered, or
// if a file has uncovered lines and no reason on the page.

using System.Globalization;
using System.Text.Json;

if (args.Length < 2)
{
    Console.Error.WriteLine("usage: Coverage RESULTS ROOT [--list] [--check PAGE]");
    return 2;
}

var (results, root) = (args[0], Path.GetFullPath(args[1]).TrimEnd('/') + "/");
var lines = new SortedDictionary<(string Module, string File, int Line), long>();
var branches = new SortedDictionary<(string Module, string File, int Line, int Offset, int Path, int Ordinal), long>();
var inputs = Directory.GetFiles(results, "coverage.json", SearchOption.AllDirectories);
foreach (var input in inputs)
{
    using var document = JsonDocument.Parse(File.ReadAllBytes(input));
    foreach (var module in document.RootElement.EnumerateObject())
    {
        foreach (var file in module.Value.EnumerateObject().Where(file => file.Name.StartsWith(root + "src/", StringComparison.Ordinal)))
        {
            var (name, path) = (Path.GetFileNameWithoutExtension(module.Name), file.Name[root.Length..]);
            foreach (var method in file.Value.EnumerateObject().SelectMany(type => type.Value.EnumerateObject()))
            {
                foreach (var line in method.Value.GetProperty("Lines").EnumerateObject())
                {
                    var key = (name, path, int.Parse(line.Name, CultureInfo.InvariantCulture));
                    lines[key] = lines.GetValueOrDefault(key) + line.Value.GetInt64();
                }

                foreach (var branch in method.Value.GetProperty("Branches").EnumerateArray())
                {
                    int Of(string what) => branch.GetProperty(what).GetInt32();
                    var key = (name, path, Of("Line"), Of("Offset"), Of("Path"), Of("Ordinal"));
                    branches[key] = branches.GetValueOrDefault(key) + branch.GetProperty("Hits").GetInt64();
                }
            }
        }
    }
}

Console.WriteLine($"{inputs.Length} test runs");
var shares = new Dictionary<string, (double Line, double Branch)>();
foreach (var module in lines.Keys.Select(key => key.Module).Distinct().Order(StringComparer.Ordinal))
{
    var ofModule = lines.Where(pair => pair.Key.Module == module).ToList();
    var branchesOfModule = branches.Where(pair => pair.Key.Module == module).ToList();
    var (hit, branchHit) = (ofModule.Count(pair => pair.Value > 0), branchesOfModule.Count(pair => pair.Value > 0));
    shares[module] = (100.0 * hit / ofModule.Count, 100.0 * branchHit / Math.Max(1, branchesOfModule.Count));
    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"{module,-32} lines {shares[module].Line,6:F2} % ({hit} of {ofModule.Count}), branches {shares[module].Branch,6:F2} % ({branchHit} of {branchesOfModule.Count})"));
}

// A catch block is entered if the first line of its body that has code is.
var deadCatches = new List<(string File, int Line)>();
var catches = 0;
foreach (var file in lines.Keys.Select(key => key.File).Distinct().Where(file => File.Exists(root + file)))
{
    var text = File.ReadAllLines(root + file);
    for (var at = 0; at < text.Length; at++)
    {
        var code = text[at].Trim();
        if (!(code == "catch" || code.StartsWith("catch (", StringComparison.Ordinal)))
        {
            continue;
        }

        // The first line of code in it; the line of the catch itself is one too, unless a filter stands there.
        catches++;
        var first = code.Contains(" when ", StringComparison.Ordinal) ? at + 2 : at + 1;
        var body = Enumerable.Range(first, 5).Select(line => lines.Where(pair => pair.Key.File == file && pair.Key.Line == line).Select(pair => (long?)pair.Value).FirstOrDefault())
            .FirstOrDefault(hits => hits is not null);
        if (body is 0)
        {
            deadCatches.Add((file, at + 1));
        }
    }
}

Console.WriteLine($"{catches} catch blocks, {deadCatches.Count} never entered{(deadCatches.Count > 0 ? ":" : "")}");
deadCatches.ForEach(one => Console.WriteLine($"  {one.File}:{one.Line}"));

var uncovered = lines.Where(pair => pair.Value == 0).GroupBy(pair => pair.Key.File).ToDictionary(
    group => group.Key, group => group.Select(pair => pair.Key.Line).Distinct().Order().ToList());
if (args.Contains("--list"))
{
    foreach (var (file, missing) in uncovered.OrderBy(pair => pair.Key, StringComparer.Ordinal))
    {
        Console.WriteLine($"{file}: {RangesOf(missing)}");
    }
}

if (Array.IndexOf(args, "--check") is >= 0 and var check)
{
    var page = File.ReadAllText(root + args[check + 1]);
    var faults = new List<string>();
    var core = shares["SharedPageCache"];
    if (core.Line < 95 || core.Branch < 90)
    {
        faults.Add($"the core is covered to {core.Line:F2} % of lines and {core.Branch:F2} % of branches; 95 and 90 are the bars");
    }

    faults.AddRange(deadCatches.Where(one => one.File.StartsWith("src/SharedPageCache/", StringComparison.Ordinal)).Select(one => $"{one.File}:{one.Line}: no test enters this catch block"));
    faults.AddRange(uncovered.Keys
        .Where(file => file.StartsWith("src/SharedPageCache/", StringComparison.Ordinal) && !page.Contains($"`{file["src/SharedPageCache/".Length..]}`", StringComparison.Ordinal))
        .Select(file => $"{file}: lines {RangesOf(uncovered[file])} are executed by no test, and {args[check + 1]} gives no reason"));
    faults.ForEach(fault => Console.Error.WriteLine(fault));
    return faults.Count == 0 ? 0 : 1;
}

return 0;

static string RangesOf(List<int> numbers)
{
    var ranges = new List<string>();
    for (var at = 0; at < numbers.Count;)
    {
        var end = at;
        while (end + 1 < numbers.Count && numbers[end + 1] == numbers[end] + 1)
        {
            end++;
        }

        ranges.Add(at == end ? $"{numbers[at]}" : $"{numbers[at]}-{numbers[end]}");
        at = end + 1;
    }

    return string.Join(", ", ranges);
}
