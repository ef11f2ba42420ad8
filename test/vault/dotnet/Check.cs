/// <summary>A promise of the vault, and the work that fails when it is broken. Checks run beside each other.</summary>
sealed record Check(string Name, Func<Task> Prove);

/// <summary>What a check found broken.</summary>
sealed class BrokenException(string message) : Exception(message);
