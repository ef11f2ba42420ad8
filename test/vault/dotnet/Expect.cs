using System.Runtime.CompilerServices;
using System.Text.Json;
using Azure;

/// <summary>What checks say of what they got. Everything here throws a <see cref="BrokenException"/> when it is not so.</summary>
static class Expect
{
    public static void Equal<T>(T expected, T actual, [CallerArgumentExpression(nameof(actual))] string what = "")
    {
        if (EqualityComparer<T>.Default.Equals(expected, actual))
            return;
        throw new BrokenException($"{what}: expected {Show(expected)}, got {Show(actual)}");
    }

    public static void Same<T>(
        IEnumerable<T> expected,
        IEnumerable<T>? actual,
        [CallerArgumentExpression(nameof(actual))] string what = ""
    )
    {
        if (actual is not null && expected.SequenceEqual(actual))
            return;
        throw new BrokenException($"{what}: expected {Show(expected)}, got {Show(actual)}");
    }

    public static void True(bool condition, [CallerArgumentExpression(nameof(condition))] string what = "")
    {
        if (!condition)
            throw new BrokenException($"not so: {what}");
    }

    /// <summary>The time is at most five minutes (machines can be busy) from the expected one.</summary>
    public static void Near(
        DateTimeOffset expected,
        DateTimeOffset? actual,
        [CallerArgumentExpression(nameof(actual))] string what = ""
    )
    {
        if (actual is { } time && (time - expected).Duration() < TimeSpan.FromMinutes(5))
            return;
        throw new BrokenException($"{what}: expected about {expected:O}, got {actual:O}");
    }

    /// <summary>The vault refuses the work with this status and code, and this inner code (null: none).</summary>
    public static async Task Refused(int status, string code, Func<Task> work, string? inner = null)
    {
        var failure = await Fails<RequestFailedException>(work);
        var error = JsonDocument.Parse(failure.GetRawResponse()!.Content).RootElement.GetProperty("error");
        var found = error.TryGetProperty("innererror", out var one) ? one.GetProperty("code").GetString() : null;
        Equal((status, code, inner), (failure.Status, failure.ErrorCode, found), "status, code, inner code");
        True(error.GetProperty("message").GetString() is { Length: > 0 }, "an error has a message");
    }

    /// <summary>The work fails with this kind of exception, which is returned.</summary>
    public static async Task<T> Fails<T>(Func<Task> work)
        where T : Exception
    {
        try
        {
            await work();
        }
        catch (T failure)
        {
            return failure;
        }
        throw new BrokenException($"there should have been a {typeof(T).Name}");
    }

    static string Show(object? value) =>
        value switch
        {
            null => "null",
            string text => text.Length > 200 ? $"\"{text[..200]}...\"" : $"\"{text}\"",
            System.Collections.IEnumerable many => $"[{string.Join(", ", many.Cast<object?>().Select(Show))}]",
            _ => value.ToString() ?? "",
        };
}
