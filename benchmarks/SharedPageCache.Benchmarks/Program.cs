using SharedPageCache.Benchmarks;

var mebibytes = args.Length > 0 ? long.Parse(args[0], System.Globalization.CultureInfo.InvariantCulture) : 1024;
new Ratios().Run(mebibytes << 20);
