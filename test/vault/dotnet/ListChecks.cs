using Azure;
using Azure.Security.KeyVault.Secrets;

/// <summary>Lists and their pages.</summary>
static class ListChecks
{
    static readonly SecretClient Client = Given.Secrets();

    public static readonly Check[] All =
    [
        new(
            "lists: a secret is listed once, without value, with its newest version's data, also when disabled",
            async () =>
            {
                await Client.SetSecretAsync(
                    new KeyVaultSecret("net-list-one", "1") { Properties = { Tags = { ["old"] = "x" } } }
                );
                var second = new KeyVaultSecret("net-list-one", "2")
                {
                    Properties =
                    {
                        ContentType = "c",
                        Enabled = false,
                        Tags = { ["new"] = "y" },
                    },
                };
                await Client.SetSecretAsync(second);
                var found = await Client
                    .GetPropertiesOfSecretsAsync()
                    .Where(one => one.Name == "net-list-one")
                    .ToListAsync();
                Expect.Equal(1, found.Count);
                Expect.Equal(new Uri(Given.Main, "/secrets/net-list-one"), found[0].Id);
                Expect.Equal((null, "c", false), (found[0].Version, found[0].ContentType, found[0].Enabled));
                Expect.Same(["new"], found[0].Tags.Keys);
            }
        ),
        new(
            "lists: all versions of a secret are there, each with its own data",
            async () =>
            {
                var made = new SortedDictionary<string, string>();
                for (var i = 0; i < 30; i++)
                {
                    var secret = new KeyVaultSecret("net-list-versions", "v") { Properties = { ContentType = $"{i}" } };
                    made[(await Client.SetSecretAsync(secret)).Value.Properties.Version] = $"{i}";
                }
                var pages = await Client
                    .GetPropertiesOfSecretVersionsAsync("net-list-versions")
                    .AsPages()
                    .ToListAsync();
                Expect.Same([25, 5], pages.Select(page => page.Values.Count));
                var found = pages
                    .SelectMany(page => page.Values)
                    .ToDictionary(one => one.Version, one => one.ContentType);
                Expect.Same(made, new SortedDictionary<string, string>(found));
            }
        ),
        new(
            "lists: an absent secret has no versions, which is no error",
            async () => Expect.Equal(0, await Client.GetPropertiesOfSecretVersionsAsync("net-list-absent").CountAsync())
        ),
        new(
            "lists: 60 secrets come in pages of 25, none twice, none missing, whatever is deleted meanwhile",
            async () =>
            {
                // They come first in their vault, so that their pages can be counted.
                var client = Given.Secrets(Given.Guarded);
                var names = Enumerable.Range(0, 60).Select(i => $"a-page-{i:00}").ToArray();
                await Task.WhenAll(names.Select(name => client.SetSecretAsync(name, "v")));
                var found = new List<string>();
                var sizes = new List<int>();
                await foreach (var page in client.GetPropertiesOfSecretsAsync().AsPages())
                {
                    var ours = page.Values.Select(one => one.Name).Where(name => name.StartsWith("a-page-")).ToList();
                    if (found.Count == 0)
                        await client.StartDeleteSecretAsync("a-page-10");
                    found.AddRange(ours);
                    sizes.Add(ours.Count);
                }
                Expect.Same(names, found.Order());
                Expect.Same([25, 25, 10], sizes.Take(3));
            }
        ),
        new(
            "lists: a continuation token goes on where its page ended",
            async () =>
            {
                var client = Given.Secrets(Given.Spare);
                await Task.WhenAll(
                    Enumerable.Range(0, 30).Select(i => client.SetSecretAsync($"net-token-{i:00}", "v"))
                );
                var all = await client.GetPropertiesOfSecretsAsync().AsPages().ToListAsync();
                Expect.True(all.Count > 1 && all[0].ContinuationToken is { Length: > 0 });
                var rest = await client.GetPropertiesOfSecretsAsync().AsPages(all[0].ContinuationToken).ToListAsync();
                static IEnumerable<string> Ours(IEnumerable<Page<SecretProperties>> pages) =>
                    pages
                        .SelectMany(page => page.Values)
                        .Select(one => one.Name)
                        .Where(name => name.StartsWith("net-token-"));
                Expect.Same(Ours(all.Skip(1)), Ours(rest));
                Expect.True(string.IsNullOrEmpty(all[^1].ContinuationToken), "the last page has no token");
            }
        ),
        new(
            "lists: deleted secrets come in pages too",
            async () =>
            {
                var client = Given.Secrets(Given.Spare);
                var names = Enumerable.Range(0, 30).Select(i => $"net-gone-{i:00}").ToArray();
                foreach (var name in names)
                {
                    await client.SetSecretAsync(name, "v");
                    await client.StartDeleteSecretAsync(name);
                }
                var pages = await client.GetDeletedSecretsAsync().AsPages().ToListAsync();
                Expect.True(pages.Count > 1 && pages.All(page => page.Values.Count <= 25));
                var found = pages
                    .SelectMany(page => page.Values)
                    .Where(one => one.Name.StartsWith("net-gone-"))
                    .ToList();
                Expect.Same(names, found.Select(one => one.Name).Order());
                Expect.True(
                    found.All(one =>
                        one.RecoveryId is not null && one.ScheduledPurgeDate == one.DeletedOn!.Value.AddDays(90)
                    )
                );
            }
        ),
    ];
}
