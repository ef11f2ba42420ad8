using System.Security.Cryptography.X509Certificates;
using Azure.Security.KeyVault.Certificates;
using Azure.Security.KeyVault.Secrets;

/// <summary>What happens to certificates after they are made; their key and secret go with them.</summary>
static class CertificateLifeChecks
{
    static readonly CertificateClient Client = Given.Certificates();
    static readonly SecretClient Secrets = Given.Secrets();

    static async Task<KeyVaultCertificateWithPolicy> Import(string name)
    {
        using var own = Issuing.SelfSigned($"{name}.example");
        return await Client.ImportCertificateAsync(new ImportCertificateOptions(name, own.Export(X509ContentType.Pfx)));
    }

    public static readonly Check[] All =
    [
        new(
            "certificates: disabling a version disables its secret, but the certificate can still be read",
            async () =>
            {
                var made = await Import("net-life-off");
                made.Properties.Enabled = false;
                made.Properties.Tags["a"] = "b";
                KeyVaultCertificate changed = await Client.UpdateCertificatePropertiesAsync(made.Properties);
                Expect.Equal((false, "b"), (changed.Properties.Enabled, changed.Properties.Tags["a"]));
                await Expect.Refused(403, "Forbidden", () => Secrets.GetSecretAsync("net-life-off"), "SecretDisabled");
                Expect.Same(made.Cer, (await Client.GetCertificateAsync("net-life-off")).Value.Cer);
                made.Properties.Enabled = true;
                await Client.UpdateCertificatePropertiesAsync(made.Properties);
                Expect.Equal(made.SecretId, (await Secrets.GetSecretAsync("net-life-off")).Value.Id);
            }
        ),
        new(
            "certificates: their secret cannot be set, changed or deleted on its own",
            async () =>
            {
                var made = await Import("net-life-managed");
                KeyVaultSecret secret = await Secrets.GetSecretAsync("net-life-managed");
                secret.Properties.Tags["a"] = "b";
                await Expect.Refused(
                    403,
                    "Forbidden",
                    () => Secrets.SetSecretAsync("net-life-managed", "v"),
                    "SecretManagedByKeyVault"
                );
                await Expect.Refused(
                    403,
                    "Forbidden",
                    () => Secrets.UpdateSecretPropertiesAsync(secret.Properties),
                    "SecretManagedByKeyVault"
                );
                await Expect.Refused(
                    403,
                    "Forbidden",
                    () => Secrets.StartDeleteSecretAsync("net-life-managed"),
                    "SecretManagedByKeyVault"
                );
                await Expect.Refused(
                    403,
                    "Forbidden",
                    () => Secrets.BackupSecretAsync("net-life-managed"),
                    "SecretManagedByKeyVault"
                );
                Expect.Equal(made.SecretId, (await Secrets.GetSecretAsync("net-life-managed")).Value.Id);
            }
        ),
        new(
            "certificates: the policy can be read and changed; the next version goes by it",
            async () =>
            {
                await Import("net-life-policy");
                CertificatePolicy policy = await Client.GetCertificatePolicyAsync("net-life-policy");
                Expect.Equal("Unknown", policy.IssuerName);
                var change = new CertificatePolicy("Self", "CN=changed.example")
                {
                    ValidityInMonths = 3,
                    LifetimeActions =
                    {
                        new LifetimeAction(CertificatePolicyAction.AutoRenew) { DaysBeforeExpiry = 20 },
                    },
                };
                CertificatePolicy answered = await Client.UpdateCertificatePolicyAsync("net-life-policy", change);
                CertificatePolicy read = await Client.GetCertificatePolicyAsync("net-life-policy");
                foreach (var one in new[] { answered, read })
                {
                    Expect.Equal(
                        ("Self", "CN=changed.example", 3, 2048),
                        (one.IssuerName, one.Subject, one.ValidityInMonths!.Value, one.KeySize!.Value)
                    );
                    Expect.Same(
                        [(20, CertificatePolicyAction.AutoRenew)],
                        one.LifetimeActions.Select(action => (action.DaysBeforeExpiry!.Value, action.Action))
                    );
                }
                var made = await CertificateChecks.Make("net-life-policy", read);
                Expect.Near(DateTimeOffset.UtcNow.AddMonths(3), made.Properties.ExpiresOn);
                await Expect.Refused(
                    404,
                    "CertificateNotFound",
                    () => Client.GetCertificatePolicyAsync("net-life-absent")
                );
            }
        ),
        new(
            "certificates: an update without a version changes the newest",
            async () =>
            {
                var first = await Import("net-life-newest");
                await Import("net-life-newest");
                await Client.UpdateCertificatePropertiesAsync(
                    new CertificateProperties("net-life-newest") { Tags = { ["a"] = "b" } }
                );
                Expect.Same(["a"], (await Client.GetCertificateAsync("net-life-newest")).Value.Properties.Tags.Keys);
                KeyVaultCertificate old = await Client.GetCertificateVersionAsync(
                    "net-life-newest",
                    first.Properties.Version
                );
                Expect.Equal(0, old.Properties.Tags.Count);
            }
        ),
        new(
            "certificates: lists name each once, with thumbprint; those still being made only on demand",
            async () =>
            {
                var made = await Import("net-life-list");
                await Client.StartCreateCertificateAsync(
                    "net-life-unfinished",
                    new CertificatePolicy("Unknown", "CN=unfinished")
                );
                var whole = await Client.GetPropertiesOfCertificatesAsync().ToListAsync();
                var all = await Client.GetPropertiesOfCertificatesAsync(includePending: true).ToListAsync();
                var found = whole.Single(one => one.Name == "net-life-list");
                Expect.Same(made.Properties.X509Thumbprint, found.X509Thumbprint);
                Expect.Equal(
                    (new Uri(Given.Main, "/certificates/net-life-list"), made.Properties.ExpiresOn),
                    (found.Id, found.ExpiresOn)
                );
                Expect.True(!whole.Any(one => one.Name == "net-life-unfinished"));
                Expect.True(
                    all.Any(one => one.Name == "net-life-unfinished") && all.Any(one => one.Name == "net-life-list")
                );
            }
        ),
        new(
            "certificates: what was asked of the first page of a list holds for the next ones",
            async () =>
            {
                var client = await Given.SlowCertificates();
                var names = Enumerable.Range(0, 60).Select(i => $"net-pages-{i:00}").ToArray();
                var policy = new CertificatePolicy("Unknown", "CN=pages")
                {
                    KeyType = CertificateKeyType.Ec,
                    KeyCurveName = CertificateKeyCurveName.P256,
                };
                await Parallel.ForEachAsync(
                    names,
                    async (name, _) => await client.StartCreateCertificateAsync(name, policy)
                );
                var all = await client.GetPropertiesOfCertificatesAsync(includePending: true).ToListAsync();
                Expect.Same(names, all.Select(one => one.Name).Where(name => name.StartsWith("net-pages-")).Order());
                Expect.True(
                    !await client.GetPropertiesOfCertificatesAsync().AnyAsync(one => one.Name.StartsWith("net-pages-"))
                );
            }
        ),
        new(
            "certificates: an absent certificate or version is a 404",
            async () =>
            {
                await Import("net-life-there");
                await Expect.Refused(404, "CertificateNotFound", () => Client.GetCertificateAsync("net-life-absent"));
                await Expect.Refused(
                    404,
                    "CertificateNotFound",
                    () => Client.GetCertificateVersionAsync("net-life-there", new string('0', 32))
                );
                await Expect.Refused(
                    404,
                    "CertificateNotFound",
                    () => Client.StartDeleteCertificateAsync("net-life-absent")
                );
                await Expect.Refused(
                    404,
                    "CertificateNotFound",
                    () => Client.GetDeletedCertificateAsync("net-life-there")
                );
                Expect.Equal(0, await Client.GetPropertiesOfCertificateVersionsAsync("net-life-absent").CountAsync());
            }
        ),
        new(
            "certificates: a name that a secret of somebody's own holds is not taken from it",
            async () =>
            {
                await Secrets.SetSecretAsync("net-life-taken", "v");
                await Expect.Refused(409, "Conflict", () => Import("net-life-taken"));
                Expect.Equal("v", (await Secrets.GetSecretAsync("net-life-taken")).Value.Value);
            }
        ),
        new(
            "certificates: a deletion takes the secret along, and recovery brings it back",
            async () =>
            {
                var made = await Import("net-life-back");
                DeletedCertificate deleted = await (
                    await Client.StartDeleteCertificateAsync("net-life-back")
                ).WaitForCompletionAsync();
                Expect.Equal(made.Id, deleted.Id);
                Expect.Equal(new Uri(Given.Main, "/deletedcertificates/net-life-back"), deleted.RecoveryId);
                Expect.Equal(deleted.DeletedOn!.Value.AddDays(90), deleted.ScheduledPurgeDate!.Value);
                await Expect.Refused(404, "CertificateNotFound", () => Client.GetCertificateAsync("net-life-back"));
                await Expect.Refused(404, "SecretNotFound", () => Secrets.GetSecretAsync("net-life-back"));
                await Expect.Refused(409, "Conflict", () => Import("net-life-back"), "ObjectIsDeletedButRecoverable");
                await Expect.Refused(
                    409,
                    "Conflict",
                    () => Secrets.SetSecretAsync("net-life-back", "v"),
                    "ObjectIsDeletedButRecoverable"
                );
                Expect.True(await Client.GetDeletedCertificatesAsync().AnyAsync(one => one.Name == "net-life-back"));
                await (await Client.StartRecoverDeletedCertificateAsync("net-life-back")).WaitForCompletionAsync();
                using X509Certificate2 back = await Client.DownloadCertificateAsync("net-life-back");
                Expect.Same(made.Cer, back.RawData);
                Issuing.ExpectWorkingKey(back);
            }
        ),
        new(
            "certificates: a purge takes the secret along and frees the name for both",
            async () =>
            {
                await Import("net-life-purge");
                await (await Client.StartDeleteCertificateAsync("net-life-purge")).WaitForCompletionAsync();
                Expect.Equal(204, (await Client.PurgeDeletedCertificateAsync("net-life-purge")).Status);
                await Expect.Refused(
                    404,
                    "CertificateNotFound",
                    () => Client.GetDeletedCertificateAsync("net-life-purge")
                );
                await Expect.Refused(404, "SecretNotFound", () => Secrets.GetDeletedSecretAsync("net-life-purge"));
                Expect.Equal("v", (await Secrets.SetSecretAsync("net-life-purge", "v")).Value.Value);
            }
        ),
        new(
            "certificates: a backup restores all versions with their keys, in another vault too",
            async () =>
            {
                var first = await Import("net-life-backup");
                var second = await Import("net-life-backup");
                byte[] backup = await Client.BackupCertificateAsync("net-life-backup");
                await Expect.Refused(409, "Conflict", () => Client.RestoreCertificateBackupAsync(backup));
                var spare = Given.Certificates(Given.Spare);
                KeyVaultCertificateWithPolicy restored = await spare.RestoreCertificateBackupAsync(backup);
                Expect.Equal(
                    (second.Properties.Version, Given.Spare),
                    (restored.Properties.Version, restored.Properties.VaultUri)
                );
                using X509Certificate2 old = await spare.DownloadCertificateAsync(
                    "net-life-backup",
                    first.Properties.Version
                );
                Expect.Same(first.Cer, old.RawData);
                Issuing.ExpectWorkingKey(old);
                await Expect.Refused(
                    400,
                    "Malformed backup blob",
                    () => Client.RestoreCertificateBackupAsync([1, 2, 3])
                );
            }
        ),
    ];
}
