using System.Diagnostics;
using System.Text.Json;
using Azure;
using Azure.Core;
using Azure.Security.KeyVault.Secrets;

/// <summary>What clients do when the service does not do well, with faults that the vault is told to have.</summary>
static class FaultChecks
{
    static readonly SecretClient Client = Given.Secrets(Given.Faulty);

    /// <summary>With the client's own retries, only quicker.</summary>
    static readonly SecretClient Patient = Given.Secrets(
        Given.Faulty,
        change: options =>
        {
            options.Retry.MaxRetries = 3;
            options.Retry.Mode = RetryMode.Fixed;
            options.Retry.Delay = TimeSpan.FromMilliseconds(50);
        }
    );

    static Task Fault(object fault) => Given.Control(Given.Faulty, HttpMethod.Post, "faults", fault);

    /// <summary>The statuses of the requests for a secret, as the vault logged them; 0: no answer.</summary>
    static async Task<int[]> Logged(string operation, string name)
    {
        var log = await Given.Control(Given.Faulty, HttpMethod.Get, "log");
        return
        [
            .. log!
                .Value.GetProperty("value")
                .EnumerateArray()
                .Where(one => Text(one, "operation") == operation && Text(one, "name") == name)
                .Select(one => one.GetProperty("status").GetInt32())
                .Where(status => status != 401),
        ];
    }

    static string? Text(JsonElement one, string member) =>
        one.TryGetProperty(member, out var value) ? value.GetString() : null;

    // Faults are taken by whoever comes first, so these go one after the other, and no other check reads or writes secrets of
    // this vault.
    static readonly SemaphoreSlim Turn = new(1);

    static Check InTurn(string name, Func<Task> prove) => Check.InTurn(Turn, name, prove);

    public static readonly Check[] All =
    [
        InTurn(
            "faults: 429 as the service says it, after which the client tries again",
            async () =>
            {
                await Client.SetSecretAsync("net-429", "v");
                await Fault(
                    new
                    {
                        operation = "secret.get",
                        times = 1,
                        kind = "status",
                        status = 429,
                    }
                );
                var failure = await Expect.Fails<RequestFailedException>(() => Client.GetSecretAsync("net-429"));
                Expect.Equal((429, "Throttled"), (failure.Status, failure.ErrorCode));
                Expect.True(!failure.GetRawResponse()!.Headers.Contains("Retry-After"));
                await Fault(
                    new
                    {
                        operation = "secret.get",
                        times = 2,
                        kind = "status",
                        status = 429,
                    }
                );
                Expect.Equal("v", (await Patient.GetSecretAsync("net-429")).Value.Value);
                Expect.Same([429, 429, 429, 200], await Logged("secret.get", "net-429"));
            }
        ),
        InTurn(
            "faults: Retry-After is waited for",
            async () =>
            {
                await Client.SetSecretAsync("net-after", "v");
                await Fault(
                    new
                    {
                        operation = "secret.get",
                        times = 1,
                        kind = "status",
                        status = 429,
                        retryAfter = 2,
                    }
                );
                var watch = Stopwatch.StartNew();
                await Patient.GetSecretAsync("net-after");
                Expect.True(watch.ElapsedMilliseconds >= 1900, $"{watch.ElapsedMilliseconds} ms");
            }
        ),
        InTurn(
            "faults: a service that stays away fails the client after its last try",
            async () =>
            {
                await Fault(
                    new
                    {
                        operation = "secret.get",
                        times = 4,
                        kind = "status",
                        status = 503,
                    }
                );
                var failure = await Expect.Fails<RequestFailedException>(() => Patient.GetSecretAsync("net-503"));
                Expect.Equal(503, failure.Status);
                Expect.Same([503, 503, 503, 503], await Logged("secret.get", "net-503"));
            }
        ),
        InTurn(
            "faults: a write whose answer got lost is there twice, as with the service",
            async () =>
            {
                await Fault(
                    new
                    {
                        operation = "secret.set",
                        times = 1,
                        kind = "drop",
                        when = "after",
                    }
                );
                KeyVaultSecret made = await Patient.SetSecretAsync("net-lost", "v");
                var versions = await Client.GetPropertiesOfSecretVersionsAsync("net-lost").ToListAsync();
                Expect.Equal(2, versions.Count);
                Expect.Equal(made.Id, (await Client.GetSecretAsync("net-lost")).Value.Id);
            }
        ),
        InTurn(
            "faults: a client that gives up waiting is told so, and nothing hangs",
            async () =>
            {
                await Client.SetSecretAsync("net-late", "v");
                await Fault(
                    new
                    {
                        operation = "secret.get",
                        times = 1,
                        kind = "delay",
                        latencyMs = 5000,
                    }
                );
                using var patience = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
                await Expect.Fails<OperationCanceledException>(() =>
                    Client.GetSecretAsync("net-late", cancellationToken: patience.Token)
                );
                Expect.Equal("v", (await Client.GetSecretAsync("net-late")).Value.Value);
            }
        ),
    ];
}
