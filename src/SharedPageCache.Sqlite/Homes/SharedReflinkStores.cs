using System.Runtime.Versioning;
using SharedPageCache.Reflink;

namespace SharedPageCache.Sqlite.Homes;

/// <summary>The reflink store of a cache, for all directories that share the cache: a cache can have one only.</summary>
[SupportedOSPlatform("linux")]
internal static class SharedReflinkStores
{
    private static readonly Lock s_lock = new();
    private static readonly Dictionary<PageCache, (ReflinkStore Store, int Users)> s_stores = [];

    /// <exception cref="InvalidOperationException">The application has made a store of its own for the cache.</exception>
    public static ReflinkStore Take(PageCache cache)
    {
        lock (s_lock)
        {
            var (store, users) = s_stores.GetValueOrDefault(cache);
            store ??= new ReflinkStore(cache, new ReflinkStoreOptions { AllowWriting = true });
            s_stores[cache] = (store, users + 1);
            return store;
        }
    }

    /// <summary>The last one closes it.</summary>
    public static void Give(PageCache cache)
    {
        lock (s_lock)
        {
            var (store, users) = s_stores[cache];
            if (users > 1)
            {
                s_stores[cache] = (store, users - 1);
                return;
            }

            s_stores.Remove(cache);
            store.Dispose();
        }
    }
}
