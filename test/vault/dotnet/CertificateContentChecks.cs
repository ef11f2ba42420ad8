using System.Security.Cryptography.X509Certificates;
using Azure.Security.KeyVault.Certificates;
using Azure.Security.KeyVault.Secrets;

/// <summary>The keys and secrets of certificates that the vault signs itself.</summary>
static class CertificateContentChecks
{
    static readonly CertificateClient Client = Given.Certificates();
    static readonly SecretClient Secrets = Given.Secrets();

    /// <summary>The certificate as the secret of its name holds it.</summary>
    static async Task<X509Certificate2> FromSecret(string name, string? version = null)
    {
        KeyVaultSecret secret = await Secrets.GetSecretAsync(name, version);
        Expect.Equal("application/x-pkcs12", secret.Properties.ContentType);
        return X509CertificateLoader.LoadPkcs12(Convert.FromBase64String(secret.Value), "");
    }

    public static readonly Check[] All =
    [
        .. new (CertificateKeyCurveName Curve, string Oid)[]
        {
            (CertificateKeyCurveName.P256, "1.2.840.10045.3.1.7"),
            (CertificateKeyCurveName.P384, "1.3.132.0.34"),
            (CertificateKeyCurveName.P521, "1.3.132.0.35"),
            (CertificateKeyCurveName.P256K, "1.3.132.0.10"),
        }.Select(one => new Check(
            $"certificates: an EC key on {one.Curve}, with which .NET signs",
            async () =>
            {
                var policy = new CertificatePolicy("Self", "CN=ec.example")
                {
                    KeyType = CertificateKeyType.Ec,
                    KeyCurveName = one.Curve,
                };
                await CertificateChecks.Make($"net-ec-{one.Curve}", policy);
                using var certificate = await FromSecret($"net-ec-{one.Curve}");
                Expect.Equal(one.Oid, certificate.GetECDsaPublicKey()!.ExportParameters(false).Curve.Oid.Value);
                Issuing.ExpectWorkingKey(certificate);
            }
        )),
        new(
            "certificates: RSA with 3072 bits",
            async () =>
            {
                await CertificateChecks.Make(
                    "net-rsa-3072",
                    new CertificatePolicy("Self", "CN=rsa.example") { KeySize = 3072 }
                );
                using var certificate = await FromSecret("net-rsa-3072");
                Expect.Equal(3072, certificate.GetRSAPublicKey()!.KeySize);
                Issuing.ExpectWorkingKey(certificate);
            }
        ),
        new(
            "certificates: the secret is a PFX without password whose key is the certificate's",
            async () =>
            {
                var made = await CertificateChecks.Make("net-pfx", CertificateChecks.SelfSigned());
                using var certificate = await FromSecret("net-pfx");
                Expect.Same(made.Cer, certificate.RawData);
                Issuing.ExpectWorkingKey(certificate);
                KeyVaultSecret secret = await Secrets.GetSecretAsync("net-pfx");
                Expect.Equal(
                    (made.SecretId, made.KeyId, true),
                    (secret.Id, secret.Properties.KeyId, secret.Properties.Managed)
                );
                Expect.Equal(new Uri(Given.Main, $"/keys/net-pfx/{made.Properties.Version}"), made.KeyId);
                Expect.Equal(
                    (made.Properties.NotBefore, made.Properties.ExpiresOn),
                    (secret.Properties.NotBefore, secret.Properties.ExpiresOn)
                );
            }
        ),
        new(
            "certificates: a PEM secret holds the key in PKCS#8 and the certificate",
            async () =>
            {
                var made = await CertificateChecks.Make(
                    "net-pem",
                    new CertificatePolicy("Self", "CN=pem.example") { ContentType = CertificateContentType.Pem }
                );
                KeyVaultSecret secret = await Secrets.GetSecretAsync("net-pem");
                Expect.Equal("application/x-pem-file", secret.Properties.ContentType);
                Expect.True(secret.Value.StartsWith("-----BEGIN PRIVATE KEY-----"));
                using var certificate = X509Certificate2.CreateFromPem(secret.Value, secret.Value);
                Expect.Same(made.Cer, certificate.RawData);
                Issuing.ExpectWorkingKey(certificate);
            }
        ),
        new(
            "certificates: DownloadCertificate gives a certificate with a working key, of any version and content type",
            async () =>
            {
                var first = await CertificateChecks.Make("net-download", CertificateChecks.SelfSigned());
                await CertificateChecks.Make(
                    "net-download",
                    new CertificatePolicy("Self", "CN=net.example") { ContentType = CertificateContentType.Pem }
                );
                using X509Certificate2 newest = await Client.DownloadCertificateAsync("net-download");
                Issuing.ExpectWorkingKey(newest);
                using X509Certificate2 older = await Client.DownloadCertificateAsync(
                    "net-download",
                    first.Properties.Version
                );
                Issuing.ExpectWorkingKey(older);
                Expect.Same(first.Cer, older.RawData);
                Expect.True(older.Thumbprint != newest.Thumbprint);
            }
        ),
        new(
            "certificates: a PFX is handed out as PEM on demand, not the other way round",
            async () =>
            {
                var made = await CertificateChecks.Make("net-convert", CertificateChecks.SelfSigned());
                KeyVaultSecret secret = await Secrets.GetSecretAsync("net-convert", null, SecretContentType.Pem);
                Expect.Equal("application/x-pem-file", secret.Properties.ContentType);
                using var certificate = X509Certificate2.CreateFromPem(secret.Value, secret.Value);
                Expect.Same(made.Cer, certificate.RawData);
                Issuing.ExpectWorkingKey(certificate);
                using X509Certificate2 downloaded = await Client.DownloadCertificateAsync(
                    "net-convert",
                    null,
                    CertificateContentType.Pem
                );
                Issuing.ExpectWorkingKey(downloaded);
                await CertificateChecks.Make(
                    "net-convert",
                    new CertificatePolicy("Self", "CN=net.example") { ContentType = CertificateContentType.Pem }
                );
                await Expect.Refused(
                    400,
                    "BadParameter",
                    () => Secrets.GetSecretAsync("net-convert", null, SecretContentType.Pkcs12)
                );
                await Expect.Refused(
                    400,
                    "BadParameter",
                    () => Secrets.GetSecretAsync("net-convert", null, new SecretContentType("text/plain"))
                );
                await Secrets.SetSecretAsync(
                    new KeyVaultSecret("net-convert-none", "no PFX")
                    {
                        Properties = { ContentType = "application/x-pkcs12" },
                    }
                );
                await Expect.Refused(
                    400,
                    "BadParameter",
                    () => Secrets.GetSecretAsync("net-convert-none", null, SecretContentType.Pem)
                );
            }
        ),
        new(
            "certificates: a key that is not exportable stays in the vault",
            async () =>
            {
                var made = await CertificateChecks.Make(
                    "net-inside",
                    new CertificatePolicy("Self", "CN=inside.example") { Exportable = false }
                );
                using var certificate = await FromSecret("net-inside");
                Expect.Same(made.Cer, certificate.RawData);
                Expect.Equal(false, certificate.HasPrivateKey);
            }
        ),
        new(
            "certificates: a new version has a new key, or the old one where the policy says so",
            async () =>
            {
                async Task<string> Key(bool reuse)
                {
                    var made = await CertificateChecks.Make(
                        "net-reuse",
                        new CertificatePolicy("Self", "CN=reuse.example") { ReuseKey = reuse }
                    );
                    using var certificate = X509CertificateLoader.LoadCertificate(made.Cer);
                    return Convert.ToHexString(certificate.GetPublicKey());
                }
                var (first, second, third) = (await Key(false), await Key(false), await Key(true));
                Expect.True(first != second, "a new key");
                Expect.Equal(second, third, "the old key");
            }
        ),
        new(
            "certificates: older versions can be read with their own content; the policy is the certificate's",
            async () =>
            {
                var first = await CertificateChecks.Make(
                    "net-versions",
                    CertificateChecks.SelfSigned("CN=one.example")
                );
                var second = await CertificateChecks.Make(
                    "net-versions",
                    CertificateChecks.SelfSigned("CN=two.example")
                );
                KeyVaultCertificate old = await Client.GetCertificateVersionAsync(
                    "net-versions",
                    first.Properties.Version
                );
                Expect.Same(first.Cer, old.Cer);
                Expect.Equal(second.Id, (await Client.GetCertificateAsync("net-versions")).Value.Id);
                var versions = await Client.GetPropertiesOfCertificateVersionsAsync("net-versions").ToListAsync();
                Expect.Same(
                    new[] { first, second }.Select(one => one.Properties.X509ThumbprintString).Order(),
                    versions.Select(one => one.X509ThumbprintString).Order()
                );
                KeyVaultSecret secret = await Secrets.GetSecretAsync("net-versions");
                Expect.Equal(
                    first.Properties.Version,
                    secret.Properties.PreviousVersion,
                    "the secret names the version before it"
                );
                var older = await Given
                    .Secrets(version: SecretClientOptions.ServiceVersion.V7_6)
                    .GetSecretAsync("net-versions");
                Expect.Equal(null, older.Value.Properties.PreviousVersion, "which 7.6 did not know");
            }
        ),
    ];
}
