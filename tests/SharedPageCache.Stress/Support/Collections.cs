// One test at a time: each uses all cores, and some look at the memory of the whole process.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
