using System.Text;
using Azure.Security.KeyVault.Secrets;
using static Azure.Security.KeyVault.Secrets.SecretClientOptions;

/// <summary>Secrets that live.</summary>
static class SecretChecks
{
    static readonly SecretClient Client = Given.Secrets();

    public static readonly Check[] All =
    [
        new(
            "secrets: set answers with the value, the id of a new version, and attributes",
            async () =>
            {
                KeyVaultSecret secret = await Client.SetSecretAsync("net-set", "v");
                var properties = secret.Properties;
                Expect.Equal("v", secret.Value);
                Expect.Equal("net-set", secret.Name);
                Expect.True(properties.Version.Length == 32 && properties.Version.All(char.IsAsciiHexDigitLower));
                Expect.Equal(new Uri(Given.Main, $"/secrets/net-set/{properties.Version}"), secret.Id);
                Expect.Equal(Given.Main, properties.VaultUri);
                Expect.Equal(true, properties.Enabled);
                Expect.Near(DateTimeOffset.UtcNow, properties.CreatedOn);
                Expect.Equal(properties.CreatedOn, properties.UpdatedOn);
                Expect.Equal(null, properties.NotBefore);
                Expect.Equal(null, properties.ExpiresOn);
                Expect.Equal(null, properties.ContentType);
                Expect.Equal(0, properties.Tags.Count);
                Expect.Equal(false, properties.Managed);
            }
        ),
        new(
            "secrets: the vault says how deleted ones can be recovered",
            async () =>
            {
                KeyVaultSecret usual = await Client.SetSecretAsync("net-level", "v");
                Expect.Equal(
                    ("Recoverable+Purgeable", 90),
                    (usual.Properties.RecoveryLevel, usual.Properties.RecoverableDays)
                );
                KeyVaultSecret guarded = await Given.Secrets(Given.Guarded).SetSecretAsync("net-level", "v");
                Expect.Equal(
                    ("CustomizedRecoverable", 7),
                    (guarded.Properties.RecoveryLevel, guarded.Properties.RecoverableDays)
                );
            }
        ),
        new(
            "secrets: a value comes back as it is: empty, blanks, any script, line ends, quotes",
            async () =>
            {
                string[] values = ["", " a ", "żółć 秘密 🔑 \u0000 \u200f", "a\r\nb\n", "\"\\/</script>&", "{\"a\":1}"];
                foreach (var value in values)
                {
                    await Client.SetSecretAsync("net-values", value);
                    Expect.Equal(value, (await Client.GetSecretAsync("net-values")).Value.Value);
                }
            }
        ),
        new(
            "secrets: 25 KB of UTF-8 fit, one byte more is refused and nothing is written",
            async () =>
            {
                var most = new string('ż', 25 * 1024 / 2);
                Expect.Equal(25 * 1024, Encoding.UTF8.GetByteCount(most));
                KeyVaultSecret kept = await Client.SetSecretAsync("net-large", most);
                await Expect.Refused(400, "BadParameter", () => Client.SetSecretAsync("net-large", most + "a"));
                KeyVaultSecret found = await Client.GetSecretAsync("net-large");
                Expect.Equal((kept.Id, most), (found.Id, found.Value));
            }
        ),
        new(
            "secrets: versions made at once keep their order, and each can be read",
            async () =>
            {
                var made = new List<KeyVaultSecret>();
                for (var i = 0; i < 30; i++)
                    made.Add(await Client.SetSecretAsync("net-order", $"value {i}"));
                Expect.Equal(30, made.DistinctBy(one => one.Properties.Version).Count());
                Expect.Equal("value 29", (await Client.GetSecretAsync("net-order")).Value.Value);
                foreach (var one in made)
                {
                    KeyVaultSecret read = await Client.GetSecretAsync("net-order", one.Properties.Version);
                    Expect.Equal((one.Id, one.Value), (read.Id, read.Value));
                }
            }
        ),
        new(
            "secrets: content type, tags and times come back, in whole seconds",
            async () =>
            {
                var (start, end) = (DateTimeOffset.UtcNow.AddDays(-2), DateTimeOffset.UtcNow.AddDays(900));
                var given = new KeyVaultSecret("net-attributes", "v")
                {
                    Properties =
                    {
                        ContentType = "text/plain",
                        NotBefore = start,
                        ExpiresOn = end,
                        Tags = { ["a"] = "1", ["__proto__"] = "ż" },
                    },
                };
                await Client.SetSecretAsync(given);
                var found = (await Client.GetSecretAsync("net-attributes")).Value.Properties;
                Expect.Equal("text/plain", found.ContentType);
                Expect.Equal(start.ToUnixTimeSeconds(), found.NotBefore!.Value.ToUnixTimeSeconds());
                Expect.Equal(end.ToUnixTimeSeconds(), found.ExpiresOn!.Value.ToUnixTimeSeconds());
                Expect.Equal(0, found.ExpiresOn!.Value.Millisecond);
                Expect.Same([("__proto__", "ż"), ("a", "1")], found.Tags.Select(tag => (tag.Key, tag.Value)).Order());
            }
        ),
        new(
            "secrets: tags and content type do not carry over to the next version",
            async () =>
            {
                var first = new KeyVaultSecret("net-next", "1")
                {
                    Properties = { ContentType = "x", Tags = { ["a"] = "1" } },
                };
                await Client.SetSecretAsync(first);
                await Client.SetSecretAsync("net-next", "2");
                var found = (await Client.GetSecretAsync("net-next")).Value.Properties;
                Expect.Equal((null, 0), (found.ContentType, found.Tags.Count));
            }
        ),
        new(
            "secrets: an update changes the version in place, and only what is given",
            async () =>
            {
                KeyVaultSecret made = await Client.SetSecretAsync(
                    new KeyVaultSecret("net-update", "v")
                    {
                        Properties = { ContentType = "old", Tags = { ["a"] = "1", ["b"] = "2" } },
                    }
                );
                var properties = new SecretProperties(made.Id) { ContentType = "new" };
                await Client.UpdateSecretPropertiesAsync(properties);
                var tagged = (await Client.GetSecretAsync("net-update")).Value.Properties;
                Expect.Equal(("new", 2), (tagged.ContentType, tagged.Tags.Count));
                tagged.Tags.Remove("a");
                tagged.ExpiresOn = DateTimeOffset.UtcNow.AddDays(1);
                SecretProperties answered = await Client.UpdateSecretPropertiesAsync(tagged);
                Expect.Same(["b"], answered.Tags.Keys);
                KeyVaultSecret found = await Client.GetSecretAsync("net-update");
                Expect.Equal((made.Id, "v", "new"), (found.Id, found.Value, found.Properties.ContentType));
                Expect.Same(["b"], found.Properties.Tags.Keys);
                Expect.Near(DateTimeOffset.UtcNow.AddDays(1), found.Properties.ExpiresOn);
            }
        ),
        new(
            "secrets: a disabled newest version is not read, and no older one steps in",
            async () =>
            {
                KeyVaultSecret old = await Client.SetSecretAsync("net-disabled", "old");
                KeyVaultSecret made = await Client.SetSecretAsync("net-disabled", "new");
                made.Properties.Enabled = false;
                await Client.UpdateSecretPropertiesAsync(made.Properties);
                await Expect.Refused(403, "Forbidden", () => Client.GetSecretAsync("net-disabled"), "SecretDisabled");
                var version = made.Properties.Version;
                await Expect.Refused(
                    403,
                    "Forbidden",
                    () => Client.GetSecretAsync("net-disabled", version),
                    "SecretDisabled"
                );
                Expect.Equal("old", (await Client.GetSecretAsync("net-disabled", old.Properties.Version)).Value.Value);
                made.Properties.Enabled = true;
                await Client.UpdateSecretPropertiesAsync(made.Properties);
                Expect.Equal("new", (await Client.GetSecretAsync("net-disabled")).Value.Value);
            }
        ),
        new(
            "secrets: expired ones and those not yet valid can be read",
            async () =>
            {
                var late = new KeyVaultSecret("net-late", "v")
                {
                    Properties = { ExpiresOn = DateTimeOffset.UtcNow.AddDays(-1) },
                };
                var early = new KeyVaultSecret("net-early", "v")
                {
                    Properties = { NotBefore = DateTimeOffset.UtcNow.AddDays(1) },
                };
                foreach (var one in new[] { late, early })
                {
                    await Client.SetSecretAsync(one);
                    Expect.Equal("v", (await Client.GetSecretAsync(one.Name)).Value.Value);
                }
            }
        ),
        new(
            "secrets: a name is found in any spelling and keeps its first",
            async () =>
            {
                await Client.SetSecretAsync("Net-Case", "1");
                KeyVaultSecret second = await Client.SetSecretAsync("NET-CASE", "2");
                Expect.Equal("Net-Case", second.Name);
                Expect.Equal("2", (await Client.GetSecretAsync("net-case")).Value.Value);
            }
        ),
        new(
            "secrets: an absent secret or version is a 404",
            async () =>
            {
                await Client.SetSecretAsync("net-there", "v");
                var version = new string('0', 32);
                await Expect.Refused(404, "SecretNotFound", () => Client.GetSecretAsync("net-absent"));
                await Expect.Refused(404, "SecretNotFound", () => Client.GetSecretAsync("net-there", version));
                var absent = new SecretProperties(new Uri(Given.Main, $"/secrets/net-there/{version}"))
                {
                    ContentType = "x",
                };
                await Expect.Refused(404, "SecretNotFound", () => Client.UpdateSecretPropertiesAsync(absent));
            }
        ),
        new(
            "secrets: names that Azure does not take are refused",
            async () =>
            {
                foreach (var name in new[] { "a_b", "a.b", "ż", "a b", new string('a', 128) })
                {
                    await Expect.Refused(400, "BadParameter", () => Client.SetSecretAsync(name, "v"));
                }
                var longest = "net-" + new string('a', 123);
                Expect.Equal(longest, (await Client.SetSecretAsync(longest, "v")).Value.Name);
            }
        ),
        new(
            "secrets: at most 15 tags, and a content type of at most 255 characters",
            async () =>
            {
                await Client.SetSecretAsync("net-limits", "kept");
                KeyVaultSecret With(int tags, int length)
                {
                    var secret = new KeyVaultSecret("net-limits", "v")
                    {
                        Properties = { ContentType = new string('x', length) },
                    };
                    for (var i = 0; i < tags; i++)
                        secret.Properties.Tags[$"tag{i}"] = "x";
                    return secret;
                }
                await Expect.Refused(400, "BadParameter", () => Client.SetSecretAsync(With(16, 1)));
                await Expect.Refused(400, "BadParameter", () => Client.SetSecretAsync(With(1, 256)));
                Expect.Equal("kept", (await Client.GetSecretAsync("net-limits")).Value.Value);
                Expect.Equal(15, (await Client.SetSecretAsync(With(15, 255))).Value.Properties.Tags.Count);
            }
        ),
        new(
            "secrets: answers carry the service's headers and the caller's request id",
            async () =>
            {
                await Client.SetSecretAsync("net-headers", "v");
                var response = (await Client.GetSecretAsync("net-headers")).GetRawResponse();
                string Header(string name) => response.Headers.TryGetValue(name, out var value) ? value! : "";
                Expect.Equal("application/json; charset=utf-8", Header("Content-Type"));
                Expect.Equal("no-cache", Header("Cache-Control"));
                Expect.Equal("nosniff", Header("X-Content-Type-Options"));
                foreach (
                    var name in new[]
                    {
                        "x-ms-request-id",
                        "x-ms-keyvault-region",
                        "x-ms-keyvault-service-version",
                        "x-ms-keyvault-network-info",
                        "Strict-Transport-Security",
                    }
                )
                {
                    Expect.True(Header(name) != "", $"there is {name}");
                }
                Expect.Equal(response.ClientRequestId, Header("x-ms-client-request-id"));
            }
        ),
        .. Enum.GetValues<ServiceVersion>()
            .Select(version => new Check(
                $"secrets: the client's service version {version} is served",
                async () =>
                {
                    var (client, name) = (Given.Secrets(version: version), $"net-api-{version}".Replace('_', '-'));
                    KeyVaultSecret made = await client.SetSecretAsync(name, "v");
                    made.Properties.ContentType = "x";
                    await client.UpdateSecretPropertiesAsync(made.Properties);
                    KeyVaultSecret found = await client.GetSecretAsync(name);
                    Expect.Equal((made.Id, "v", "x"), (found.Id, found.Value, found.Properties.ContentType));
                    await (await client.StartDeleteSecretAsync(name)).WaitForCompletionAsync();
                    await Expect.Refused(404, "SecretNotFound", () => client.GetSecretAsync(name));
                }
            )),
    ];
}
