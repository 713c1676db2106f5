using System.Globalization;
using SharedPageCache.TestKit.Tests.Logging;

// Started by the tests, and killed by them.
await (args is ["logged", var data, var log, var seed, var version]
    ? LoggedChild.RunAsync(data, log, Seeds.Parse(seed)!.Value, int.Parse(version, CultureInfo.InvariantCulture))
    : throw new ArgumentException($"Nobody starts this with '{string.Join(' ', args)}'."));
