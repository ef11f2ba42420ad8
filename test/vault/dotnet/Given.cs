using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Identity;
using Azure.Security.KeyVault.Certificates;
using Azure.Security.KeyVault.Secrets;
using Microsoft.Azure.KeyVault;

/// <summary>
/// The vaults, as test/vault/dotnet.test.ts starts them and says in the environment, and clients for them. `Main` and `Spare`
/// check tokens and are trusted by SSL_CERT_FILE; `Guarded`, `Faulty` and `Ruled` take any token, have an authority of their own,
/// purge protection, a retention of 7 days, and deletions that take five seconds.
/// </summary>
static class Given
{
    public static readonly Uri Main = new(Variable("VAULT_MAIN"));
    public static readonly Uri Spare = new(Variable("VAULT_SPARE"));
    public static readonly Uri Guarded = new(Variable("VAULT_GUARDED"));
    public static readonly Uri Faulty = new(Variable("VAULT_FAULTY"));
    public static readonly Uri Ruled = new(Variable("VAULT_RULED"));
    public static readonly string Tenant = Variable("AZURE_TENANT_ID");

    /// <summary>The identity that may do everything with `Main` and `Spare`.</summary>
    public static readonly TokenCredential Admin = new ManagedIdentityCredential(ManagedIdentityId.SystemAssigned);
    public static readonly TokenCredential Anyone = DelegatedTokenCredential.Create((_, _) => SomeToken);

    static readonly AccessToken SomeToken = new("anything", DateTimeOffset.UtcNow.AddHours(1));

    /// <summary>Another identity of the command line, by its name.</summary>
    public static TokenCredential Identity(string name)
    {
        var identity = JsonDocument
            .Parse(Variable("VAULT_IDENTITIES"))
            .RootElement.EnumerateArray()
            .Single(one => one.GetProperty("name").GetString() == name);
        return Client(identity.GetProperty("clientId").GetString()!, identity.GetProperty("secret").GetString()!);
    }

    public static TokenCredential Client(string id, string secret) =>
        new ClientSecretCredential(
            Tenant,
            id,
            secret,
            new ClientSecretCredentialOptions
            {
                AuthorityHost = new Uri(Variable("AZURE_AUTHORITY_HOST")),
                DisableInstanceDiscovery = true,
            }
        );

    public static SecretClient Secrets(
        Uri? vault = null,
        TokenCredential? credential = null,
        SecretClientOptions.ServiceVersion version = SecretClientOptions.ServiceVersion.V2026_04_01,
        Action<SecretClientOptions>? change = null
    )
    {
        var options = new SecretClientOptions(version) { DisableChallengeResourceVerification = true };
        Prepare(options, vault);
        change?.Invoke(options);
        return new SecretClient(vault ?? Main, credential ?? Usual(vault), options);
    }

    public static CertificateClient Certificates(
        Uri? vault = null,
        TokenCredential? credential = null,
        CertificateClientOptions.ServiceVersion version = CertificateClientOptions.ServiceVersion.V2026_04_01
    )
    {
        var options = new CertificateClientOptions(version) { DisableChallengeResourceVerification = true };
        Prepare(options, vault);
        return new CertificateClient(vault ?? Main, credential ?? Usual(vault), options);
    }

    static TokenCredential Usual(Uri? vault) => TakesAnyToken(vault) ? Anyone : Admin;

    static bool TakesAnyToken(Uri? vault) => vault == Guarded || vault == Faulty || vault == Ruled;

    /// <summary>The client of the generation before, for 7.0, with keys too.</summary>
    public static KeyVaultClient Older(TokenCredential? credential = null) =>
        new(
            async (_, resource, _) =>
                (
                    await (credential ?? Admin).GetTokenAsync(
                        new TokenRequestContext([$"{resource}/.default"]),
                        default
                    )
                ).Token
        );

    /// <summary>No retries, since a check wants to see the first answer.</summary>
    static void Prepare(ClientOptions options, Uri? vault)
    {
        options.Retry.MaxRetries = 0;
        if (TakesAnyToken(vault))
            options.Transport = new HttpClientTransport(TrustingHandler());
    }

    /// <summary>Trusts the authority of those that take any token, and no other.</summary>
    public static HttpClientHandler TrustingHandler() =>
        new()
        {
            ServerCertificateCustomValidationCallback = (_, certificate, chain, errors) =>
            {
                if (
                    certificate is null
                    || chain is null
                    || errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch)
                )
                    return false;
                chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
                chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
                chain.ChainPolicy.CustomTrustStore.ImportFromPemFile(Variable("VAULT_GUARDED_CA"));
                return chain.Build(certificate);
            },
        };

    static readonly HttpClient Emulators = new(TrustingHandler());

    /// <summary>Asks a control of a vault that takes any token; the answer's JSON, if it has any.</summary>
    public static async Task<JsonElement?> Control(Uri vault, HttpMethod method, string control, object? body = null)
    {
        using var request = new HttpRequestMessage(method, new Uri(vault, $"/_emulator/{control}"));
        if (method != HttpMethod.Get)
            request.Content = new StringContent(JsonSerializer.Serialize(body), Encoding.UTF8, "application/json");
        using var response = await Emulators.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        if (!response.IsSuccessStatusCode)
            throw new BrokenException($"{control}: {(int)response.StatusCode} {text}");
        return text == "" ? null : JsonDocument.Parse(text).RootElement;
    }

    static readonly Lazy<Task> Slowness = new(() =>
        Control(Guarded, HttpMethod.Put, "settings", new { certificateDelayMs = 3_600_000, issuerDelayMs = 3_600_000 })
    );

    /// <summary>Certificates of `Guarded`, where none is made within the hour: what is not ready yet can be looked at.</summary>
    public static async Task<CertificateClient> SlowCertificates()
    {
        await Slowness.Value;
        return Certificates(Guarded);
    }

    static string Variable(string name) =>
        Environment.GetEnvironmentVariable(name) ?? throw new InvalidOperationException($"{name} is not set.");
}
