/// <summary>A promise of the vault, and the work that fails when it is broken. Checks run beside each other.</summary>
sealed record Check(string Name, Func<Task> Prove)
{
    /// <summary>For checks that turn settings of a vault: only one of those with the same turn runs at a time.</summary>
    public static Check InTurn(SemaphoreSlim turn, string name, Func<Task> prove) =>
        new(
            name,
            async () =>
            {
                await turn.WaitAsync();
                try
                {
                    await prove();
                }
                finally
                {
                    turn.Release();
                }
            }
        );
}

/// <summary>What a check found broken.</summary>
sealed class BrokenException(string message) : Exception(message);
