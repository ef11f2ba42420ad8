import { X509Certificate, createPrivateKey, randomBytes, webcrypto } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "./clock.ts";

/** What the local cloud's HTTPS servers present, and what their clients must trust. All are PEM texts. */
export interface Tls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Path of `ca`, for `NODE_EXTRA_CA_CERTS` and its like in other languages. */
  readonly caFile: string;
}

const day = 86_400_000;
const year = 365 * day;
const lifetime = 10 * year;
/** With less than this left, a new pair is made at start. */
const margin = year;

/**
 * The certificate authority and the server certificate (localhost, *.localhost, 127.0.0.1, ::1) kept in `dir`, made when
 * absent, damaged or within a year of their end. (Node's clients take no wildcard right under a top-level name, so
 * `x.localhost` works for others only.) The key file has mode 0600; the authority's own key is thrown away as
 * soon as it has signed, so that nobody can ever issue another certificate under a CA that people have trusted.
 */
export async function ensureTls(dir: string, clock: Clock): Promise<Tls> {
  const caFile = join(dir, "ca.pem");
  // Clients check with the system's clock, those in the cloud with the cloud's, which may be years ahead: serve both.
  const real = Math.floor(performance.timeOrigin + performance.now());
  const latest = Math.max(real, clock.now());
  const kept = read(dir, latest + margin);
  if (kept) return { ...kept, caFile };
  const made = await make(real - day, latest + lifetime);
  const fresh = `${dir}.${randomBytes(4).toString("hex")}.new`;
  mkdirSync(fresh, { recursive: true, mode: 0o700 });
  writeFileSync(join(fresh, "server.key"), made.key, { mode: 0o600 });
  writeFileSync(join(fresh, "server.pem"), made.cert);
  writeFileSync(join(fresh, "ca.pem"), made.ca);
  return { ...(putInPlace(fresh, dir, latest + margin) ?? made), caFile };
}

/** Puts the folder `fresh` in the place of `dir`, unless another process was faster: then its files count. */
function putInPlace(fresh: string, dir: string, mustLastUntil: number): Omit<Tls, "caFile"> | undefined {
  try {
    renameSync(fresh, dir);
    return undefined;
  } catch {
    const kept = read(dir, mustLastUntil);
    if (kept) {
      rmSync(fresh, { recursive: true });
      return kept;
    }
  }
  renameSync(dir, `${fresh}.old`);
  renameSync(fresh, dir);
  rmSync(`${fresh}.old`, { recursive: true });
  return undefined;
}

function read(dir: string, mustLastUntil: number): Omit<Tls, "caFile"> | undefined {
  try {
    const [ca, cert, key] = ["ca.pem", "server.pem", "server.key"].map((name) => readFileSync(join(dir, name), "utf8"));
    if (!ca || !cert || !key) return undefined;
    const authority = new X509Certificate(ca);
    const server = new X509Certificate(cert);
    const ends = Math.min(Date.parse(authority.validTo), Date.parse(server.validTo));
    const whole = server.verify(authority.publicKey) && server.checkPrivateKey(createPrivateKey(key));
    return whole && ends > mustLastUntil ? { ca, cert, key } : undefined;
  } catch {
    return undefined;
  }
}

async function make(from: number, until: number): Promise<Omit<Tls, "caFile">> {
  await import("./reflect-metadata.ts");
  const x509 = await import("@peculiar/x509");
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = () => webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const [caKeys, serverKeys] = await Promise.all([keys(), keys()]);
  const common = { notBefore: new Date(from), notAfter: new Date(until), signingAlgorithm: algorithm };
  const issuer = `CN=Local cloud CA ${randomBytes(4).toString("hex")}`;
  const authority = await x509.X509CertificateGenerator.create({
    ...common,
    serialNumber: serial(),
    subject: issuer,
    issuer,
    publicKey: caKeys.publicKey,
    signingKey: caKeys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  });
  const server = await x509.X509CertificateGenerator.create({
    ...common,
    serialNumber: serial(),
    subject: "CN=localhost",
    issuer,
    publicKey: serverKeys.publicKey,
    signingKey: caKeys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([
        { type: "dns", value: "localhost" },
        { type: "dns", value: "*.localhost" },
        { type: "ip", value: "127.0.0.1" },
        { type: "ip", value: "::1" },
      ]),
      await x509.SubjectKeyIdentifierExtension.create(serverKeys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", serverKeys.privateKey));
  const key = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" }).export({ format: "pem", type: "pkcs8" });
  return { ca: `${authority.toString("pem")}\n`, cert: `${server.toString("pem")}\n`, key: String(key) };
}

/** Positive and without a leading zero byte, as DER wants serial numbers. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes.toString("hex");
}
