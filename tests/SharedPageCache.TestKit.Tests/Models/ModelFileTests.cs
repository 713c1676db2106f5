namespace SharedPageCache.TestKit.Tests.Models;

/// <summary>The model of files does what files do.</summary>
public sealed class ModelFileTests
{
    [Fact]
    public void A_model_is_written_cut_punched_and_cloned_like_a_file()
    {
        var file = new ModelFile(1, 2, 3);
        file.Write(5, [9]);
        file.Write(100, []);
        Assert.Equal([1, 2, 3, 0, 0, 9], file.Bytes.ToArray());
        var clone = file.Clone();
        file.Punch(1, 100);
        file.Punch(100, 1);
        Assert.Equal([1, 0, 0, 0, 0, 0], file.Bytes.ToArray());
        Assert.Equal([1, 2, 3, 0, 0, 9], clone.Bytes.ToArray());
        clone.SetLength(2);
        clone.SetLength(4);
        Assert.Equal([1, 2, 0, 0], clone.Bytes.ToArray());
        clone.CloneRange(clone, 0, 1, 3);
        Assert.Equal([1, 1, 2, 0], clone.Bytes.ToArray());
        file.CloneRange(clone, 1, 5, 2);
        Assert.Equal([1, 0, 0, 0, 0, 1, 2], file.Bytes.ToArray());
    }

    [Fact]
    public void A_difference_is_told_with_its_place()
    {
        var file = new ModelFile(1, 2, 3);
        Assert.Null(file.FaultOf(1, [2, 3], 10));
        Assert.Null(file.FaultOf(7, [], 10));
        Assert.Contains("at 2 stands 07 instead of 03", file.FaultOf(1, [2, 7], 2), StringComparison.Ordinal);
        Assert.Contains("1 bytes were read at 1, and there are 2", file.FaultOf(1, [2], 2), StringComparison.Ordinal);
    }
}
