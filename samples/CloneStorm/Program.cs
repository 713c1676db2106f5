using SharedPageCache.Samples.CloneStorm;

return Storm.Run(args);
