import { setTimeout as sleep } from "node:timers/promises";
import { X509Certificate, createPublicKey, randomBytes, sign, verify } from "node:crypto";
import { expect, test } from "vitest";
import { readContent } from "../../../local/vault/certificates/content.ts";
import { pkcs12Type } from "../../../local/vault/certificates/model.ts";
import { cryptographyClient, day, failure, start } from "../support.ts";
import { chainOf, keyOf } from "./material.ts";
import {
  collect,
  make,
  operationOf,
  eager,
  ecPolicy,
  keyOfRequest,
  openPem,
  quickVault,
  signRequest,
} from "./support.ts";
import { writePem } from "../../../local/vault/certificates/pem.ts";
import { writePkcs12 } from "../../../local/vault/certificates/pkcs12.ts";

// Every operation of the official client, over HTTPS with the CA checked. It drops some of what it is told (the policy of an
// import, the reply to an update of a policy and to a deletion of contacts), which the wire suite therefore covers.

test("a self-signed certificate with its key and secret", async () => {
  const { certificates, keys, client, url, ca } = await quickVault();
  const made = await make(
    certificates,
    "Orders",
    { subject: "CN=orders, O=Contoso", issuerName: "Self" },
    { tags: { owner: "me" } },
  );
  const version = made.properties.version!;
  expect(made).toMatchObject({
    name: "Orders",
    keyId: `${url}/keys/Orders/${version}`,
    secretId: `${url}/secrets/Orders/${version}`,
    properties: {
      id: `${url}/certificates/Orders/${version}`,
      enabled: true,
      createdOn: new Date(start),
      notBefore: new Date(start - 600_000),
      expiresOn: new Date(Date.UTC(2027, 0, 15, 12)),
      recoveryLevel: "Recoverable+Purgeable",
      recoverableDays: 90,
      tags: { owner: "me" },
    },
    policy: {
      issuerName: "Self",
      subject: "CN=orders, O=Contoso",
      keyType: "RSA",
      keySize: 2048,
      exportable: true,
      reuseKey: false,
      contentType: "application/x-pkcs12",
      keyUsage: ["digitalSignature", "keyEncipherment"],
      enhancedKeyUsage: ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"],
      validityInMonths: 12,
      lifetimeActions: [{ action: "AutoRenew", lifetimePercentage: 80 }],
    },
  });
  const x509 = new X509Certificate(made.cer!);
  expect(x509.subject).toBe("O=Contoso\nCN=orders");
  expect(x509.verify(x509.publicKey), "it signs itself").toBe(true);
  expect(Buffer.from(made.properties.x509Thumbprint!).toString("hex")).toBe(
    x509.fingerprint.replaceAll(":", "").toLowerCase(),
  );

  const operation = await operationOf(certificates, "orders");
  expect(operation).toMatchObject({
    status: "completed",
    target: `${url}/certificates/Orders`,
    issuerName: "Self",
    cancellationRequested: false,
  });
  expect(keyOfRequest(operation.csr!).equals(x509.publicKey)).toBe(true);

  const secret = await client.getSecret("orders");
  expect(secret.properties).toMatchObject({
    version,
    managed: true,
    contentType: "application/x-pkcs12",
    certificateKeyId: made.keyId,
    notBefore: made.properties.notBefore,
    expiresOn: made.properties.expiresOn,
    tags: { owner: "me" },
  });
  const inside = readContent(secret.value!, pkcs12Type, "", false);
  expect(inside.leaf.raw).toEqual(Buffer.from(made.cer!));

  const key = await keys.getKey("orders");
  expect(key.properties).toMatchObject({
    version,
    managed: true,
    notBefore: made.properties.notBefore,
    expiresOn: made.properties.expiresOn,
  });
  expect(key.keyOperations!.toSorted()).toEqual(["sign", "unwrapKey", "verify", "wrapKey"]);
  const digest = randomBytes(32);
  const signed = await cryptographyClient(made.keyId!, ca).sign("RS256", digest);
  const check = await cryptographyClient(made.keyId!, ca).verify("RS256", digest, signed.result);
  expect(check.result).toBe(true);
  const data = randomBytes(100);
  expect(
    verify("sha256", data, x509.publicKey, sign("sha256", data, inside.key)),
    "the secret's key is the certificate's",
  ).toBe(true);
});

test.each(["P-256", "P-384", "P-521", "P-256K"] as const)("EC on %s, as PEM", async (keyCurveName) => {
  const { certificates, client, keys } = await quickVault();
  const made = await make(certificates, "a", { ...ecPolicy, keyCurveName, contentType: "application/x-pem-file" });
  expect(made.policy).toMatchObject({ keyType: "EC", keyCurveName, contentType: "application/x-pem-file" });
  const { value, properties } = await client.getSecret("a");
  expect(properties.contentType).toBe("application/x-pem-file");
  const { key, certificates: inside } = openPem(value!);
  expect(inside.map(({ raw }) => raw)).toEqual([Buffer.from(made.cer!)]);
  expect(createPublicKey(key!).equals(inside[0]!.publicKey)).toBe(true);
  const vaultKey = await keys.getKey("a");
  expect(vaultKey).toMatchObject({ keyType: "EC", keyOperations: ["sign", "verify"] });
  expect(vaultKey.key!.crv).toBe(keyCurveName);
});

test("what cannot be exported stays in the vault", async () => {
  const { certificates, client } = await quickVault();
  await make(certificates, "pem", { ...ecPolicy, exportable: false, contentType: "application/x-pem-file" });
  const made = await make(certificates, "pfx", { ...ecPolicy, exportable: false });
  expect((await client.getSecret("pem")).value).toMatch(
    /^-----BEGIN CERTIFICATE-----\n[^]*-----END CERTIFICATE-----\n$/,
  );
  const { readPkcs12 } = await import("../../../local/vault/certificates/pkcs12.ts");
  const contents = readPkcs12(Buffer.from((await client.getSecret("pfx")).value!, "base64"), "");
  expect(contents).toEqual({ keys: [], certificates: [Buffer.from(made.cer!)] });
});

test("while it is in progress, and when it is called off", async () => {
  const { certificates, client, clock, control } = await quickVault();
  control.set({ certificateDelayMs: 1000 });
  await certificates.beginCreateCertificate("a", ecPolicy, eager);
  const pending = await certificates.getCertificate("a");
  expect(pending).toMatchObject({
    cer: undefined,
    keyId: undefined,
    secretId: undefined,
    properties: { enabled: false, expiresOn: new Date(Date.UTC(2027, 0, 15, 12)) },
    policy: { subject: "CN=orders" },
  });
  expect(await failure(client.getSecret("a"))).toMatchObject({ status: 404, code: "SecretNotFound" });
  expect(await failure(certificates.beginCreateCertificate("a", ecPolicy, eager))).toMatchObject({
    status: 409,
    code: "Conflict",
  });
  const poller = await certificates.getCertificateOperation("a", eager);
  expect(poller.getOperationState().certificateOperation).toMatchObject({
    status: "inProgress",
    cancellationRequested: false,
  });
  await poller.cancelOperation();
  expect(await operationOf(certificates, "a")).toMatchObject({ status: "inProgress", cancellationRequested: true });
  clock.advance(1000);
  expect(await operationOf(certificates, "a")).toMatchObject({ status: "cancelled", cancellationRequested: true });
  await certificates.deleteCertificateOperation("a");
  expect(await failure(certificates.deleteCertificateOperation("a"))).toMatchObject({
    status: 404,
    code: "PendingCertificateNotFound",
  });
  expect((await certificates.getCertificate("a")).properties, "the placeholder stays").toMatchObject({
    enabled: false,
    version: pending.properties.version,
  });
  expect(await collect(certificates.listPropertiesOfCertificates())).toEqual([]);
  expect(
    (await collect(certificates.listPropertiesOfCertificates({ includePending: true }))).map(({ name }) => name),
  ).toEqual(["a"]);
  control.set({ certificateDelayMs: 0 });
  const made = await make(certificates, "a");
  expect(made.properties.version).not.toBe(pending.properties.version);
});

test("an unknown issuer: request, merge, and the chain in the secret", async () => {
  const { certificates, client } = await quickVault();
  await certificates.beginCreateCertificate(
    "a",
    { ...ecPolicy, issuerName: "Unknown", contentType: "application/x-pem-file" },
    eager,
  );
  const { csr } = await operationOf(certificates, "a");
  const { root, signer } = chainOf(keyOf("P-256"));
  const leaf = signRequest(csr!, signer);
  const stranger = chainOf(keyOf("P-256")).leaf;
  expect(await failure(certificates.mergeCertificate("a", [stranger, root]))).toMatchObject({
    status: 400,
    code: "BadParameter",
  });
  const merged = await certificates.mergeCertificate("a", [leaf, root]);
  expect(merged).toMatchObject({
    properties: {
      enabled: true,
      notBefore: new Date(start - day),
      expiresOn: new Date(start + 180 * day),
    },
    policy: { issuerName: "Unknown", lifetimeActions: [{ action: "EmailContacts", lifetimePercentage: 80 }] },
  });
  expect(Buffer.from(merged.cer!)).toEqual(leaf);
  expect(openPem((await client.getSecret("a")).value!).certificates.map(({ raw }) => raw)).toEqual([leaf, root]);
  expect(await operationOf(certificates, "a")).toMatchObject({ status: "completed" });
  expect(await failure(certificates.mergeCertificate("a", [leaf]))).toMatchObject({ status: 400 });
});

test("imports PFX and PEM; the policy is read from the certificate", async () => {
  const { certificates, client, keys } = await quickVault();
  const key = keyOf("rsa");
  const { leaf, root } = chainOf(key);
  const pkcs8 = key.export({ format: "der", type: "pkcs8" });
  const pfx = await certificates.importCertificate("pfx", writePkcs12({ key: pkcs8, certificates: [leaf, root] }));
  expect(pfx).toMatchObject({
    properties: { enabled: true, notBefore: new Date(start - day), expiresOn: new Date(start + 365 * day) },
    policy: {
      issuerName: "Unknown",
      subject: "CN=leaf",
      keyType: "RSA",
      keySize: 2048,
      exportable: true,
      keyUsage: ["digitalSignature"],
      validityInMonths: 12,
    },
  });
  expect((await keys.getKey("pfx")).keyOperations).toEqual(["sign", "verify"]);
  const pem = writePem({ key: pkcs8, certificates: [root, leaf] });
  const imported = await certificates.importCertificate("pem", Buffer.from(pem), {
    policy: { contentType: "application/x-pem-file" } as never,
  });
  expect(Buffer.from(imported.cer!)).toEqual(leaf);
  expect((await client.getSecret("pem")).value).toBe(writePem({ key: pkcs8, certificates: [leaf, root] }));
  const kept = await certificates.importCertificate("kept", Buffer.from(pem), {
    policy: { contentType: "application/x-pem-file" } as never,
    preserveCertificateOrder: true,
  });
  expect(kept.properties.preserveCertificateOrder).toBe(true);
  expect((await client.getSecret("kept")).value, "in the order given").toBe(
    writePem({ key: pkcs8, certificates: [root, leaf] }),
  );
  expect(await failure(certificates.importCertificate("bad", Buffer.from("garbage")))).toMatchObject({
    status: 400,
    code: "BadParameter",
  });
  const again = await certificates.importCertificate("pfx", writePkcs12({ key: pkcs8, certificates: [leaf] }), {
    tags: { a: "1" },
  });
  expect(again.properties).toMatchObject({ enabled: true, tags: { a: "1" } });
  expect(await collect(certificates.listPropertiesOfCertificateVersions("pfx"))).toHaveLength(2);
});

test("a secret's value goes into another vault's import", async () => {
  const { certificates, client } = await quickVault();
  await make(certificates, "a");
  const { value } = await client.getSecret("a");
  const copy = await certificates.importCertificate("b", Buffer.from(value!, "base64"));
  expect(Buffer.from(copy.cer!)).toEqual(Buffer.from((await certificates.getCertificate("a")).cer!));
});

test("pollUntilDone for an unknown issuer ends with the merge", async () => {
  const { certificates } = await quickVault();
  const poller = await certificates.beginCreateCertificate("a", { ...ecPolicy, issuerName: "Unknown" }, eager);
  let done = false;
  const waiting = poller.pollUntilDone().then((result) => ((done = true), result));
  await sleep(50);
  expect(done).toBe(false);
  const { csr } = await operationOf(certificates, "a");
  const { signer } = chainOf(keyOf("P-256"));
  await certificates.mergeCertificate("a", [signRequest(csr!, signer)]);
  expect((await waiting).name).toBe("a");
});
