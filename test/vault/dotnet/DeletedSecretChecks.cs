using Azure.Security.KeyVault.Secrets;

/// <summary>Secrets that are deleted, and their backups.</summary>
static class DeletedSecretChecks
{
    static readonly SecretClient Client = Given.Secrets();

    static async Task<DeletedSecret> Delete(string name, SecretClient? client = null) =>
        await (await (client ?? Client).StartDeleteSecretAsync(name)).WaitForCompletionAsync();

    public static readonly Check[] All =
    [
        new(
            "deleted secrets: a deletion tells when it was, when the purge comes, and how to recover",
            async () =>
            {
                KeyVaultSecret made = await Client.SetSecretAsync("net-del-tells", "v");
                var operation = await Client.StartDeleteSecretAsync("net-del-tells");
                Expect.Equal(made.Id.AbsoluteUri, operation.Id);
                DeletedSecret deleted = await operation.WaitForCompletionAsync();
                Expect.Equal(made.Id, deleted.Id);
                Expect.Equal(null, deleted.Value);
                Expect.Equal(new Uri(Given.Main, "/deletedsecrets/net-del-tells"), deleted.RecoveryId);
                Expect.Near(DateTimeOffset.UtcNow, deleted.DeletedOn);
                Expect.Equal(deleted.DeletedOn!.Value.AddDays(90), deleted.ScheduledPurgeDate!.Value);
            }
        ),
        new(
            "deleted secrets: they can be got and listed, not read, listed among the living, or deleted again",
            async () =>
            {
                KeyVaultSecret made = await Client.SetSecretAsync("net-del-lists", "v");
                await Delete("net-del-lists");
                DeletedSecret got = await Client.GetDeletedSecretAsync("net-del-lists");
                Expect.Equal((made.Id, "net-del-lists"), (got.Id, got.Name));
                Expect.True(await Client.GetDeletedSecretsAsync().AnyAsync(one => one.Name == "net-del-lists"));
                Expect.True(!await Client.GetPropertiesOfSecretsAsync().AnyAsync(one => one.Name == "net-del-lists"));
                Expect.Equal(0, await Client.GetPropertiesOfSecretVersionsAsync("net-del-lists").CountAsync());
                await Expect.Refused(404, "SecretNotFound", () => Client.GetSecretAsync("net-del-lists"));
                await Expect.Refused(
                    404,
                    "SecretNotFound",
                    () => Client.GetSecretAsync("net-del-lists", made.Properties.Version)
                );
                await Expect.Refused(404, "SecretNotFound", () => Client.StartDeleteSecretAsync("net-del-lists"));
            }
        ),
        new(
            "deleted secrets: the name stays taken",
            async () =>
            {
                await Client.SetSecretAsync("net-del-taken", "v");
                await Delete("net-del-taken");
                await Expect.Refused(
                    409,
                    "Conflict",
                    () => Client.SetSecretAsync("net-del-taken", "w"),
                    "ObjectIsDeletedButRecoverable"
                );
            }
        ),
        new(
            "deleted secrets: recovery brings all versions back as they were",
            async () =>
            {
                KeyVaultSecret first = await Client.SetSecretAsync(
                    new KeyVaultSecret("net-del-back", "1") { Properties = { Tags = { ["a"] = "b" } } }
                );
                KeyVaultSecret second = await Client.SetSecretAsync("net-del-back", "2");
                await Delete("net-del-back");
                SecretProperties recovered = await (
                    await Client.StartRecoverDeletedSecretAsync("net-del-back")
                ).WaitForCompletionAsync();
                Expect.Equal(second.Id, recovered.Id);
                KeyVaultSecret found = await Client.GetSecretAsync("net-del-back", first.Properties.Version);
                Expect.Equal(("1", "b"), (found.Value, found.Properties.Tags["a"]));
                Expect.Equal("2", (await Client.GetSecretAsync("net-del-back")).Value.Value);
                await Expect.Refused(404, "SecretNotFound", () => Client.GetDeletedSecretAsync("net-del-back"));
            }
        ),
        new(
            "deleted secrets: a purge is for ever, and frees the name",
            async () =>
            {
                KeyVaultSecret made = await Client.SetSecretAsync("net-del-purge", "1");
                await Delete("net-del-purge");
                Expect.Equal(204, (await Client.PurgeDeletedSecretAsync("net-del-purge")).Status);
                await Expect.Refused(404, "SecretNotFound", () => Client.GetDeletedSecretAsync("net-del-purge"));
                await Client.SetSecretAsync("net-del-purge", "2");
                await Expect.Refused(
                    404,
                    "SecretNotFound",
                    () => Client.GetSecretAsync("net-del-purge", made.Properties.Version)
                );
            }
        ),
        new(
            "deleted secrets: what is not deleted is not got, recovered or purged",
            async () =>
            {
                await Client.SetSecretAsync("net-del-live", "v");
                foreach (var name in new[] { "net-del-live", "net-del-never" })
                {
                    await Expect.Refused(404, "SecretNotFound", () => Client.GetDeletedSecretAsync(name));
                    await Expect.Refused(404, "SecretNotFound", () => Client.StartRecoverDeletedSecretAsync(name));
                    await Expect.Refused(404, "SecretNotFound", () => Client.PurgeDeletedSecretAsync(name));
                }
                await Expect.Refused(404, "SecretNotFound", () => Client.StartDeleteSecretAsync("net-del-never"));
                Expect.Equal("v", (await Client.GetSecretAsync("net-del-live")).Value.Value);
            }
        ),
        new(
            "deleted secrets: while a deletion runs, nothing else may happen to the name",
            async () =>
            {
                var guarded = Given.Secrets(Given.Guarded);
                await guarded.SetSecretAsync("net-del-slow", "v");
                var operation = await guarded.StartDeleteSecretAsync("net-del-slow");
                Expect.Equal(false, operation.HasCompleted);
                await Expect.Refused(
                    409,
                    "Conflict",
                    () => guarded.SetSecretAsync("net-del-slow", "w"),
                    "ObjectIsBeingDeleted"
                );
                await Expect.Refused(404, "SecretNotFound", () => guarded.GetDeletedSecretAsync("net-del-slow"));
                await operation.WaitForCompletionAsync();
                var back = await guarded.StartRecoverDeletedSecretAsync("net-del-slow");
                Expect.Equal(false, back.HasCompleted);
                await back.WaitForCompletionAsync();
                Expect.Equal("v", (await guarded.GetSecretAsync("net-del-slow")).Value.Value);
            }
        ),
        new(
            "deleted secrets: nobody purges under purge protection",
            async () =>
            {
                var guarded = Given.Secrets(Given.Guarded);
                await guarded.SetSecretAsync("net-del-guarded", "v");
                var deleted = await Delete("net-del-guarded", guarded);
                Expect.Equal(deleted.DeletedOn!.Value.AddDays(7), deleted.ScheduledPurgeDate!.Value);
                await Expect.Refused(403, "Forbidden", () => guarded.PurgeDeletedSecretAsync("net-del-guarded"));
                Expect.Equal("net-del-guarded", (await guarded.GetDeletedSecretAsync("net-del-guarded")).Value.Name);
            }
        ),
        new(
            "backup: all versions come back under their ids, with values, tags and times",
            async () =>
            {
                KeyVaultSecret first = await Client.SetSecretAsync(
                    new KeyVaultSecret("net-backup", "1")
                    {
                        Properties = { Tags = { ["a"] = "b" }, ExpiresOn = DateTimeOffset.UtcNow.AddDays(3) },
                    }
                );
                KeyVaultSecret second = await Client.SetSecretAsync("net-backup", "2");
                byte[] backup = await Client.BackupSecretAsync("net-backup");
                await Delete("net-backup");
                await Client.PurgeDeletedSecretAsync("net-backup");
                SecretProperties restored = await Client.RestoreSecretBackupAsync(backup);
                Expect.Equal(second.Id, restored.Id);
                KeyVaultSecret found = await Client.GetSecretAsync("net-backup", first.Properties.Version);
                Expect.Equal(("1", "b"), (found.Value, found.Properties.Tags["a"]));
                Expect.Equal(
                    (first.Properties.ExpiresOn, first.Properties.CreatedOn),
                    (found.Properties.ExpiresOn, found.Properties.CreatedOn)
                );
                Expect.Equal("2", (await Client.GetSecretAsync("net-backup")).Value.Value);
            }
        ),
        new(
            "backup: it does not show the values",
            async () =>
            {
                await Client.SetSecretAsync("net-backup-sealed", "the-canary-value");
                byte[] backup = await Client.BackupSecretAsync("net-backup-sealed");
                Expect.True(!System.Text.Encoding.Latin1.GetString(backup).Contains("canary"), "no value in the clear");
            }
        ),
        new(
            "backup: another vault of the same owner takes it, a name in use does not, live or deleted",
            async () =>
            {
                await Client.SetSecretAsync("net-backup-moved", "v");
                byte[] backup = await Client.BackupSecretAsync("net-backup-moved");
                await Expect.Refused(409, "Conflict", () => Client.RestoreSecretBackupAsync(backup));
                await Delete("net-backup-moved");
                await Expect.Refused(
                    409,
                    "Conflict",
                    () => Client.RestoreSecretBackupAsync(backup),
                    "ObjectIsDeletedButRecoverable"
                );
                var spare = Given.Secrets(Given.Spare);
                SecretProperties restored = await spare.RestoreSecretBackupAsync(backup);
                Expect.Equal(Given.Spare, restored.VaultUri);
                Expect.Equal("v", (await spare.GetSecretAsync("net-backup-moved")).Value.Value);
            }
        ),
        new(
            "backup: what is none, is changed, or is from elsewhere is refused",
            async () =>
            {
                await Client.SetSecretAsync("net-backup-bad", "v");
                byte[] backup = await Client.BackupSecretAsync("net-backup-bad");
                var changed = backup.ToArray();
                changed[^20] ^= 1;
                foreach (var bad in new[] { "garbage"u8.ToArray(), changed, backup[..^1] })
                {
                    await Expect.Refused(400, "Malformed backup blob", () => Client.RestoreSecretBackupAsync(bad));
                }
                var elsewhere = Given.Secrets(Given.Guarded);
                await Expect.Refused(400, "Malformed backup blob", () => elsewhere.RestoreSecretBackupAsync(backup));
                await Expect.Refused(404, "SecretNotFound", () => Client.BackupSecretAsync("net-backup-absent"));
            }
        ),
    ];
}
