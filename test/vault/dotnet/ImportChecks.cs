using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Azure.Security.KeyVault.Certificates;
using Azure.Security.KeyVault.Secrets;

/// <summary>Certificates that are brought to the vault.</summary>
static class ImportChecks
{
    static readonly CertificateClient Client = Given.Certificates();
    static readonly SecretClient Secrets = Given.Secrets();

    static async Task<KeyVaultCertificateWithPolicy> Import(
        string name,
        byte[] content,
        string? password = null,
        CertificatePolicy? policy = null
    ) =>
        await Client.ImportCertificateAsync(
            new ImportCertificateOptions(name, content) { Password = password, Policy = policy }
        );

    static async Task<X509Certificate2Collection> Kept(string name)
    {
        KeyVaultSecret secret = await Secrets.GetSecretAsync(name);
        return X509CertificateLoader.LoadPkcs12Collection(Convert.FromBase64String(secret.Value), "");
    }

    static readonly PbeParameters Aes = new(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 10_000);
    static readonly PbeParameters TripleDes = new(
        PbeEncryptionAlgorithm.TripleDes3KeyPkcs12,
        HashAlgorithmName.SHA1,
        2_000
    );

    static byte[] Pem(params string[] parts) => Encoding.ASCII.GetBytes(string.Join('\n', parts));

    public static readonly Check[] All =
    [
        .. new (string What, PbeParameters Encryption)[] { ("AES-256", Aes), ("3DES", TripleDes) }.Select(
            one => new Check(
                $"import: a PFX with a password, under {one.What}; the secret has the same key without password",
                async () =>
                {
                    using var own = Issuing.SelfSigned("import.example", 7);
                    var name = $"net-import-{one.What}".ToLowerInvariant();
                    var imported = await Import(name, own.ExportPkcs12(one.Encryption, "pässword"), "pässword");
                    Expect.Same(own.RawData, imported.Cer);
                    Expect.Equal(new DateTimeOffset(own.NotAfter), imported.Properties.ExpiresOn);
                    Expect.Equal(true, imported.Properties.Enabled);
                    var kept = (await Kept(name)).Single();
                    Expect.Same(
                        own.GetRSAPrivateKey()!.ExportPkcs8PrivateKey(),
                        kept.GetRSAPrivateKey()!.ExportPkcs8PrivateKey(),
                        "the key"
                    );
                }
            )
        ),
        new(
            "import: what the policy leaves open is read from the certificate",
            async () =>
            {
                using var own = Issuing.SelfSigned("open.example", 7);
                var policy = (await Import("net-import-policy", own.Export(X509ContentType.Pfx))).Policy;
                Expect.Equal(("CN=open.example", "Unknown"), (policy.Subject, policy.IssuerName));
                Expect.Equal(
                    (CertificateKeyType.Rsa, 2048, true),
                    (policy.KeyType!.Value, policy.KeySize!.Value, policy.Exportable!.Value)
                );
                Expect.Equal(7, policy.ValidityInMonths);
            }
        ),
        new(
            "import: an EC certificate",
            async () =>
            {
                using var own = Issuing.SelfSignedEc("ec-import.example");
                var imported = await Import("net-import-ec", own.Export(X509ContentType.Pfx));
                Expect.Equal(
                    (CertificateKeyType.Ec, CertificateKeyCurveName.P256),
                    (imported.Policy.KeyType!.Value, imported.Policy.KeyCurveName!.Value)
                );
                var kept = (await Kept("net-import-ec")).Single();
                Expect.Same(own.RawData, kept.RawData);
                Issuing.ExpectWorkingKey(kept);
            }
        ),
        new(
            "import: PEM text, where the policy says so",
            async () =>
            {
                using var own = Issuing.SelfSigned("pem-import.example");
                var content = Pem(own.ExportCertificatePem(), own.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem());
                var policy = new CertificatePolicy { ContentType = CertificateContentType.Pem };
                var imported = await Import("net-import-pem", content, policy: policy);
                Expect.Same(own.RawData, imported.Cer);
                KeyVaultSecret secret = await Secrets.GetSecretAsync("net-import-pem");
                using var kept = X509Certificate2.CreateFromPem(secret.Value, secret.Value);
                Expect.Same(
                    own.GetRSAPrivateKey()!.ExportPkcs8PrivateKey(),
                    kept.GetRSAPrivateKey()!.ExportPkcs8PrivateKey(),
                    "the key"
                );
                using X509Certificate2 downloaded = await Client.DownloadCertificateAsync("net-import-pem");
                Issuing.ExpectWorkingKey(downloaded);
            }
        ),
        new(
            "import: a chain stays with its certificate, the leaf first, or in its own order where asked",
            async () =>
            {
                using var root = Issuing.Authority("Import root");
                using var own = Issuing.Issued("chain.example", root);
                var content = Pem(
                    root.ExportCertificatePem(),
                    own.ExportCertificatePem(),
                    own.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem()
                );
                var policy = new CertificatePolicy { ContentType = CertificateContentType.Pem };
                async Task<string[]> Order(string name, bool? preserve)
                {
                    var options = new ImportCertificateOptions(name, content)
                    {
                        Policy = policy,
                        PreserveCertificateOrder = preserve,
                    };
                    KeyVaultCertificateWithPolicy imported = await Client.ImportCertificateAsync(options);
                    Expect.Same(own.RawData, imported.Cer);
                    var kept = new X509Certificate2Collection();
                    kept.ImportFromPem((await Secrets.GetSecretAsync(name)).Value.Value);
                    return [.. kept.Select(one => one.Subject)];
                }
                Expect.Same(["CN=chain.example", "CN=Import root"], await Order("net-import-chain", null));
                Expect.Same(["CN=Import root", "CN=chain.example"], await Order("net-import-order", true));
            }
        ),
        new(
            "import: a wrong password, no key, a key of another, garbage: refused, and nothing is written",
            async () =>
            {
                using var own = Issuing.SelfSigned("bad.example");
                using var other = Issuing.SelfSigned("other.example");
                var pem = new CertificatePolicy { ContentType = CertificateContentType.Pem };
                (byte[] Content, string? Password, CertificatePolicy? Policy)[] bad =
                [
                    (own.ExportPkcs12(Aes, "right"), "wrong", null),
                    (own.ExportPkcs12(Aes, "right"), null, null),
                    (
                        new X509Certificate2Collection(X509CertificateLoader.LoadCertificate(own.RawData)).Export(
                            X509ContentType.Pfx
                        )!,
                        null,
                        null
                    ),
                    ([1, 2, 3], null, null),
                    (Pem(own.ExportCertificatePem()), null, pem),
                    (Pem(own.ExportCertificatePem(), other.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem()), null, pem),
                    (Pem(own.ExportCertificatePem(), own.GetRSAPrivateKey()!.ExportRSAPrivateKeyPem()), null, pem),
                    (Pem("-----BEGIN CERTIFICATE-----", "AAAA", "-----END CERTIFICATE-----"), null, pem),
                ];
                foreach (var (content, password, policy) in bad)
                {
                    await Expect.Refused(
                        400,
                        "BadParameter",
                        () => Import("net-import-bad", content, password, policy)
                    );
                }
                await Expect.Refused(404, "CertificateNotFound", () => Client.GetCertificateAsync("net-import-bad"));
            }
        ),
        new(
            "import: a second one under a name is its next version",
            async () =>
            {
                using var first = Issuing.SelfSigned("first.example");
                using var second = Issuing.SelfSigned("second.example");
                var one = await Import("net-import-next", first.Export(X509ContentType.Pfx));
                var two = await Import("net-import-next", second.Export(X509ContentType.Pfx));
                Expect.True(one.Properties.Version != two.Properties.Version);
                Expect.Same(second.RawData, (await Client.GetCertificateAsync("net-import-next")).Value.Cer);
                Expect.Same(
                    first.RawData,
                    (await Client.GetCertificateVersionAsync("net-import-next", one.Properties.Version)).Value.Cer
                );
            }
        ),
    ];
}
