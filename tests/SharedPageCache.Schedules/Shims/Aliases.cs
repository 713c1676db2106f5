// What the core's Concurrency room is built on, exchanged for scheduling points. An alias goes before the imported namespace.
global using Debug = SharedPageCache.Schedules.Shims.Debug;
global using Interlocked = SharedPageCache.Schedules.Shims.Interlocked;
global using SemaphoreSlim = SharedPageCache.Schedules.Shims.SemaphoreSlim;
global using SpinWait = SharedPageCache.Schedules.Shims.SpinWait;
global using TaskCompletionSource = SharedPageCache.Schedules.Shims.TaskCompletionSource;
global using Thread = SharedPageCache.Schedules.Shims.Thread;
global using Volatile = SharedPageCache.Schedules.Shims.Volatile;
