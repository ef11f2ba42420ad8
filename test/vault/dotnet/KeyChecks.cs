using System.Security.Cryptography;
using Microsoft.Azure.KeyVault;
using Microsoft.Azure.KeyVault.Models;
using Microsoft.Azure.KeyVault.WebKey;

/// <summary>Keys, by the official client of the generation before (7.0).</summary>
static class KeyChecks
{
    public static readonly KeyVaultClient Client = Given.Older();
    static readonly string Vault = Given.Main.AbsoluteUri;
    static readonly byte[] Data = RandomNumberGenerator.GetBytes(100);

    static RSA PublicRsa(JsonWebKey key) => RSA.Create(new RSAParameters { Modulus = key.N, Exponent = key.E });

    public static async Task Refused(int status, string code, Func<Task> work, string? inner = null)
    {
        var failure = await Expect.Fails<KeyVaultErrorException>(work);
        var error = failure.Body.Error;
        Expect.Equal(
            (status, code, inner),
            ((int)failure.Response.StatusCode, error.Code, error.InnerError?.Code),
            "status, code, inner code"
        );
    }

    public static readonly Check[] All =
    [
        new(
            "keys: an RSA key has 2048 bits and may be used for all, unless told otherwise",
            async () =>
            {
                var made = await Client.CreateKeyAsync(Vault, "net-key-rsa", "RSA");
                Expect.Equal(("RSA", 256), (made.Key.Kty, made.Key.N.Length));
                Expect.Same(["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"], made.Key.KeyOps);
                Expect.Equal(null, made.Key.D, "no private part");
                Expect.Equal($"{Vault}keys/net-key-rsa/{made.KeyIdentifier.Version}", made.KeyIdentifier.Identifier);
                var found = await Client.GetKeyAsync(Vault, "net-key-rsa");
                Expect.Same(made.Key.N, found.Key.N);
                var larger = await Client.CreateKeyAsync(
                    Vault,
                    "net-key-3072",
                    "RSA",
                    3072,
                    ["sign", "verify"],
                    tags: new Dictionary<string, string> { ["a"] = "b" }
                );
                Expect.Equal((384, "b"), (larger.Key.N.Length, larger.Tags["a"]));
                Expect.Same(["sign", "verify"], larger.Key.KeyOps);
            }
        ),
        new(
            "keys: a key is used only for what it is meant for, which can be changed",
            async () =>
            {
                var made = await Client.CreateKeyAsync(Vault, "net-key-ops", "RSA", keyOps: ["verify"]);
                var (kid, digest) = (made.KeyIdentifier.Identifier, new byte[32]);
                await Refused(403, "Forbidden", () => Client.SignAsync(kid, "RS256", digest), "KeyOperationForbidden");
                await Client.UpdateKeyAsync(kid, ["sign"]);
                await Client.SignAsync(kid, "RS256", digest);
                await Refused(
                    403,
                    "Forbidden",
                    () => Client.VerifyAsync(kid, "RS256", digest, new byte[256]),
                    "KeyOperationForbidden"
                );
            }
        ),
        new(
            "keys: a disabled one is neither read nor used",
            async () =>
            {
                var made = await Client.CreateKeyAsync(Vault, "net-key-off", "RSA");
                var kid = made.KeyIdentifier.Identifier;
                await Client.UpdateKeyAsync(kid, attributes: new KeyAttributes { Enabled = false });
                await Refused(403, "Forbidden", () => Client.GetKeyAsync(kid), "KeyDisabled");
                await Refused(403, "Forbidden", () => Client.SignAsync(kid, "RS256", new byte[32]), "KeyDisabled");
                await Client.UpdateKeyAsync(kid, attributes: new KeyAttributes { Enabled = true });
                await Client.SignAsync(kid, "RS256", new byte[32]);
            }
        ),
        new(
            "keys: what no software vault makes is refused",
            async () =>
            {
                await Refused(400, "BadParameter", () => Client.CreateKeyAsync(Vault, "net-key-bad", "RSA", 1024));
                await Refused(
                    400,
                    "BadParameter",
                    () => Client.CreateKeyAsync(Vault, "net-key-bad", "EC", curve: "P-224"),
                    "KeyCurveNotSupported"
                );
                await Refused(
                    400,
                    "BadParameter",
                    () => Client.CreateKeyAsync(Vault, "net-key-bad", "DSA"),
                    "KeyTypeNotSupported"
                );
                await Refused(
                    400,
                    "BadParameter",
                    () => Client.CreateKeyAsync(Vault, "net-key-bad", "RSA-HSM"),
                    "KeyTypeNotSupported"
                );
                await Refused(404, "KeyNotFound", () => Client.GetKeyAsync(Vault, "net-key-bad"));
            }
        ),
        new(
            "keys: lists and versions come in pages, without private parts",
            async () =>
            {
                var kids = new List<string>();
                for (var i = 0; i < 5; i++)
                    kids.Add(
                        (await Client.CreateKeyAsync(Vault, "net-key-list", "EC", curve: "P-256"))
                            .KeyIdentifier
                            .Identifier
                    );
                var first = await Client.GetKeyVersionsAsync(Vault, "net-key-list", 3);
                var second = await Client.GetKeyVersionsNextAsync(first.NextPageLink);
                Expect.Equal((3, 2, true), (first.Count(), second.Count(), string.IsNullOrEmpty(second.NextPageLink)));
                Expect.Same(kids.Order(), first.Concat(second).Select(one => one.Kid).Order());
                var all = new List<KeyItem>();
                for (
                    var page = await Client.GetKeysAsync(Vault);
                    ;
                    page = await Client.GetKeysNextAsync(page.NextPageLink)
                )
                {
                    all.AddRange(page);
                    if (string.IsNullOrEmpty(page.NextPageLink))
                        break;
                }
                Expect.Equal(1, all.Count(one => one.Kid == $"{Vault}keys/net-key-list"));
            }
        ),
        new(
            "keys: deleted ones are recovered with all versions, or purged",
            async () =>
            {
                var first = await Client.CreateKeyAsync(Vault, "net-key-del", "EC", curve: "P-256");
                await Client.CreateKeyAsync(Vault, "net-key-del", "EC", curve: "P-256");
                var deleted = await Client.DeleteKeyAsync(Vault, "net-key-del");
                Expect.Equal($"{Vault}deletedkeys/net-key-del", deleted.RecoveryId);
                Expect.Equal(deleted.DeletedDate!.Value.AddDays(90), deleted.ScheduledPurgeDate!.Value);
                await Refused(404, "KeyNotFound", () => Client.GetKeyAsync(Vault, "net-key-del"));
                await Refused(
                    404,
                    "KeyNotFound",
                    () => Client.SignAsync(first.KeyIdentifier.Identifier, "ES256", new byte[32])
                );
                await Refused(
                    409,
                    "Conflict",
                    () => Client.CreateKeyAsync(Vault, "net-key-del", "RSA"),
                    "ObjectIsDeletedButRecoverable"
                );
                await Client.RecoverDeletedKeyAsync(Vault, "net-key-del");
                await Client.SignAsync(first.KeyIdentifier.Identifier, "ES256", new byte[32]);
                await Client.DeleteKeyAsync(Vault, "net-key-del");
                await Client.PurgeDeletedKeyAsync(Vault, "net-key-del");
                await Refused(404, "KeyNotFound", () => Client.GetDeletedKeyAsync(Vault, "net-key-del"));
                await Refused(404, "KeyNotFound", () => Client.GetKeyAsync(Vault, "net-key-del"));
            }
        ),
        new(
            "keys: a backup brings the private key into another vault",
            async () =>
            {
                var made = await Client.CreateKeyAsync(Vault, "net-key-backup", "RSA");
                var backup = (await Client.BackupKeyAsync(Vault, "net-key-backup")).Value;
                await Refused(409, "Conflict", () => Client.RestoreKeyAsync(Vault, backup));
                var restored = await Client.RestoreKeyAsync(Given.Spare.AbsoluteUri, backup);
                Expect.Equal(made.KeyIdentifier.Version, restored.KeyIdentifier.Version);
                var signature = (
                    await Client.SignAsync(restored.KeyIdentifier.Identifier, "RS256", SHA256.HashData(Data))
                ).Result;
                Expect.True(
                    PublicRsa(made.Key).VerifyData(Data, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
                );
                await Refused(400, "Malformed backup blob", () => Client.RestoreKeyAsync(Vault, [1, 2, 3]));
            }
        ),
    ];
}
