using System.Runtime.CompilerServices;
using SharedPageCache.Frames;
using SharedPageCache.Mappings;
using SharedPageCache.Rmap;

namespace SharedPageCache.Tests;

/// <summary>Sizes that the memory budget and the alignment of the hot words rest on.</summary>
public class LayoutTests
{
    [Fact]
    public void A_frame_header_has_48_bytes_and_its_hot_words_never_straddle_a_cache_line()
    {
        Assert.Equal(48, Unsafe.SizeOf<FrameHeader>());
        for (var frame = 0; frame < 64; frame++)
        {
            Assert.True(frame * 48 % 64 + 16 <= 64, $"state, pins and use of frame {frame} lie in two cache lines");
        }
    }

    [Fact]
    public void References_places_and_states_are_single_words()
    {
        Assert.Equal(8, Unsafe.SizeOf<PageReference>());
        Assert.Equal(8, Unsafe.SizeOf<Place>());
        Assert.Equal(8, Unsafe.SizeOf<FrameState>());
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(int.MaxValue / 2, FrameState.LastGeneration)]
    public void A_resident_reference_carries_the_generation_where_the_state_has_it(int frame, int generation)
    {
        var reference = PageReference.Resident(frame, generation);
        Assert.True(reference.IsResident);
        Assert.Equal(frame, reference.Frame);
        Assert.Equal(generation, reference.Generation);
        FrameState state = default;
        state.Initialize(generation);
        Assert.True(state.Load().Admits(reference.Word));
        state.Initialize(generation - 1);
        Assert.False(state.Load().Admits(reference.Word));
    }
}
