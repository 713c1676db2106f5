using SharedPageCache.Samples.ReflinkImages;

return Experiment.Run(args);
