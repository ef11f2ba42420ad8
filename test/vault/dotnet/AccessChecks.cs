using System.Security.Authentication;
using Azure;
using Azure.Core;
using Azure.Identity;
using Azure.Security.KeyVault.Certificates;
using Azure.Security.KeyVault.Secrets;
using Microsoft.Azure.KeyVault;

/// <summary>Who is let in, and how clients find out.</summary>
static class AccessChecks
{
    static readonly SecretClient Admin = Given.Secrets();

    /// <summary>Another credential that notes what it is asked for.</summary>
    static (TokenCredential Credential, List<TokenRequestContext> Asked) Noting(TokenCredential inner)
    {
        var asked = new List<TokenRequestContext>();
        var credential = DelegatedTokenCredential.Create(
            (context, cancellation) =>
            {
                asked.Add(context);
                return inner.GetToken(context, cancellation);
            },
            async (context, cancellation) =>
            {
                asked.Add(context);
                return await inner.GetTokenAsync(context, cancellation);
            }
        );
        return (credential, asked);
    }

    static TokenCredential Token(string token) =>
        DelegatedTokenCredential.Create((_, _) => new AccessToken(token, DateTimeOffset.UtcNow.AddHours(1)));

    public static readonly Check[] All =
    [
        new(
            "access: the challenge leads the client to the tenant and the scope, once for many requests",
            async () =>
            {
                var (credential, asked) = Noting(Given.Admin);
                var client = Given.Secrets(credential: credential);
                await client.SetSecretAsync("net-challenge", "the body goes out after the challenge");
                Expect.Equal(
                    "the body goes out after the challenge",
                    (await client.GetSecretAsync("net-challenge")).Value.Value
                );
                await client.GetSecretAsync("net-challenge");
                Expect.Same(
                    [("https://vault.azure.net/.default", Given.Tenant)],
                    asked.Select(one => (one.Scopes.Single(), one.TenantId))
                );
            }
        ),
        new(
            "access: a client that verifies the resource of the challenge sends no token to 127.0.0.1",
            async () =>
            {
                var (credential, asked) = Noting(Given.Admin);
                var client = Given.Secrets(
                    credential: credential,
                    change: options => options.DisableChallengeResourceVerification = false
                );
                var failure = await Expect.Fails<InvalidOperationException>(() =>
                    client.GetSecretAsync("net-challenge-verified")
                );
                Expect.True(failure.Message.Contains("vault.azure.net"), failure.Message);
                Expect.Equal(0, asked.Count);
            }
        ),
        new(
            "access: an app with its secret gets a token for its roles",
            async () =>
            {
                await Given.Secrets(credential: Given.Identity("admin")).SetSecretAsync("net-app", "v");
                Expect.Equal("v", (await Admin.GetSecretAsync("net-app")).Value.Value);
            }
        ),
        new(
            "access: an app with a wrong secret gets none",
            async () =>
            {
                var id = Environment.GetEnvironmentVariable("AZURE_CLIENT_ID")!;
                var client = Given.Secrets(credential: Given.Client(id, "wrong"));
                var failure = await Expect.Fails<AuthenticationFailedException>(() => client.GetSecretAsync("net-app"));
                Expect.True(failure.InnerException!.Message.Contains("AADSTS7000215"), failure.InnerException.Message);
            }
        ),
        new(
            "access: a token that is none, or is for another resource, is refused with 401",
            async () =>
            {
                await Expect.Refused(
                    401,
                    "Unauthorized",
                    () => Given.Secrets(credential: Token("garbage")).GetSecretAsync("net-app")
                );
                var other = await Given.Admin.GetTokenAsync(
                    new TokenRequestContext(["https://management.azure.com/.default"]),
                    default
                );
                var failure = await Expect.Fails<RequestFailedException>(() =>
                    Given.Secrets(credential: Token(other.Token)).GetSecretAsync("net-app")
                );
                Expect.Equal((401, "Unauthorized"), (failure.Status, failure.ErrorCode));
                Expect.True(
                    failure.Message.Contains("AKV10022") && failure.Message.Contains("https://management.azure.com"),
                    failure.Message
                );
                Expect.True(
                    failure.GetRawResponse()!.Headers.TryGetValue("WWW-Authenticate", out var challenge)
                        && challenge!.Contains("resource=\"https://vault.azure.net\"")
                );
            }
        ),
        new(
            "access: a role at one secret opens that one only, and for reading",
            async () =>
            {
                await Admin.SetSecretAsync("net-allowed", "v");
                await Admin.SetSecretAsync("net-other", "v");
                var user = Given.Secrets(credential: Given.Identity("user"));
                Expect.Equal("v", (await user.GetSecretAsync("net-allowed")).Value.Value);
                await Expect.Refused(403, "Forbidden", () => user.GetSecretAsync("net-other"), "ForbiddenByRbac");
                await Expect.Refused(
                    403,
                    "Forbidden",
                    () => user.SetSecretAsync("net-allowed", "w"),
                    "ForbiddenByRbac"
                );
                await Expect.Refused(
                    403,
                    "Forbidden",
                    () => user.StartDeleteSecretAsync("net-allowed"),
                    "ForbiddenByRbac"
                );
                await Expect.Refused(
                    403,
                    "Forbidden",
                    () => user.GetPropertiesOfSecretsAsync().ToListAsync().AsTask(),
                    "ForbiddenByRbac"
                );
                Expect.Equal("v", (await Admin.GetSecretAsync("net-allowed")).Value.Value);
            }
        ),
        new(
            "access: a reader sees what there is, but no values, and writes nothing",
            async () =>
            {
                await Admin.SetSecretAsync("net-read", "v");
                var reader = Given.Identity("reader");
                var secrets = Given.Secrets(credential: reader);
                Expect.True(await secrets.GetPropertiesOfSecretsAsync().AnyAsync(one => one.Name == "net-read"));
                await Expect.Refused(403, "Forbidden", () => secrets.GetSecretAsync("net-read"), "ForbiddenByRbac");
                var certificates = Given.Certificates(credential: reader);
                await certificates.GetPropertiesOfCertificatesAsync().ToListAsync();
                await Expect.Refused(
                    403,
                    "Forbidden",
                    () => certificates.StartCreateCertificateAsync("net-read", CertificateChecks.SelfSigned()),
                    "ForbiddenByRbac"
                );
                await Expect.Refused(
                    403,
                    "Forbidden",
                    () => certificates.CreateIssuerAsync(new CertificateIssuer("net-read", "Test")),
                    "ForbiddenByRbac"
                );
                await KeyChecks.Refused(
                    403,
                    "Forbidden",
                    () => Given.Older(reader).CreateKeyAsync(Given.Main.AbsoluteUri, "net-read", "RSA"),
                    "ForbiddenByRbac"
                );
            }
        ),
        new(
            "access: the refusal names the caller, the action and the resource",
            async () =>
            {
                var nobody = Given.Secrets(credential: Given.Identity("nobody"));
                var failure = await Expect.Fails<RequestFailedException>(() => nobody.GetSecretAsync("net-named"));
                foreach (
                    var part in new[]
                    {
                        "Caller: appid=",
                        "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'",
                        "/vaults/kv-net-main/secrets/net-named'",
                    }
                )
                {
                    Expect.True(failure.Message.Contains(part), $"{part} in {failure.Message}");
                }
            }
        ),
        new(
            "access: without --auth strict any token is taken, but none is not",
            async () =>
            {
                await Given.Secrets(Given.Guarded, Token("whatever")).SetSecretAsync("net-any", "v");
                using var bare = new HttpClient(Given.TrustingHandler());
                var response = await bare.GetAsync(new Uri(Given.Guarded, "/secrets/net-any?api-version=7.6"));
                Expect.Equal(401, (int)response.StatusCode);
                var challenge = response.Headers.WwwAuthenticate.Single();
                Expect.Equal("Bearer", challenge.Scheme);
                Expect.True(
                    challenge.Parameter!.Contains("authorization=\"https://")
                        && challenge.Parameter.Contains("resource=\"https://vault.azure.net\""),
                    challenge.Parameter
                );
            }
        ),
        new(
            "access: a vault whose authority is not trusted is not talked to",
            async () =>
            {
                var client = Given.Secrets(
                    Given.Guarded,
                    change: options => options.Transport = new Azure.Core.Pipeline.HttpClientTransport(new HttpClient())
                );
                var failure = await Expect.Fails<RequestFailedException>(() => client.GetSecretAsync("net-any"));
                Expect.True(failure.InnerException?.InnerException is AuthenticationException, failure.ToString());
            }
        ),
    ];
}
