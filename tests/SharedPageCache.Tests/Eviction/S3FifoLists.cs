using SharedPageCache.Frames;

namespace SharedPageCache.Tests.Eviction;

/// <summary>
/// S3-FIFO once more, told by lists and a copy of the use counts. Picks are made on the copy before the policy makes
/// them on the headers; the two must then agree.
/// </summary>
internal sealed class S3FifoLists(FrameTable frames, int capacityFrames)
{
    private readonly List<int> _small = [];
    private readonly List<int> _main = [];
    private readonly List<ulong> _ghosts = [];
    private readonly int[] _use = new int[frames.Count];
    private readonly int _mainShare = capacityFrames - Math.Max(1, capacityFrames / 10);
    private List<int>? _pickedFrom;
    private List<int>? _stuck;
    private int _putBacks;

    public bool Contains(int frame) => _small.Contains(frame) || _main.Contains(frame);

    public bool UsesAgree() => Enumerable.Range(0, frames.Count).All(frame => frames[frame].Use == _use[frame]);

    public void Admit(int frame, ulong hash) => (hash != 0 && _ghosts.Remove(hash) ? _main : _small).Add(frame);

    public int PickVictim()
    {
        for (int frame = 0; frame < frames.Count; frame++)
        {
            _use[frame] = frames[frame].Use;
        }

        bool mainFirst = _main.Count > _mainShare;
        if (_stuck is not null)
        {
            bool exhausted = _putBacks >= Math.Min(16, _stuck.Count);
            mainFirst = _stuck == _main != exhausted;
        }

        if (!mainFirst || _main.Count == 0)
        {
            while (_small.Count > 0)
            {
                int frame = Pop(_small);
                if (_use[frame] < 2)
                {
                    return frame;
                }

                _use[frame] = 0;
                _main.Add(frame);
            }
        }

        for (int passes = 3 * _main.Count; _main.Count > 0; passes--)
        {
            int frame = Pop(_main);
            if (_use[frame] == 0 || passes == 0)
            {
                return frame;
            }

            _use[frame]--;
            _main.Add(frame);
        }

        return -1;
    }

    public void PutBack(int frame)
    {
        _putBacks = _stuck == _pickedFrom ? _putBacks + 1 : 1;
        _stuck = _pickedFrom;
        _pickedFrom!.Add(frame);
    }

    public void Evicted(int frame, ulong hash)
    {
        _stuck = null;
        if (_pickedFrom == _small && hash != 0)
        {
            _ghosts.Remove(hash);
            _ghosts.Add(hash);
            if (_ghosts.Count > Math.Max(1, _mainShare))
            {
                _ghosts.RemoveAt(0);
            }
        }
    }

    public void Remove(int frame)
    {
        _small.Remove(frame);
        _main.Remove(frame);
    }

    private int Pop(List<int> queue)
    {
        int frame = queue[0];
        queue.RemoveAt(0);
        _pickedFrom = queue;
        return frame;
    }
}
