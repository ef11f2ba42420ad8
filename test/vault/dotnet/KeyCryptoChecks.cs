using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Azure.Security.KeyVault.Certificates;
using Microsoft.Azure.KeyVault;
using Microsoft.Azure.KeyVault.Models;
using Microsoft.Azure.KeyVault.WebKey;
using CertificatePolicy = Azure.Security.KeyVault.Certificates.CertificatePolicy;
using ECParameters = System.Security.Cryptography.ECParameters;

/// <summary>What keys are used for, by the same client; what the vault computes is checked by .NET's own cryptography.</summary>
static class KeyCryptoChecks
{
    static readonly KeyVaultClient Client = KeyChecks.Client;
    static readonly string Vault = Given.Main.AbsoluteUri;
    static readonly byte[] Data = RandomNumberGenerator.GetBytes(100);
    static readonly Lazy<Task<KeyBundle>> Rsa = new(() => Client.CreateKeyAsync(Vault, "net-key-fit-rsa", "RSA"));

    static ECDsa PublicEc(JsonWebKey key, string oid) =>
        ECDsa.Create(new ECParameters { Curve = ECCurve.CreateFromValue(oid), Q = { X = key.X, Y = key.Y } });

    static byte[] Flipped(byte[] bytes) => [(byte)(bytes[0] ^ 1), .. bytes[1..]];

    static async Task CheckSignatures(
        string kid,
        string algorithm,
        HashAlgorithmName hash,
        Func<byte[], bool> verifies,
        Func<byte[]>? sign = null
    )
    {
        var digest = CryptographicOperations.HashData(hash, Data);
        var signature = (await Client.SignAsync(kid, algorithm, digest)).Result;
        Expect.True(verifies(signature), "the public key verifies what the vault signed");
        Expect.True(await Client.VerifyAsync(kid, algorithm, digest, signature), "so does the vault");
        Expect.True(!await Client.VerifyAsync(kid, algorithm, digest, Flipped(signature)), "not another signature");
        Expect.True(!await Client.VerifyAsync(kid, algorithm, Flipped(digest), signature), "not another digest");
        if (sign is not null)
            Expect.True(
                await Client.VerifyAsync(kid, algorithm, digest, sign()),
                "the vault verifies what .NET signed"
            );
        await KeyChecks.Refused(400, "BadParameter", () => Client.SignAsync(kid, algorithm, digest[1..]));
    }

    public static readonly Check[] All =
    [
        .. new (string Algorithm, HashAlgorithmName Hash, RSASignaturePadding Padding)[]
        {
            ("RS256", HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1),
            ("RS384", HashAlgorithmName.SHA384, RSASignaturePadding.Pkcs1),
            ("RS512", HashAlgorithmName.SHA512, RSASignaturePadding.Pkcs1),
            ("PS256", HashAlgorithmName.SHA256, RSASignaturePadding.Pss),
            ("PS384", HashAlgorithmName.SHA384, RSASignaturePadding.Pss),
            ("PS512", HashAlgorithmName.SHA512, RSASignaturePadding.Pss),
        }.Select(one => new Check(
            $"keys: {one.Algorithm} signatures are .NET's own, both ways",
            async () =>
            {
                using var own = RSA.Create(2048);
                var name = $"net-key-{one.Algorithm}";
                var kid = (await Client.ImportKeyAsync(Vault, name, new JsonWebKey(own, true)))
                    .KeyIdentifier
                    .Identifier;
                await CheckSignatures(
                    kid,
                    one.Algorithm,
                    one.Hash,
                    signature => own.VerifyData(Data, signature, one.Hash, one.Padding),
                    () => own.SignData(Data, one.Hash, one.Padding)
                );
            }
        )),
        .. new (string Algorithm, string Curve, string Oid, HashAlgorithmName Hash)[]
        {
            ("ES256", "P-256", "1.2.840.10045.3.1.7", HashAlgorithmName.SHA256),
            ("ES384", "P-384", "1.3.132.0.34", HashAlgorithmName.SHA384),
            ("ES512", "P-521", "1.3.132.0.35", HashAlgorithmName.SHA512),
            ("ES256K", "P-256K", "1.3.132.0.10", HashAlgorithmName.SHA256),
        }.Select(one => new Check(
            $"keys: {one.Algorithm} signatures on {one.Curve} are .NET's own",
            async () =>
            {
                var made = await Client.CreateKeyAsync(Vault, $"net-key-{one.Algorithm}", "EC", curve: one.Curve);
                Expect.Equal(one.Curve, made.Key.CurveName);
                Expect.Same(["sign", "verify"], made.Key.KeyOps);
                using var publicKey = PublicEc(made.Key, one.Oid);
                await CheckSignatures(
                    made.KeyIdentifier.Identifier,
                    one.Algorithm,
                    one.Hash,
                    signature => publicKey.VerifyData(Data, signature, one.Hash)
                );
            }
        )),
        new(
            "keys: an imported EC key signs as .NET does with it",
            async () =>
            {
                using var own = ECDsa.Create(ECCurve.NamedCurves.nistP256);
                var part = own.ExportParameters(true);
                // The client's own reader of EC keys works on Windows only.
                var key = new JsonWebKey
                {
                    Kty = "EC",
                    CurveName = "P-256",
                    X = part.Q.X,
                    Y = part.Q.Y,
                    D = part.D,
                };
                var kid = (await Client.ImportKeyAsync(Vault, "net-key-ec-import", key)).KeyIdentifier.Identifier;
                await CheckSignatures(
                    kid,
                    "ES256",
                    HashAlgorithmName.SHA256,
                    signature => own.VerifyData(Data, signature, HashAlgorithmName.SHA256),
                    () => own.SignData(Data, HashAlgorithmName.SHA256)
                );
            }
        ),
        .. new (string Algorithm, RSAEncryptionPadding Padding)[]
        {
            ("RSA-OAEP", RSAEncryptionPadding.OaepSHA1),
            ("RSA-OAEP-256", RSAEncryptionPadding.OaepSHA256),
            ("RSA1_5", RSAEncryptionPadding.Pkcs1),
        }.Select(one => new Check(
            $"keys: {one.Algorithm} encrypts and wraps as .NET does, both ways",
            async () =>
            {
                using var own = RSA.Create(2048);
                var kid = (
                    await Client.ImportKeyAsync(
                        Vault,
                        $"net-key-{one.Algorithm}".Replace('_', '-'),
                        new JsonWebKey(own, true)
                    )
                )
                    .KeyIdentifier
                    .Identifier;
                var text = RandomNumberGenerator.GetBytes(32);
                var encrypted = await Client.EncryptAsync(kid, one.Algorithm, text);
                Expect.Equal(kid, encrypted.Kid);
                Expect.Same(text, own.Decrypt(encrypted.Result, one.Padding), "the vault's encryption");
                Expect.Same(
                    text,
                    own.Decrypt((await Client.WrapKeyAsync(kid, one.Algorithm, text)).Result, one.Padding),
                    "the vault's wrapping"
                );
                var cipher = own.Encrypt(text, one.Padding);
                Expect.Same(
                    text,
                    (await Client.DecryptAsync(kid, one.Algorithm, cipher)).Result,
                    "the vault's decryption"
                );
                Expect.Same(
                    text,
                    (await Client.UnwrapKeyAsync(kid, one.Algorithm, cipher)).Result,
                    "the vault's unwrapping"
                );
                await KeyChecks.Refused(
                    400,
                    "BadParameter",
                    () => Client.EncryptAsync(kid, one.Algorithm, new byte[257])
                );
            }
        )),
        new(
            "keys: an algorithm that is none, or of another type of key or curve, is refused",
            async () =>
            {
                var rsa = (await Rsa.Value).KeyIdentifier.Identifier;
                var ec = (await Client.CreateKeyAsync(Vault, "net-key-fit", "EC", curve: "P-384"))
                    .KeyIdentifier
                    .Identifier;
                foreach (
                    var (kid, algorithm) in new[]
                    {
                        (rsa, "ES256"),
                        (ec, "RS256"),
                        (ec, "ES256"),
                        (rsa, "HS256"),
                        (rsa, "rs256"),
                    }
                )
                {
                    await KeyChecks.Refused(400, "BadParameter", () => Client.SignAsync(kid, algorithm, new byte[32]));
                }
                await KeyChecks.Refused(
                    403,
                    "Forbidden",
                    () => Client.EncryptAsync(ec, "RSA-OAEP", [1]),
                    "KeyOperationForbidden"
                );
            }
        ),
        new(
            "keys: out of its time one still verifies and decrypts, but does not sign and encrypt",
            async () =>
            {
                using var own = RSA.Create(2048);
                var (past, future) = (DateTime.UtcNow.AddHours(-1), DateTime.UtcNow.AddHours(1));
                foreach (
                    var attributes in new[]
                    {
                        new KeyAttributes { Expires = past },
                        new KeyAttributes { NotBefore = future },
                    }
                )
                {
                    var kid = (
                        await Client.ImportKeyAsync(
                            Vault,
                            "net-key-time",
                            new JsonWebKey(own, true),
                            keyAttributes: attributes
                        )
                    )
                        .KeyIdentifier
                        .Identifier;
                    Expect.Same(own.ExportParameters(false).Modulus!, (await Client.GetKeyAsync(kid)).Key.N);
                    var digest = SHA256.HashData(Data);
                    Expect.True(
                        await Client.VerifyAsync(
                            kid,
                            "RS256",
                            digest,
                            own.SignData(Data, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
                        )
                    );
                    Expect.Same<byte>(
                        [1, 2],
                        (
                            await Client.DecryptAsync(
                                kid,
                                "RSA-OAEP",
                                own.Encrypt([1, 2], RSAEncryptionPadding.OaepSHA1)
                            )
                        ).Result
                    );
                    var inner = attributes.Expires is null ? "KeyNotYetValid" : "KeyExpired";
                    await KeyChecks.Refused(403, "Forbidden", () => Client.SignAsync(kid, "RS256", digest), inner);
                    await KeyChecks.Refused(403, "Forbidden", () => Client.EncryptAsync(kid, "RSA-OAEP", [1]), inner);
                    await KeyChecks.Refused(403, "Forbidden", () => Client.WrapKeyAsync(kid, "RSA-OAEP", [1]), inner);
                }
            }
        ),
        new(
            "keys: the key of a certificate signs what the certificate verifies, and is the certificate's alone",
            async () =>
            {
                var made = await CertificateChecks.Make("net-key-cert", CertificateChecks.SelfSigned());
                using var certificate = X509CertificateLoader.LoadCertificate(made.Cer);
                var kid = made.KeyId.AbsoluteUri;
                var signature = (await Client.SignAsync(kid, "RS256", SHA256.HashData(Data))).Result;
                Expect.True(
                    certificate
                        .GetRSAPublicKey()!
                        .VerifyData(Data, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
                );
                var key = await Client.GetKeyAsync(kid);
                Expect.Equal(true, key.Managed);
                Expect.Same(["sign", "verify", "wrapKey", "unwrapKey"], key.Key.KeyOps);
                await KeyChecks.Refused(
                    403,
                    "Forbidden",
                    () => Client.EncryptAsync(kid, "RSA-OAEP", [1]),
                    "KeyOperationForbidden"
                );
                await KeyChecks.Refused(
                    403,
                    "Forbidden",
                    () => Client.DeleteKeyAsync(Vault, "net-key-cert"),
                    "KeyManagedByKeyVault"
                );
                await KeyChecks.Refused(
                    403,
                    "Forbidden",
                    () => Client.CreateKeyAsync(Vault, "net-key-cert", "RSA"),
                    "KeyManagedByKeyVault"
                );
            }
        ),
        new(
            "keys: not exportable, the key of a certificate works in the vault all the same",
            async () =>
            {
                var policy = new CertificatePolicy("Self", "CN=kept.example")
                {
                    Exportable = false,
                    KeyType = CertificateKeyType.Ec,
                    KeyCurveName = CertificateKeyCurveName.P256,
                };
                var made = await CertificateChecks.Make("net-key-kept", policy);
                using var certificate = X509CertificateLoader.LoadCertificate(made.Cer);
                var signature = (await Client.SignAsync(made.KeyId.AbsoluteUri, "ES256", SHA256.HashData(Data))).Result;
                Expect.True(certificate.GetECDsaPublicKey()!.VerifyData(Data, signature, HashAlgorithmName.SHA256));
            }
        ),
    ];
}
