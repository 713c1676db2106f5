using SharedPageCache.TestKit.Tests.Logging;

// Started by the tests, and killed by them.
await (args is ["logged", var data, var log, var seed]
    ? LoggedChild.RunAsync(data, log, Seeds.Parse(seed)!.Value)
    : throw new ArgumentException($"Nobody starts this with '{string.Join(' ', args)}'."));
