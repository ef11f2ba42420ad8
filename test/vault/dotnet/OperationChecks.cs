using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Azure.Security.KeyVault.Certificates;
using Azure.Security.KeyVault.Secrets;

/// <summary>Certificates that others sign: the requests, and operations that do not come to a certificate.</summary>
static class OperationChecks
{
    static readonly CertificateClient Client = Given.Certificates();
    static readonly SecretClient Secrets = Given.Secrets();

    static CertificatePolicy Manual(string subject = "CN=manual.example") => new(WellKnownIssuerNames.Unknown, subject);

    static X509Certificate2Collection Pfx(KeyVaultSecret secret) =>
        X509CertificateLoader.LoadPkcs12Collection(Convert.FromBase64String(secret.Value), "");

    public static readonly Check[] All =
    [
        new(
            "operations: a request is signed elsewhere and merged; the secret holds the key and the chain",
            async () =>
            {
                var operation = await Client.StartCreateCertificateAsync("net-merge", Manual());
                Expect.Equal(("Unknown", "inProgress"), (operation.Properties.IssuerName, operation.Properties.Status));
                Expect.True(operation.Properties.StatusDetails.Contains("Merge"), "it asks for a merge");
                using var root = Issuing.Authority("Merge root");
                using var authority = Issuing.Authority("Merge authority", root);
                using var answer = Issuing.Answer(operation.Properties.Csr, authority);
                var options = new MergeCertificateOptions(
                    "net-merge",
                    [answer.RawData, authority.RawData, root.RawData]
                )
                {
                    Tags = { ["a"] = "b" },
                };
                var response = await Client.MergeCertificateAsync(options);
                Expect.Equal(201, response.GetRawResponse().Status);
                KeyVaultCertificateWithPolicy merged = response;
                Expect.Same(answer.RawData, merged.Cer);
                Expect.Equal((true, "b"), (merged.Properties.Enabled, merged.Properties.Tags["a"]));
                Expect.Equal(new DateTimeOffset(answer.NotAfter), merged.Properties.ExpiresOn);
                var chain = Pfx(await Secrets.GetSecretAsync("net-merge"));
                Expect.Same(
                    new[] { answer.Thumbprint, authority.Thumbprint, root.Thumbprint }.Order(),
                    chain.Select(one => one.Thumbprint).Order()
                );
                Issuing.ExpectWorkingKey(chain.Single(one => one.Thumbprint == answer.Thumbprint));
                await operation.UpdateStatusAsync();
                Expect.Equal((true, "completed"), (operation.HasCompleted, operation.Properties.Status));
            }
        ),
        new(
            "operations: a request names what the policy says, so that an authority can go by it",
            async () =>
            {
                var names = new SubjectAlternativeNames { DnsNames = { "csr.example" } };
                var operation = await Client.StartCreateCertificateAsync(
                    "net-csr",
                    new CertificatePolicy("Unknown", "CN=csr.example", names)
                    {
                        KeyType = CertificateKeyType.Ec,
                        KeyCurveName = CertificateKeyCurveName.P384,
                    }
                );
                var request = CertificateRequest.LoadSigningRequest(
                    operation.Properties.Csr,
                    HashAlgorithmName.SHA384,
                    CertificateRequestLoadOptions.UnsafeLoadCertificateExtensions
                );
                Expect.Equal("CN=csr.example", request.SubjectName.Name);
                Expect.Equal(
                    "1.3.132.0.34",
                    request.PublicKey.GetECDsaPublicKey()!.ExportParameters(false).Curve.Oid.Value
                );
                var alternative = new X509SubjectAlternativeNameExtension(
                    request.CertificateExtensions.Single(one => one.Oid?.Value == "2.5.29.17").RawData
                );
                Expect.Same(["csr.example"], alternative.EnumerateDnsNames());
            }
        ),
        new(
            "operations: a certificate for another key is not merged, nor is what is no certificate",
            async () =>
            {
                var operation = await Client.StartCreateCertificateAsync("net-mismatch", Manual());
                using var other = Issuing.SelfSigned("manual.example");
                foreach (var bad in new[] { other.RawData, [1, 2, 3] })
                {
                    await Expect.Refused(
                        400,
                        "BadParameter",
                        () => Client.MergeCertificateAsync(new MergeCertificateOptions("net-mismatch", [bad]))
                    );
                }
                await operation.UpdateStatusAsync();
                Expect.Equal("inProgress", operation.Properties.Status);
                Expect.Equal(false, (await Client.GetCertificateAsync("net-mismatch")).Value.Properties.Enabled);
            }
        ),
        new(
            "operations: while one runs, no other begins and nothing is imported",
            async () =>
            {
                await Client.StartCreateCertificateAsync("net-second", Manual());
                await Expect.Refused(409, "Conflict", () => Client.StartCreateCertificateAsync("net-second", Manual()));
                using var own = Issuing.SelfSigned("second.example");
                var import = new ImportCertificateOptions("net-second", own.Export(X509ContentType.Pfx));
                await Expect.Refused(409, "Conflict", () => Client.ImportCertificateAsync(import));
            }
        ),
        new(
            "operations: a cancelled one ends as cancelled, and a new one can begin",
            async () =>
            {
                var operation = await Client.StartCreateCertificateAsync("net-cancel", Manual());
                await operation.CancelAsync();
                Expect.Equal(
                    (true, "inProgress"),
                    (operation.Properties.CancellationRequested, operation.Properties.Status)
                );
                await Expect.Fails<OperationCanceledException>(() => CertificateChecks.Complete(operation));
                Expect.Equal("cancelled", operation.Properties.Status);
                using var own = Issuing.SelfSigned("cancel.example");
                await Expect.Refused(
                    400,
                    "BadParameter",
                    () => Client.MergeCertificateAsync(new MergeCertificateOptions("net-cancel", [own.RawData]))
                );
                await CertificateChecks.Make("net-cancel", CertificateChecks.SelfSigned());
            }
        ),
        new(
            "operations: a finished one cannot be cancelled",
            async () =>
            {
                var operation = await Client.StartCreateCertificateAsync(
                    "net-cancel-late",
                    CertificateChecks.SelfSigned()
                );
                await CertificateChecks.Complete(operation);
                var again = await Client.GetCertificateOperationAsync("net-cancel-late");
                await Expect.Refused(400, "BadParameter", () => again.CancelAsync());
            }
        ),
        new(
            "operations: a deleted one is gone, its placeholder stays, and a new one can begin",
            async () =>
            {
                var operation = await Client.StartCreateCertificateAsync("net-forget", Manual());
                await operation.DeleteAsync();
                await Expect.Refused(
                    404,
                    "PendingCertificateNotFound",
                    () => Client.GetCertificateOperationAsync("net-forget")
                );
                KeyVaultCertificateWithPolicy left = await Client.GetCertificateAsync("net-forget");
                Expect.Equal((false, null), (left.Properties.Enabled, left.Cer));
                var made = await CertificateChecks.Make("net-forget", CertificateChecks.SelfSigned());
                Expect.True(made.Properties.Version != left.Properties.Version);
            }
        ),
        new(
            "operations: there is none for a certificate that is absent or was imported",
            async () =>
            {
                using var own = Issuing.SelfSigned("none.example");
                await Client.ImportCertificateAsync(
                    new ImportCertificateOptions("net-none", own.Export(X509ContentType.Pfx))
                );
                foreach (var name in new[] { "net-none", "net-none-absent" })
                {
                    await Expect.Refused(
                        404,
                        "PendingCertificateNotFound",
                        () => Client.GetCertificateOperationAsync(name)
                    );
                }
            }
        ),
    ];
}
