using System.Diagnostics;
using System.Text.Json;

// Runs every check against running vaults. Says on stdout, a line of JSON each: first the names of all checks, then how each
// of them went. The exit code is 0 when all could be run, whatever they found.

Check[] checks =
[
    .. SecretChecks.All,
    .. DeletedSecretChecks.All,
    .. ListChecks.All,
    .. CertificateChecks.All,
    .. CertificateContentChecks.All,
    .. OperationChecks.All,
    .. IssuerChecks.All,
    .. ImportChecks.All,
    .. CertificateLifeChecks.All,
    .. KeyChecks.All,
    .. KeyCryptoChecks.All,
    .. AccessChecks.All,
    .. FaultChecks.All,
    .. RuleChecks.All,
];

var lines = new Lock();
void Say(object line)
{
    lock (lines)
        Console.WriteLine(JsonSerializer.Serialize(line));
}

Say(new { checks = checks.Select(check => check.Name) });
await Parallel.ForEachAsync(
    checks,
    new ParallelOptions { MaxDegreeOfParallelism = 12 },
    async (check, _) =>
    {
        var watch = Stopwatch.StartNew();
        string? broken = null;
        try
        {
            await check.Prove().WaitAsync(TimeSpan.FromSeconds(200));
        }
        catch (Exception failure)
        {
            broken = failure is BrokenException ? $"{failure.Message}\n{failure.StackTrace}" : failure.ToString();
        }
        Say(
            new
            {
                check = check.Name,
                broken,
                milliseconds = watch.ElapsedMilliseconds,
            }
        );
    }
);
