#:property PublishAot=false

// The checks of .ci/run that read what a step has made. A file-based program, so that .ci/run needs the SDK only.
//
//   trx FOLDER PROJECTS     totals of the test results in a folder: "PASSED FAILED SKIPPED" on standard output
//   clone-storm FILE        the JSON object of samples/CloneStorm against the figures that the README promises
//   reflink-images FILE     the same for samples/ReflinkImages
//   sqlite-branches FILE    the same for samples/SqliteBranches, whose times are not looked at but for the branch's
//   packages FOLDER         the packages that dotnet pack has made
//
// Standard error says what is wrong. Exit code 0: all is well, 1: something is not, 2: wrong use.

using System.Globalization;
using System.IO.Compression;
using System.Reflection.Metadata;
using System.Text.Json;
using System.Xml.Linq;

List<string> faults = [];
switch (args)
{
    case ["trx", string folder, string projects]:
        ReadTestResults(folder, int.Parse(projects, CultureInfo.InvariantCulture));
        break;
    case ["clone-storm", string file]:
        CheckCloneStorm(ReadObject(file));
        break;
    case ["reflink-images", string file]:
        CheckReflinkImages(ReadObject(file));
        break;
    case ["sqlite-branches", string file]:
        CheckSqliteBranches(ReadObject(file));
        break;
    case ["packages", string folder]:
        CheckPackages(folder);
        break;
    default:
        Console.Error.WriteLine("Usage: Checks trx FOLDER PROJECTS | clone-storm FILE | reflink-images FILE | sqlite-branches FILE | packages FOLDER");
        return 2;
}

foreach (string fault in faults)
{
    Console.Error.WriteLine(fault.ReplaceLineEndings(" "));
}

return faults.Count == 0 ? 0 : 1;

void ReadTestResults(string folder, int projects)
{
    int passed = 0, failed = 0, skipped = 0;
    string[] files = Directory.Exists(folder)
        ? Directory.GetFiles(folder, "*.trx", SearchOption.AllDirectories)
        : [];
    foreach (string file in files)
    {
        try
        {
            XElement run = XDocument.Load(file).Root!;
            XNamespace space = run.Name.Namespace;
            foreach (XElement result in run.Descendants(space + "UnitTestResult"))
            {
                string outcome = (string?)result.Attribute("outcome") ?? "Error"; // The schema's default.
                switch (outcome)
                {
                    case "Passed" or "PassedButRunAborted" or "Completed" or "Warning":
                        passed++;
                        break;
                    case "NotExecuted" or "NotRunnable" or "Pending":
                        skipped++;
                        Console.Error.WriteLine($"skipped: {(string?)result.Attribute("testName")}: {Reason(result).ReplaceLineEndings(" ")}");
                        break;
                    default:
                        failed++;
                        faults.Add($"{outcome}: {(string?)result.Attribute("testName")}: {Why(result)}");
                        break;
                }
            }

            if ((string?)run.Descendants(space + "ResultSummary").FirstOrDefault()?.Attribute("outcome") is "Aborted" or "Error")
            {
                failed++;
                faults.Add($"{Path.GetFileName(file)}: the run was aborted");
            }
        }
        catch (System.Xml.XmlException broken)
        {
            failed++;
            faults.Add($"{Path.GetFileName(file)}: {broken.Message}");
        }
    }

    if (files.Length < projects)
    {
        failed++;
        faults.Add($"{files.Length} result files for {projects} test projects");
    }

    if (passed + failed == 0)
    {
        failed++;
        faults.Add("no test was run");
    }

    Console.WriteLine($"{passed} {failed} {skipped}");

    // One line: what the test says, and the last replay that it printed.
    static string Why(XElement result)
    {
        string message = Text(result, "Message").ReplaceLineEndings(" ");
        string? replay = Text(result, "StdOut").Split('\n').LastOrDefault(static line => line.Contains("SPC_SEED=", StringComparison.Ordinal));
        return $"{(message.Length > 1500 ? message[..1500] + "..." : message)} {replay?.Trim()}";
    }

    static string Text(XElement result, string name) =>
        result.Descendants().FirstOrDefault(element => element.Name.LocalName == name)?.Value.Trim() ?? "";

    static string Reason(XElement result) =>
        result.Descendants().Where(element => element.Name.LocalName is "Message" or "StdOut")
            .Select(element => element.Value.Trim()).FirstOrDefault(text => text.Length > 0) ?? "no reason given";
}

void CheckCloneStorm(JsonElement report)
{
    foreach (string field in new[] { "source_bytes", "clones", "logical_bytes", "distinct_blocks", "block_size",
        "resident_bytes", "metadata_bytes", "saved_bytes", "device_blocks_read", "clone_ns_median", "clone_alloc_bytes",
        "cow_copies", "flush_seconds" })
    {
        Number(report, field);
    }

    double distinctBytes = Number(report, "distinct_blocks") * Number(report, "block_size");
    Expect(IsTrue(report, "verified"), "verified is not true: not every byte was compared, or one differed");
    Expect(Number(report, "source_bytes") >= 64 << 20, "source_bytes is below 64 MiB");
    Expect(Number(report, "resident_bytes") <= 1.01 * distinctBytes, "resident_bytes is over 1.01 x the distinct bytes");
    Expect(Number(report, "device_blocks_read") == Number(report, "distinct_blocks"), "device_blocks_read is not distinct_blocks");
    Expect(Number(report, "saved_bytes") > 0, "saved_bytes is not positive");
    Expect(Number(report, "clone_ns_median") < 2_000, "clone_ns_median is not below 2 us");
    Expect(Number(report, "clone_alloc_bytes") < 512, "clone_alloc_bytes is not below 512");

    double clones = Number(report, "clones");
    Expect(Number(report, "dirty_pages") > clones, "dirty_pages is not above one for each clone");
    Expect(
        Number(report, "device_blocks_written") == Number(report, "dirty_pages"),
        "device_blocks_written is not dirty_pages: a page was not written, or more than once");
    Expect(
        Number(report, "clones_while_dirty") == Math.Floor(clones / 2),
        "clones_while_dirty is not half of the clones: pages went to the device before the flush");
    Expect(Number(report, "cow_copies") > 0, "cow_copies is not positive");
    Expect(IsTrue(report, "reopened_verified"), "reopened_verified is not true: a file is not what was written to it");
    if (!report.TryGetProperty("half", out JsonElement half))
    {
        faults.Add("half is missing");
        return;
    }

    foreach (string side in new[] { "shared", "per_file_lru" })
    {
        if (half.TryGetProperty(side, out JsonElement figures))
        {
            double ratio = Number(figures, "hit_ratio", $"half.{side}.");
            Expect(ratio is >= 0 and <= 1, $"half.{side}.hit_ratio is {ratio}");
            Number(figures, "device_blocks_read", $"half.{side}.");
        }
        else
        {
            faults.Add($"half.{side} is missing");
        }
    }
}

void CheckReflinkImages(JsonElement report)
{
    double distinct = Number(report, "distinct_bytes");
    Expect(Number(report, "files") >= 100, "files is below 100");
    Expect(IsTrue(report, "verified"), "verified is not true: not every byte was compared, or one differed");
    Expect(Number(report, "shared_resident_bytes") <= 1.01 * distinct, "shared_resident_bytes is over 1.01 x distinct_bytes");
    Expect(
        Number(report, "shared_kernel_bytes") < 0.05 * Number(report, "kernel_cache_bytes"),
        "shared_kernel_bytes is not below 5 % of kernel_cache_bytes");
}

void CheckSqliteBranches(JsonElement report)
{
    foreach (string field in new[] { "copy_ms", "vacuum_into_ms", "qps", "qps_unix_vfs", "qps_unix_mmap", "inserts_per_second", "metadata_bytes" })
    {
        Expect(Number(report, field) > 0, $"{field} is not positive");
    }

    Expect(IsTrue(report, "integrity_ok"), "integrity_ok is not true: a branch did not show what it should");
    Expect(Number(report, "branches") >= 100, "branches is below 100");
    Expect(Number(report, "branch_us_median") < 100, "branch_us_median is not below 100 us");
    Expect(Number(report, "device_blocks_read") == 0, "device_blocks_read is not 0: a warm branch read from the device");
    Expect(
        Number(report, "resident_bytes") <= 1.02 * Number(report, "distinct_bytes"),
        "resident_bytes is over 1.02 x distinct_bytes");
    Expect(Number(report, "connection_bytes") < Number(report, "ordinary_bytes"), "connections to branches use no less memory than ordinary ones");
}

void CheckPackages(string folder)
{
    string[] expected = ["SharedPageCache", "SharedPageCache.Abstractions", "SharedPageCache.CowVolume", "SharedPageCache.Reflink", "SharedPageCache.Sqlite", "SharedPageCache.TestKit"];
    foreach (string id in expected)
    {
        string[] found = [.. Directory.GetFiles(folder, id + ".*.nupkg")
            .Where(file => char.IsAsciiDigit(Path.GetFileName(file)[id.Length + 1]))];
        if (found is not [string package])
        {
            faults.Add($"{id}: {found.Length} packages instead of one");
            continue;
        }

        CheckPackage(id, package);
        string symbols = Path.ChangeExtension(package, ".snupkg");
        if (File.Exists(symbols))
        {
            CheckSymbols(id, symbols);
        }
        else
        {
            faults.Add($"{id}: no symbol package");
        }
    }

    foreach (string file in Directory.GetFiles(folder, "*.nupkg"))
    {
        Expect(
            expected.Any(id => Path.GetFileName(file).StartsWith(id + ".", StringComparison.Ordinal)),
            $"{Path.GetFileName(file)} should not be a package");
    }
}

void CheckPackage(string id, string package)
{
    using ZipArchive archive = ZipFile.OpenRead(package);
    foreach (string entry in new[] { "README.md", "icon.png", $"lib/net10.0/{id}.dll", $"lib/net10.0/{id}.xml" })
    {
        Expect(archive.GetEntry(entry) is { Length: > 0 }, $"{id}: {entry} is missing");
    }

    if (archive.GetEntry(id + ".nuspec") is not { } manifest)
    {
        faults.Add($"{id}: no manifest");
        return;
    }

    using Stream stream = manifest.Open();
    XElement metadata = XDocument.Load(stream).Root!.Elements().First();
    string? Value(string name) => metadata.Elements().FirstOrDefault(element => element.Name.LocalName == name)?.Value;
    Expect(Value("license") == "MIT", $"{id}: the license is not MIT");
    Expect(Value("readme") == "README.md", $"{id}: no readme");
    Expect(Value("icon") == "icon.png", $"{id}: no icon");
    Expect(!string.IsNullOrWhiteSpace(Value("description")), $"{id}: no description");
    Expect(!string.IsNullOrWhiteSpace(Value("tags")), $"{id}: no tags");
    XElement? repository = metadata.Elements().FirstOrDefault(element => element.Name.LocalName == "repository");
    Expect(!string.IsNullOrEmpty((string?)repository?.Attribute("url")), $"{id}: no repository");
    if (id == "SharedPageCache.Abstractions")
    {
        Expect(!metadata.Descendants().Any(element => element.Name.LocalName == "dependency"), $"{id}: has a dependency");
    }
}

void CheckSymbols(string id, string package)
{
    Guid sourceLink = new("CC110556-A091-4D38-9FEC-25AB9A351A6A");
    using ZipArchive archive = ZipFile.OpenRead(package);
    if (archive.GetEntry($"lib/net10.0/{id}.pdb") is not { } entry)
    {
        faults.Add($"{id}: no symbols in the symbol package");
        return;
    }

    using MemoryStream bytes = new();
    using (Stream stream = entry.Open())
    {
        stream.CopyTo(bytes);
    }

    bytes.Position = 0;
    using MetadataReaderProvider provider = MetadataReaderProvider.FromPortablePdbStream(bytes);
    MetadataReader symbols = provider.GetMetadataReader();
    string? map = symbols.CustomDebugInformation.Select(symbols.GetCustomDebugInformation)
        .Where(information => symbols.GetGuid(information.Kind) == sourceLink)
        .Select(information => System.Text.Encoding.UTF8.GetString(symbols.GetBlobBytes(information.Value)))
        .FirstOrDefault();
    Expect(map is not null, $"{id}: no SourceLink in the symbols");
    Expect(map is null || map.Contains("https://", StringComparison.Ordinal), $"{id}: SourceLink names no address: {map}");
}

JsonElement ReadObject(string file)
{
    string text = File.ReadAllText(file);
    try
    {
        JsonElement root = JsonDocument.Parse(text).RootElement;
        if (root.ValueKind == JsonValueKind.Object)
        {
            return root;
        }

        faults.Add($"Standard output is JSON of kind {root.ValueKind} instead of one object");
    }
    catch (JsonException broken)
    {
        faults.Add($"Standard output is not one JSON object: {broken.Message}");
    }

    return JsonDocument.Parse("{}").RootElement;
}

double Number(JsonElement report, string field, string path = "")
{
    if (report.TryGetProperty(field, out JsonElement value) && value.ValueKind == JsonValueKind.Number)
    {
        return value.GetDouble();
    }

    string fault = $"{path}{field} is missing or no number";
    if (!faults.Contains(fault))
    {
        faults.Add(fault);
    }

    return double.NaN;
}

static bool IsTrue(JsonElement report, string field) =>
    report.TryGetProperty(field, out JsonElement value) && value.ValueKind == JsonValueKind.True;

void Expect(bool holds, string fault)
{
    if (!holds)
    {
        faults.Add(fault);
    }
}
