using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Azure.Security.KeyVault.Certificates;
using static Azure.Security.KeyVault.Certificates.CertificateClientOptions;

/// <summary>Certificates that the vault signs itself.</summary>
static class CertificateChecks
{
    static readonly CertificateClient Client = Given.Certificates();

    public static CertificatePolicy SelfSigned(string subject = "CN=net.example") => new("Self", subject);

    /// <summary>Asks every now and then, and not after ten seconds as the vault advises.</summary>
    public static async Task<KeyVaultCertificateWithPolicy> Complete(CertificateOperation operation)
    {
        while (!operation.HasCompleted)
        {
            await Task.Delay(200);
            await operation.UpdateStatusAsync();
        }
        return operation.Value;
    }

    public static async Task<KeyVaultCertificateWithPolicy> Make(
        string name,
        CertificatePolicy policy,
        CertificateClient? client = null
    ) => await Complete(await (client ?? Client).StartCreateCertificateAsync(name, policy));

    public static readonly Check[] All =
    [
        new(
            "certificates: WaitForCompletion ends with a certificate that .NET reads and the policy describes",
            async () =>
            {
                var operation = await Client.StartCreateCertificateAsync("net-self", CertificatePolicy.Default);
                KeyVaultCertificateWithPolicy made = await operation.WaitForCompletionAsync();
                using var certificate = X509CertificateLoader.LoadCertificate(made.Cer);
                Expect.Equal("CN=DefaultPolicy", certificate.Subject);
                Expect.Equal("CN=DefaultPolicy", certificate.Issuer);
                Expect.Same(certificate.GetCertHash(), made.Properties.X509Thumbprint);
                Expect.Equal(certificate.Thumbprint, made.Properties.X509ThumbprintString.ToUpperInvariant());
                Expect.Equal(2048, certificate.GetRSAPublicKey()!.KeySize);
                Expect.Equal(new DateTimeOffset(certificate.NotBefore), made.Properties.NotBefore);
                Expect.Equal(new DateTimeOffset(certificate.NotAfter), made.Properties.ExpiresOn);
                Expect.Near(DateTimeOffset.UtcNow.AddMinutes(-10), made.Properties.NotBefore);
                Expect.Near(DateTimeOffset.UtcNow.AddMonths(12), made.Properties.ExpiresOn);
                Expect.Equal(true, made.Properties.Enabled);
                Expect.Equal(
                    ("Recoverable+Purgeable", 90),
                    (made.Properties.RecoveryLevel, made.Properties.RecoverableDays)
                );
            }
        ),
        new(
            "certificates: one that is being made is shown disabled and without content, with a request that .NET reads",
            async () =>
            {
                var client = await Given.SlowCertificates();
                var operation = await client.StartCreateCertificateAsync(
                    "net-pending",
                    SelfSigned("CN=pending.example, O=Contoso")
                );
                Expect.Equal(
                    ("inProgress", "Self", false),
                    (
                        operation.Properties.Status,
                        operation.Properties.IssuerName,
                        operation.Properties.CancellationRequested
                    )
                );
                Expect.Equal(32, operation.Properties.RequestId.Length);
                Expect.Equal(new Uri(Given.Guarded, "/certificates/net-pending/pending"), operation.Properties.Id);
                var request = CertificateRequest.LoadSigningRequest(
                    operation.Properties.Csr,
                    HashAlgorithmName.SHA256,
                    CertificateRequestLoadOptions.UnsafeLoadCertificateExtensions,
                    RSASignaturePadding.Pkcs1
                );
                Expect.Equal("CN=pending.example, O=Contoso", request.SubjectName.Name);
                KeyVaultCertificateWithPolicy shown = await client.GetCertificateAsync("net-pending");
                Expect.Equal((false, null), (shown.Properties.Enabled, shown.Cer));
                await Expect.Refused(
                    404,
                    "SecretNotFound",
                    () => Given.Secrets(Given.Guarded).GetSecretAsync("net-pending")
                );
            }
        ),
        new(
            "certificates: the placeholder of an operation becomes the version, with the key of the request",
            async () =>
            {
                var operation = await Client.StartCreateCertificateAsync("net-placeholder", SelfSigned());
                var pending = (await Client.GetCertificateAsync("net-placeholder")).Value.Properties.Version;
                var request = CertificateRequest.LoadSigningRequest(operation.Properties.Csr, HashAlgorithmName.SHA256);
                var made = await Complete(operation);
                Expect.Equal(("completed", null), (operation.Properties.Status, operation.Properties.Error));
                Expect.Equal(
                    new Uri(Given.Main, "/certificates/net-placeholder").AbsoluteUri,
                    operation.Properties.Target
                );
                Expect.Equal(pending, made.Properties.Version);
                using var certificate = X509CertificateLoader.LoadCertificate(made.Cer);
                Expect.Same(
                    request.PublicKey.EncodedKeyValue.RawData,
                    certificate.PublicKey.EncodedKeyValue.RawData,
                    "the key"
                );
            }
        ),
        new(
            "certificates: what a policy leaves open is filled in",
            async () =>
            {
                var policy = (await Make("net-defaults", SelfSigned())).Policy;
                Expect.Equal(
                    (CertificateKeyType.Rsa, 2048, true, false),
                    (policy.KeyType!.Value, policy.KeySize!.Value, policy.Exportable!.Value, policy.ReuseKey!.Value)
                );
                Expect.Equal(CertificateContentType.Pkcs12, policy.ContentType!.Value);
                Expect.Equal(12, policy.ValidityInMonths);
                Expect.Equal("Self", policy.IssuerName);
                Expect.Same(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"], policy.EnhancedKeyUsage);
                Expect.Same(
                    [CertificateKeyUsage.DigitalSignature, CertificateKeyUsage.KeyEncipherment],
                    policy.KeyUsage.OrderBy(one => one.ToString())
                );
                Expect.Same(
                    [(80, CertificatePolicyAction.AutoRenew)],
                    policy.LifetimeActions.Select(one => (one.LifetimePercentage!.Value, one.Action))
                );
                Expect.Equal(true, policy.Enabled);
                Expect.Near(DateTimeOffset.UtcNow, policy.CreatedOn);
            }
        ),
        new(
            "certificates: names, usages and months of a policy are in the certificate",
            async () =>
            {
                var names = new SubjectAlternativeNames
                {
                    DnsNames = { "a.example", "*.b.example" },
                    Emails = { "me@a.example" },
                    UserPrincipalNames = { "upn@a.example" },
                };
                var policy = new CertificatePolicy("Self", "CN=names.example, OU=\"Sales, West\", C=PL", names)
                {
                    ValidityInMonths = 25,
                    KeyUsage = { CertificateKeyUsage.DigitalSignature, CertificateKeyUsage.DataEncipherment },
                    EnhancedKeyUsage = { "1.3.6.1.5.5.7.3.3" },
                };
                var made = await Make("net-names", policy);
                using var certificate = X509CertificateLoader.LoadCertificate(made.Cer);
                Expect.Equal("CN=names.example, OU=\"Sales, West\", C=PL", certificate.Subject);
                var alternative = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().Single();
                Expect.Same(["a.example", "*.b.example"], alternative.EnumerateDnsNames());
                Expect.Equal("me@a.example", certificate.GetNameInfo(X509NameType.EmailName, false));
                Expect.Equal("upn@a.example", certificate.GetNameInfo(X509NameType.UpnName, false));
                Expect.Equal(
                    X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.DataEncipherment,
                    certificate.Extensions.OfType<X509KeyUsageExtension>().Single().KeyUsages
                );
                Expect.Same(
                    ["1.3.6.1.5.5.7.3.3"],
                    certificate
                        .Extensions.OfType<X509EnhancedKeyUsageExtension>()
                        .Single()
                        .EnhancedKeyUsages.Cast<Oid>()
                        .Select(oid => oid.Value)
                );
                Expect.Equal(
                    false,
                    certificate.Extensions.OfType<X509BasicConstraintsExtension>().Single().CertificateAuthority
                );
                Expect.Near(DateTimeOffset.UtcNow.AddMonths(25), made.Properties.ExpiresOn);
                Expect.Same(names.DnsNames, made.Policy.SubjectAlternativeNames.DnsNames);
                Expect.Same(names.UserPrincipalNames, made.Policy.SubjectAlternativeNames.UserPrincipalNames);
            }
        ),
        new(
            "certificates: a subject that is no X.500 name, no subject at all, or a bad policy is refused",
            async () =>
            {
                CertificatePolicy[] bad =
                [
                    SelfSigned("net.example"),
                    new CertificatePolicy("Self", "CN=x") { ValidityInMonths = 0 },
                    new CertificatePolicy("Self", "CN=x") { KeySize = 1024 },
                    new CertificatePolicy("Self", "CN=x") { KeyType = CertificateKeyType.Ec, KeyCurveName = "P-224" },
                    new CertificatePolicy("Self", "CN=x")
                    {
                        LifetimeActions =
                        {
                            new LifetimeAction(CertificatePolicyAction.AutoRenew) { LifetimePercentage = 100 },
                        },
                    },
                    new CertificatePolicy("Self", "CN=x")
                    {
                        LifetimeActions =
                        {
                            new LifetimeAction(CertificatePolicyAction.AutoRenew) { DaysBeforeExpiry = 12 * 27 + 1 },
                        },
                    },
                    new CertificatePolicy("no-such-issuer", "CN=x"),
                ];
                foreach (var policy in bad)
                {
                    await Expect.Refused(
                        400,
                        "BadParameter",
                        () => Client.StartCreateCertificateAsync("net-bad-policy", policy)
                    );
                }
                await Expect.Refused(404, "CertificateNotFound", () => Client.GetCertificateAsync("net-bad-policy"));
            }
        ),
        .. Enum.GetValues<ServiceVersion>()
            .Select(version => new Check(
                $"certificates: the client's service version {version} is served",
                async () =>
                {
                    var (client, name) = (
                        Given.Certificates(version: version),
                        $"net-api-{version}".Replace('_', '-') + "-cert"
                    );
                    var made = await Make(name, SelfSigned(), client);
                    using X509Certificate2 downloaded = await client.DownloadCertificateAsync(name);
                    Expect.Same(made.Cer, downloaded.RawData);
                    Issuing.ExpectWorkingKey(downloaded);
                }
            )),
    ];
}
