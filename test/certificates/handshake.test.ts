import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { isKeyOf } from "../../src/certificates/algorithms.ts";
import { endpointSchema, type Endpoint } from "../../src/certificates/endpoint.ts";
import { probeEndpoint, proveEndpoint } from "../../src/certificates/handshake.ts";
import { readCertificate } from "../../src/certificates/read.ts";
import { keyOf, make, now, serverAuth } from "./make.ts";
import { noOpenssl, openssl, opensslReason } from "./openssl.ts";
import { listen, startTlsServer, tlsServer } from "./servers.ts";

const root = make({ subject: "CN=Root", key: keyOf("P-384", 0), ca: true });
const middle = make({ subject: "CN=Middle", key: keyOf("P-384", 1), by: root, ca: true });
const leaf = make({
  subject: "CN=localhost",
  by: middle,
  names: ["localhost"],
  usages: [serverAuth],
  from: now - 400 * 86_400_000,
});
const { sha256, sha1 } = readCertificate(leaf.der);
const material = { cert: leaf.pem + middle.pem, key: leaf.keyPem };
const signal = AbortSignal.timeout(600_000);
const at = (port: number, more: Partial<Endpoint> = {}): Endpoint =>
  endpointSchema.parse({ host: "localhost", address: "127.0.0.1", port, ...more });

test("what is served is read whole, though nobody trusts it", async () => {
  const port = await tlsServer(material);
  expect(await probeEndpoint(at(port), { signal })).toEqual({
    sha256,
    sha1,
    chain: [leaf.der, middle.der],
    protocol: "TLSv1.3",
  });
});

test.each(["rsa-1024", "P-256"] as const)("a weak or old certificate with %s is read too", async (kind) => {
  const old = make({ subject: "CN=old", key: keyOf(kind, 4), hash: "sha1", until: now - 86_400_000 });
  const port = await tlsServer({
    cert: old.pem,
    key: old.keyPem,
    ciphers: "DEFAULT@SECLEVEL=0",
    maxVersion: "TLSv1.2",
  });
  expect(await probeEndpoint(at(port), { signal })).toMatchObject({ chain: [old.der], protocol: "TLSv1.2" });
});

test("the name that is asked for chooses the certificate", async () => {
  const { createServer: createTlsServer, createSecureContext } = await import("node:tls");
  const other = make({ subject: "CN=other.contoso.com", key: keyOf("P-256", 7), by: middle });
  const server = createTlsServer({
    ...material,
    SNICallback: (name, done) =>
      done(null, createSecureContext(name === "other.contoso.com" ? { cert: other.pem, key: other.keyPem } : material)),
  });
  const port = await listen(server);
  expect((await probeEndpoint(at(port, { serverName: "other.contoso.com" }), { signal })).chain).toEqual([other.der]);
  expect((await probeEndpoint(at(port), { signal })).sha256).toBe(sha256);
  expect((await probeEndpoint(at(port, { host: "127.0.0.1" }), { signal })).sha256).toBe(sha256);
});

test("the proof says which thumbprint is served, or why none is", async () => {
  const port = await tlsServer(material);
  expect(await proveEndpoint(at(port), sha256.toUpperCase(), { signal })).toEqual({
    name: `localhost:${port} (at 127.0.0.1) serves the certificate`,
    ok: true,
    detail: `serves ${sha256} by TLSv1.3`,
  });
  expect(await proveEndpoint(at(port), "0".repeat(64), { signal })).toMatchObject({
    ok: false,
    detail: `serves ${sha256} by TLSv1.3`,
  });
  expect(await proveEndpoint(at(1), sha256, { signal })).toMatchObject({
    ok: false,
    detail: expect.stringContaining("ECONNREFUSED"),
  });
});

test("a server that is silent, speaks no TLS, or hangs up is no error without a code", async () => {
  const silent = await listen(createServer());
  const options = { signal, timeout: 300 };
  await expect(probeEndpoint(at(silent), options)).rejects.toMatchObject({
    code: "ENDPOINT_UNREACHABLE",
    message: expect.stringContaining("in time"),
    class: "transient",
  });
  for (const starttls of ["smtp", "imap", "postgres"] as const)
    await expect(probeEndpoint(at(silent, { starttls }), options)).rejects.toMatchObject({
      code: "ENDPOINT_UNREACHABLE",
    });
  const http = await listen(createServer((socket) => void socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")));
  await expect(probeEndpoint(at(http), options)).rejects.toMatchObject({ code: "HANDSHAKE_FAILED" });
  const rude = await listen(createServer((socket) => void socket.destroy()));
  await expect(probeEndpoint(at(rude), options)).rejects.toMatchObject({ class: "transient" });
  const aborted = AbortSignal.abort(new Error("the step is over"));
  await expect(probeEndpoint(at(silent), { signal: aborted })).rejects.toThrow("the step is over");
  await expect(proveEndpoint(at(silent), sha256, { signal: aborted })).rejects.toThrow("the step is over");
});

describe.each(["smtp", "imap", "postgres"] as const)("%s", (starttls) => {
  test("begins in the clear and shows its certificate", async () => {
    const port = await startTlsServer(starttls, material);
    expect(await probeEndpoint(at(port, { starttls }), { signal })).toMatchObject({
      sha256,
      chain: [leaf.der, middle.der],
    });
  });

  test.skipIf(noOpenssl)(`the server of this test is one by openssl too${opensslReason}`, async () => {
    const port = await startTlsServer(starttls, material);
    const { out } = await openssl([
      "s_client",
      "-connect",
      `127.0.0.1:${port}`,
      "-starttls",
      starttls,
      "-servername",
      "localhost",
    ]);
    const pem = /-----BEGIN CERTIFICATE-----[^]+?-----END CERTIFICATE-----/.exec(out)?.[0] ?? out;
    expect(readCertificate(pem).sha256).toBe(sha256);
  });

  test("words slipped in before the handshake are refused", async () => {
    const ends = { smtp: "go ahead\r\n", imap: "go ahead\r\n", postgres: "S" }[starttls];
    const say = (text: string) => (text.endsWith(ends) ? `${text}250 injected\r\n` : text);
    const port = await startTlsServer(starttls, material, { say });
    await expect(probeEndpoint(at(port, { starttls }), { signal })).rejects.toMatchObject({
      code: "STARTTLS_REFUSED",
      message: expect.stringContaining("spoke on"),
    });
  });

  test("a server without TLS, with nonsense, or without end is refused", async () => {
    for (const say of [
      (text: string) => text.replace("STARTTLS\r\n", "HELP\r\n").replace("OK go ahead", "NO").replace(/^S$/, "N"),
      () => "garbage\r\n",
      () => "x".repeat(300_000),
    ]) {
      const port = await startTlsServer(starttls, material, { say });
      const { code, message } = await probeEndpoint(at(port, { starttls }), { signal, timeout: 2000 }).then(
        () => ({ code: "none", message: "" }),
        (error: { code: string; message: string }) => error,
      );
      expect(code).toBe("STARTTLS_REFUSED");
      expect(message.length).toBeLessThan(250);
    }
  });
});

test("keys of two types compared, and signatures that do not hold, break no later connection", async () => {
  const port = await tlsServer(material);
  const { verifies } = await import("../../src/certificates/path.ts");
  const rsa = readCertificate(make({ subject: "CN=rsa", key: keyOf("rsa-2048") }).der);
  const ec = readCertificate(leaf.der);
  for (let n = 0; n < 20; n++) {
    expect(isKeyOf(ec.publicKey, { kty: "RSA", n: "AQAB", e: "AQAB" })).toBe(false);
    expect(verifies(ec, rsa)).toBe(false);
    expect(verifies(ec, ec)).toBe(false);
    expect(verifies(rsa, readCertificate(make({ subject: "CN=rsa", key: keyOf("rsa-2048", 9) }).der))).toBe(false);
    expect((await probeEndpoint(at(port), { signal })).sha256).toBe(sha256);
  }
});

describe("an endpoint in a policy", () => {
  test("has port 443 unless it says otherwise", () => {
    expect(endpointSchema.parse({ host: "www.contoso.com" })).toEqual({ host: "www.contoso.com", port: 443 });
  });

  test.each([{ host: "127.0.0.1" }, { host: "::1" }, { host: "a_b.contoso.com", address: "2001:db8::1" }])(
    "takes %j",
    (endpoint) => {
      expect(endpointSchema.safeParse(endpoint).success).toBe(true);
    },
  );

  test.each([
    { host: "" },
    { host: "[::1]" },
    { host: "a b" },
    { host: "www.contoso.com\r\nRCPT TO:<a@b>" },
    { host: "-a.com" },
    { host: "a..b" },
    { host: `${"a".repeat(64)}.com` },
    { host: "https://www.contoso.com" },
    { host: "www.contoso.com", serverName: "127.0.0.1" },
    { host: "www.contoso.com", serverName: "a\u0000b" },
    { host: "www.contoso.com", address: "localhost" },
    { host: "www.contoso.com", port: 0 },
    { host: "www.contoso.com", starttls: "ftp" },
    { host: "www.contoso.com", more: true },
  ])("refuses %j", (endpoint) => {
    expect(endpointSchema.safeParse(endpoint).success).toBe(false);
  });
});
