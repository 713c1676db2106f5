using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace SharedPageCache.Mutants;

/// <summary>Verdicts of earlier runs, a line each, so that a long check can be done in parts. Lives beside the build output.</summary>
internal sealed class VerdictStore(string path)
{
    private const string PlantedKey = "planted";

    private readonly Lock _lock = new();

    public MutationCheck.Verdict? Find(Mutant mutant) => Lines().LastOrDefault(line => line.Key == KeyOf(mutant)).Verdict;

    public List<MutationCheck.Verdict> Planted() =>
        [.. Lines().Where(static line => line.Key == PlantedKey).Select(static line => line.Verdict!).GroupBy(static verdict => verdict.Name)
            .Select(static verdicts => verdicts.Last()).OrderBy(static verdict => verdict.Name, StringComparer.Ordinal)];

    public void Add(Mutant mutant, MutationCheck.Verdict verdict) => Append(KeyOf(mutant), verdict);

    public void AddPlanted(MutationCheck.Verdict verdict) => Append(PlantedKey, verdict);

    private void Append(string key, MutationCheck.Verdict verdict)
    {
        lock (_lock)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.AppendAllText(path, string.Create(
                CultureInfo.InvariantCulture, $"{key}\t{verdict.Name}\t{verdict.Seconds}\t{verdict.KilledBy?.ReplaceLineEndings(" ").Replace('\t', ' ')}\n"));
        }
    }

    private List<(string Key, MutationCheck.Verdict? Verdict)> Lines() => !File.Exists(path) ? [] :
        [.. File.ReadAllLines(path).Select(static line => line.Split('\t')).Where(static parts => parts.Length == 4)
            .Select(static parts => (parts[0], (MutationCheck.Verdict?)new MutationCheck.Verdict(
                parts[1], parts[3].Length == 0 ? null : parts[3], "", double.Parse(parts[2], CultureInfo.InvariantCulture))))];

    private static string KeyOf(Mutant mutant) => Convert.ToHexString(
        SHA256.HashData(Encoding.UTF8.GetBytes($"{mutant.Name}\n{mutant.File}\n{mutant.Find}\n{mutant.With}")))[..16];
}
