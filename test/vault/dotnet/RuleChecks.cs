using System.Diagnostics;
using Azure;
using Azure.Security.KeyVault.Certificates;
using Azure.Security.KeyVault.Secrets;

/// <summary>Rules that an owner puts before a vault, and the service's own limits; all in the vault `Ruled`.</summary>
static class RuleChecks
{
    static readonly SecretClient Client = Given.Secrets(Given.Ruled);
    static readonly SemaphoreSlim Turn = new(1);

    static Check InTurn(string name, Func<Task> prove) => Check.InTurn(Turn, name, prove);

    static Task Put(string control, object? body) => Given.Control(Given.Ruled, HttpMethod.Put, control, body);

    public static readonly Check[] All =
    [
        InTurn(
            "rules: a firewall keeps out whom it does not name",
            async () =>
            {
                await Client.SetSecretAsync("net-wall", "v");
                await Put("network", new { defaultAction = "Deny", ipRules = new[] { "192.0.2.0/24" } });
                await Expect.Refused(403, "Forbidden", () => Client.GetSecretAsync("net-wall"), "ForbiddenByFirewall");
                await Put("network", new { publicNetworkAccess = "Disabled" });
                await Expect.Refused(
                    403,
                    "Forbidden",
                    () => Client.GetSecretAsync("net-wall"),
                    "ForbiddenByConnection"
                );
                await Put("network", new { defaultAction = "Deny", ipRules = new[] { "127.0.0.1" } });
                Expect.Equal("v", (await Client.GetSecretAsync("net-wall")).Value.Value);
                await Put("network", null);
            }
        ),
        InTurn(
            "rules: Azure Policy denies what breaks it, and nothing is written",
            async () =>
            {
                await Put(
                    "policy",
                    new
                    {
                        secrets = new
                        {
                            expirySet = true,
                            maximumValidityDays = 90,
                            contentTypeSet = true,
                        },
                    }
                );
                KeyVaultSecret With(int? days, string? type) =>
                    new("net-policy", "v")
                    {
                        Properties =
                        {
                            ContentType = type,
                            ExpiresOn = days is { } some ? DateTimeOffset.UtcNow.AddDays(some) : null,
                        },
                    };
                foreach (var (days, type) in new (int?, string?)[] { (null, "x"), (91, "x"), (30, null) })
                {
                    await Expect.Refused(
                        403,
                        "Forbidden",
                        () => Client.SetSecretAsync(With(days, type)),
                        "ForbiddenByPolicy"
                    );
                }
                await Expect.Refused(404, "SecretNotFound", () => Client.GetSecretAsync("net-policy"));
                await Client.SetSecretAsync(With(30, "x"));
                Expect.Equal("v", (await Client.GetSecretAsync("net-policy")).Value.Value);
                await Put("policy", null);
            }
        ),
        InTurn(
            "rules: of 60 keys made at once 20 fit into the service's ten seconds, the others are throttled",
            async () =>
            {
                await Put("settings", new { throttling = true });
                var client = Given.Certificates(Given.Ruled);
                var policy = new CertificatePolicy("Unknown", "CN=many")
                {
                    KeyType = CertificateKeyType.Ec,
                    KeyCurveName = CertificateKeyCurveName.P256,
                };
                var watch = Stopwatch.StartNew();
                var answers = await Task.WhenAll(
                    Enumerable
                        .Range(0, 60)
                        .Select(async i =>
                        {
                            try
                            {
                                await client.StartCreateCertificateAsync($"net-many-{i}", policy);
                                return 202;
                            }
                            catch (RequestFailedException failure) when (failure.ErrorCode == "Throttled")
                            {
                                return failure.Status;
                            }
                        })
                );
                await Put("settings", new { throttling = false });
                Expect.Same([202, 429], answers.Distinct().Order());
                var (made, refused) = (answers.Count(status => status == 202), answers.Count(status => status == 429));
                var windows = watch.ElapsedMilliseconds / 10_000 + 1;
                Expect.True(made >= 20 && made <= 20 * windows, $"{made} made, {refused} refused");
                var there = await client
                    .GetPropertiesOfCertificatesAsync(includePending: true)
                    .CountAsync(one => one.Name.StartsWith("net-many-"));
                Expect.Equal(made, there, "certificates there");
            }
        ),
    ];
}
