using SharedPageCache.Samples.SqliteBranches;

return BranchRun.Run(args);
