using System.Globalization;
using SharedPageCache.Cow.Tests.Support;

// Started by the tests, and killed by them.
await (args is ["writer", var path, var seed, var version]
    ? KilledWriter.RunAsync(path, Seeds.Parse(seed)!.Value, int.Parse(version, CultureInfo.InvariantCulture))
    : throw new ArgumentException($"Nobody starts this with '{string.Join(' ', args)}'."));
