using System.Security.Cryptography.X509Certificates;
using Azure.Security.KeyVault.Certificates;
using Azure.Security.KeyVault.Secrets;

/// <summary>Registered issuers, and the contacts of a vault.</summary>
static class IssuerChecks
{
    static readonly CertificateClient Client = Given.Certificates();
    static readonly SecretClient Secrets = Given.Secrets();

    static X509Certificate2Collection Pfx(KeyVaultSecret secret) =>
        X509CertificateLoader.LoadPkcs12Collection(Convert.FromBase64String(secret.Value), "");

    public static readonly Check[] All =
    [
        new(
            "issuers: a registered one signs with an authority of its own, whose chain .NET accepts",
            async () =>
            {
                await Client.CreateIssuerAsync(new CertificateIssuer("net-issuer", "Test"));
                var operation = await Client.StartCreateCertificateAsync(
                    "net-issued",
                    new CertificatePolicy("net-issuer", "CN=issued.example")
                );
                var made = await CertificateChecks.Complete(operation);
                Expect.Equal("net-issuer", made.Policy.IssuerName);
                var all = Pfx(await Secrets.GetSecretAsync("net-issued"));
                var leaf = all.Single(one => one.Subject == "CN=issued.example");
                Issuing.ExpectWorkingKey(leaf);
                Expect.True(leaf.Issuer != leaf.Subject);
                using var chain = new X509Chain();
                chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
                chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
                chain.ChainPolicy.CustomTrustStore.AddRange(
                    all.Where(one => one.Thumbprint != leaf.Thumbprint).ToArray()
                );
                Expect.True(
                    chain.Build(leaf),
                    string.Join(", ", chain.ChainStatus.Select(one => one.StatusInformation))
                );
            }
        ),
        new(
            "issuers: while one is at work, nothing is merged",
            async () =>
            {
                var client = await Given.SlowCertificates();
                await client.CreateIssuerAsync(new CertificateIssuer("net-slow", "Test"));
                var operation = await client.StartCreateCertificateAsync(
                    "net-slow",
                    new CertificatePolicy("net-slow", "CN=slow.example")
                );
                using var authority = Issuing.Authority("Not the issuer");
                using var answer = Issuing.Answer(operation.Properties.Csr, authority);
                await Expect.Refused(
                    403,
                    "Forbidden",
                    () => client.MergeCertificateAsync(new MergeCertificateOptions("net-slow", [answer.RawData]))
                );
                await operation.UpdateStatusAsync();
                Expect.Equal(("inProgress", false), (operation.Properties.Status, operation.HasCompleted));
            }
        ),
        new(
            "issuers: one that refuses fails the operation with its reason",
            async () =>
            {
                var client = Given.Certificates(Given.Faulty);
                await client.CreateIssuerAsync(new CertificateIssuer("net-refuses", "Test"));
                await Given.Control(
                    Given.Faulty,
                    HttpMethod.Put,
                    "settings",
                    new { issuerError = new { code = "Request rejected", message = "The domain is not validated." } }
                );
                var operation = await client.StartCreateCertificateAsync(
                    "net-refused",
                    new CertificatePolicy("net-refuses", "CN=refused.example")
                );
                var failure = await Expect.Fails<InvalidOperationException>(() =>
                    CertificateChecks.Complete(operation)
                );
                Expect.True(failure.Message.Contains("The domain is not validated."), failure.Message);
                Expect.Equal(
                    ("failed", "Request rejected"),
                    (operation.Properties.Status, operation.Properties.Error.Code)
                );
                KeyVaultCertificateWithPolicy left = await client.GetCertificateAsync("net-refused");
                Expect.Equal((false, null), (left.Properties.Enabled, left.Cer));
            }
        ),
        new(
            "issuers: what is set comes back, without the password; an update changes what it gives",
            async () =>
            {
                var issuer = new CertificateIssuer("net-crud", "DigiCert")
                {
                    AccountId = "account",
                    Password = "the-canary-password",
                    OrganizationId = "org",
                    Enabled = true,
                    AdministratorContacts =
                    {
                        new AdministratorContact
                        {
                            FirstName = "A",
                            LastName = "B",
                            Email = "a@b.example",
                            Phone = "1",
                        },
                    },
                };
                var response = await Client.CreateIssuerAsync(issuer);
                Expect.True(
                    !response.GetRawResponse().Content.ToString().Contains("canary"),
                    "no password in the answer"
                );
                CertificateIssuer found = await Client.GetIssuerAsync("net-crud");
                Expect.Equal(
                    ("net-crud", "DigiCert", "account", "org", true),
                    (found.Name, found.Provider, found.AccountId, found.OrganizationId, found.Enabled!.Value)
                );
                Expect.Equal(null, found.Password);
                Expect.Same(
                    [("A", "B", "a@b.example", "1")],
                    found.AdministratorContacts.Select(one => (one.FirstName, one.LastName, one.Email, one.Phone))
                );
                Expect.Equal(new Uri(Given.Main, "/certificates/issuers/net-crud"), found.Id);
                Expect.Near(DateTimeOffset.UtcNow, found.CreatedOn);
                found.AccountId = "other";
                await Client.UpdateIssuerAsync(found);
                CertificateIssuer changed = await Client.GetIssuerAsync("net-crud");
                Expect.Equal(
                    ("DigiCert", "other", "org"),
                    (changed.Provider, changed.AccountId, changed.OrganizationId)
                );
                Expect.True(
                    await Client
                        .GetPropertiesOfIssuersAsync()
                        .AnyAsync(one => one is { Name: "net-crud", Provider: "DigiCert" })
                );
                CertificateIssuer removed = await Client.DeleteIssuerAsync("net-crud");
                Expect.Equal("net-crud", removed.Name);
                await Expect.Refused(404, "CertificateIssuerNotFound", () => Client.GetIssuerAsync("net-crud"));
                await Expect.Refused(404, "CertificateIssuerNotFound", () => Client.DeleteIssuerAsync("net-crud"));
                Expect.True(!await Client.GetPropertiesOfIssuersAsync().AnyAsync(one => one.Name == "net-crud"));
            }
        ),
        new(
            "contacts: a list is set, read, replaced and deleted as a whole",
            async () =>
            {
                var client = Given.Certificates(Given.Spare);
                await Expect.Refused(404, "ContactsNotFound", () => client.GetContactsAsync());
                await client.SetContactsAsync([
                    new CertificateContact
                    {
                        Email = "a@b.example",
                        Name = "A",
                        Phone = "1",
                    },
                    new CertificateContact { Email = "c@d.example" },
                ]);
                IList<CertificateContact> both = (await client.GetContactsAsync()).Value;
                Expect.Same(
                    [("a@b.example", "A", "1"), ("c@d.example", null, null)],
                    both.Select(one => (one.Email, (string?)one.Name, (string?)one.Phone))
                );
                await client.SetContactsAsync([new CertificateContact { Email = "e@f.example" }]);
                Expect.Same(["e@f.example"], (await client.GetContactsAsync()).Value.Select(one => one.Email));
                Expect.Same(["e@f.example"], (await client.DeleteContactsAsync()).Value.Select(one => one.Email));
                await Expect.Refused(404, "ContactsNotFound", () => client.GetContactsAsync());
                await Expect.Refused(404, "ContactsNotFound", () => client.DeleteContactsAsync());
            }
        ),
    ];
}
