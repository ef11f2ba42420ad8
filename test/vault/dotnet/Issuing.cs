using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

/// <summary>Certificates that are made here, to be brought to a vault or to answer its requests.</summary>
static class Issuing
{
    static readonly DateTimeOffset Start = DateTimeOffset.UtcNow.AddHours(-1);

    public static X509Certificate2 SelfSigned(string name, int months = 12) =>
        Request(name, RSA.Create(2048)).CreateSelfSigned(Start, Start.AddMonths(months));

    public static X509Certificate2 SelfSignedEc(string name) =>
        new CertificateRequest(
            $"CN={name}",
            ECDsa.Create(ECCurve.NamedCurves.nistP256),
            HashAlgorithmName.SHA256
        ).CreateSelfSigned(Start, Start.AddYears(1));

    /// <summary>An authority with its key.</summary>
    public static X509Certificate2 Authority(string name, X509Certificate2? parent = null)
    {
        var key = RSA.Create(2048);
        var request = Request(name, key);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        return parent is null
            ? request.CreateSelfSigned(Start, Start.AddYears(3))
            : request.Create(parent, Start.AddMinutes(1), Start.AddYears(2), Serial()).CopyWithPrivateKey(key);
    }

    /// <summary>What an authority makes of a request in DER.</summary>
    public static X509Certificate2 Answer(byte[] csr, X509Certificate2 authority) =>
        CertificateRequest
            .LoadSigningRequest(
                csr,
                HashAlgorithmName.SHA256,
                CertificateRequestLoadOptions.UnsafeLoadCertificateExtensions
            )
            .Create(
                authority.SubjectName,
                X509SignatureGenerator.CreateForRSA(authority.GetRSAPrivateKey()!, RSASignaturePadding.Pkcs1),
                Start.AddMinutes(2),
                Start.AddMonths(6),
                Serial()
            );

    /// <summary>One issued by the authority, with its key.</summary>
    public static X509Certificate2 Issued(string name, X509Certificate2 authority)
    {
        var key = RSA.Create(2048);
        return Request(name, key)
            .Create(authority, Start.AddMinutes(2), Start.AddMonths(6), Serial())
            .CopyWithPrivateKey(key);
    }

    /// <summary>The key of the certificate and its public part belong together.</summary>
    public static void ExpectWorkingKey(X509Certificate2 certificate)
    {
        Expect.True(certificate.HasPrivateKey, "the certificate has its private key");
        var data = RandomNumberGenerator.GetBytes(100);
        using var publicOnly = X509CertificateLoader.LoadCertificate(certificate.RawData);
        if (certificate.GetRSAPrivateKey() is { } rsa)
        {
            var signature = rsa.SignData(data, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
            Expect.True(
                publicOnly
                    .GetRSAPublicKey()!
                    .VerifyData(data, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1),
                "RSA: what the key signs, the certificate verifies"
            );
        }
        else
        {
            var signature = certificate.GetECDsaPrivateKey()!.SignData(data, HashAlgorithmName.SHA256);
            Expect.True(
                publicOnly.GetECDsaPublicKey()!.VerifyData(data, signature, HashAlgorithmName.SHA256),
                "EC: what the key signs, the certificate verifies"
            );
        }
    }

    static CertificateRequest Request(string name, RSA key) =>
        new($"CN={name}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);

    static byte[] Serial()
    {
        var serial = RandomNumberGenerator.GetBytes(12);
        serial[0] = 0x40;
        return serial;
    }
}
