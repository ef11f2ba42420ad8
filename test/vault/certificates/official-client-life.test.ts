import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { day, failure, start } from "../support.ts";
import { collect, make, eager, ecPolicy, openPem, quickVault } from "./support.ts";

// The rest of the official client: versions, policies, deletion, backup, contacts, issuers.

test("versions, updates, and what follows the certificate", async () => {
  const { certificates, client, keys, clock, url } = await quickVault();
  const first = await make(certificates, "a");
  clock.advance(5000);
  const second = await make(certificates, "a");
  const versions = await collect(certificates.listPropertiesOfCertificateVersions("a"));
  expect(versions.map(({ version }) => version)).toEqual(
    [first, second].map(({ properties }) => properties.version!).sort(),
  );
  const old = await certificates.getCertificateVersion("a", first.properties.version!);
  expect(Buffer.from(old.cer!)).toEqual(Buffer.from(first.cer!));
  clock.advance(5000);
  const updated = await certificates.updateCertificateProperties("a", first.properties.version!, {
    enabled: false,
    tags: { state: "old" },
  });
  expect(updated.properties).toMatchObject({
    enabled: false,
    tags: { state: "old" },
    createdOn: new Date(start),
    updatedOn: new Date(start + 10_000),
  });
  const { version } = first.properties;
  expect(await failure(client.getSecret("a", { version: version! }))).toMatchObject({
    status: 403,
    inner: "SecretDisabled",
  });
  expect(await failure(keys.getKey("a", { version: version! }))).toMatchObject({ status: 403, inner: "KeyDisabled" });
  expect((await certificates.getCertificateVersion("a", version!)).properties.enabled, "public parts can be read").toBe(
    false,
  );
  await certificates.updateCertificateProperties("a", version!, { enabled: true });
  expect((await client.getSecret("a", { version: version! })).properties.tags).toEqual({ state: "old" });
  expect((await collect(certificates.listPropertiesOfCertificates())).map(({ id }) => id)).toEqual([
    `${url}/certificates/a`,
  ]);
});

test("the policy alone", async () => {
  const { certificates } = await quickVault();
  await make(certificates, "a");
  await certificates.updateCertificatePolicy("a", {
    ...ecPolicy,
    validityInMonths: 24,
    reuseKey: true,
    lifetimeActions: [{ action: "EmailContacts", daysBeforeExpiry: 30 }],
  });
  expect(await certificates.getCertificatePolicy("a")).toMatchObject({
    validityInMonths: 24,
    reuseKey: true,
    lifetimeActions: [{ action: "EmailContacts", daysBeforeExpiry: 30 }],
    subject: "CN=orders",
  });
  const before = await certificates.getCertificate("a");
  const renewed = await make(certificates, "a", await certificates.getCertificatePolicy("a"));
  expect(renewed.properties.expiresOn).toEqual(new Date(Date.UTC(2028, 0, 15, 12)));
  const publicKey = (cer: Uint8Array) => new X509Certificate(cer).publicKey;
  expect(publicKey(renewed.cer!).equals(publicKey(before.cer!)), "reuse_key keeps the key").toBe(true);
  expect(await failure(certificates.getCertificatePolicy("none"))).toMatchObject({
    status: 404,
    code: "CertificateNotFound",
  });
});

test("deletion takes key and secret along, back and forth", async () => {
  const { certificates, client, keys, control, clock } = await quickVault();
  const made = await make(certificates, "a");
  control.set({ deleteDelayMs: 3000 });
  const deleting = await certificates.beginDeleteCertificate("a", eager);
  expect(deleting.getOperationState().isCompleted).toBeFalsy();
  expect(await failure(certificates.beginCreateCertificate("a", ecPolicy, eager))).toMatchObject({
    status: 409,
    inner: "ObjectIsBeingDeleted",
  });
  clock.advance(3000);
  const deleted = await deleting.pollUntilDone();
  expect(deleted).toMatchObject({
    recoveryId: expect.stringMatching(/\/deletedcertificates\/a$/),
    deletedOn: new Date(start),
    scheduledPurgeDate: new Date(start + 90 * day),
  });
  for (const work of [() => client.getSecret("a"), () => keys.getKey("a"), () => certificates.getCertificate("a")]) {
    expect(await failure(work())).toMatchObject({ status: 404 });
  }
  expect(await failure(certificates.beginCreateCertificate("a", ecPolicy, eager))).toMatchObject({
    status: 409,
    inner: "ObjectIsDeletedButRecoverable",
  });
  expect((await collect(certificates.listDeletedCertificates())).map(({ name }) => name)).toEqual(["a"]);
  expect((await client.getDeletedSecret("a")).properties.managed).toBe(true);
  expect(await failure(client.purgeDeletedSecret("a"))).toMatchObject({ status: 403 });
  control.set({ deleteDelayMs: 0 });
  const recovered = await (await certificates.beginRecoverDeletedCertificate("a", eager)).pollUntilDone();
  expect(recovered.properties.version).toBe(made.properties.version);
  expect((await client.getSecret("a")).properties.version).toBe(made.properties.version);
  expect((await keys.getKey("a")).properties.version).toBe(made.properties.version);
  await (await certificates.beginDeleteCertificate("a", eager)).pollUntilDone();
  await certificates.purgeDeletedCertificate("a");
  expect(await failure(certificates.getDeletedCertificate("a"))).toMatchObject({
    status: 404,
    code: "CertificateNotFound",
  });
  expect(await failure(client.getDeletedSecret("a"))).toMatchObject({ status: 404 });
  expect(await failure(keys.getDeletedKey("a"))).toMatchObject({ status: 404 });
  expect((await make(certificates, "a")).properties.version).not.toBe(made.properties.version);
});

test("backup and restore, with key and secret", async () => {
  const { certificates, client, keys } = await quickVault();
  await make(certificates, "a");
  const second = await make(certificates, "a");
  const backup = await certificates.backupCertificate("a");
  expect(await failure(certificates.restoreCertificateBackup(backup!))).toMatchObject({
    status: 409,
    code: "Conflict",
  });
  await (await certificates.beginDeleteCertificate("a", eager)).pollUntilDone();
  await certificates.purgeDeletedCertificate("a");
  const restored = await certificates.restoreCertificateBackup(backup!);
  expect(restored.properties.version).toBe(second.properties.version);
  expect(await collect(certificates.listPropertiesOfCertificateVersions("a"))).toHaveLength(2);
  expect((await client.getSecret("a")).properties.version).toBe(second.properties.version);
  expect((await keys.getKey("a")).properties.version).toBe(second.properties.version);
  expect(await failure(certificates.restoreCertificateBackup(Buffer.from("garbage")))).toEqual({
    status: 400,
    code: "Malformed backup blob",
    inner: undefined,
  });
});

test("contacts", async () => {
  const { certificates } = await quickVault();
  expect(await failure(certificates.getContacts())).toMatchObject({ status: 404, code: "ContactsNotFound" });
  await certificates.setContacts([
    { email: "a@contoso.com", name: "A", phone: "1" },
    { email: "b@contoso.com" },
  ] as never);
  expect(await certificates.getContacts()).toMatchObject([
    { email: "a@contoso.com", name: "A", phone: "1" },
    { email: "b@contoso.com" },
  ]);
  await certificates.setContacts([{ email: "c@contoso.com" }] as never);
  expect(await certificates.getContacts()).toMatchObject([{ email: "c@contoso.com" }]);
  await certificates.deleteContacts();
  expect(await failure(certificates.deleteContacts())).toMatchObject({ status: 404, code: "ContactsNotFound" });
});

test("issuers, and a certificate from one", async () => {
  const { ask, certificates, client, control, url } = await quickVault();
  const created = await certificates.createIssuer("Contoso-CA", "Test", {
    accountId: "keyvaultuser",
    password: "hidden",
    organizationId: "org",
    administratorContacts: [{ firstName: "Ada", lastName: "L", email: "ada@contoso.com", phone: "1" }],
  });
  expect(created).toMatchObject({
    id: `${url}/certificates/issuers/Contoso-CA`,
    provider: "Test",
    accountId: "keyvaultuser",
    organizationId: "org",
    enabled: true,
  });
  expect(created.password).toBeUndefined();
  expect(await certificates.updateIssuer("contoso-ca", { accountId: "other" })).toMatchObject({
    accountId: "other",
    provider: "Test",
    organizationId: "org",
  });
  expect(await certificates.getIssuer("contoso-ca")).toMatchObject({
    accountId: "other",
    administratorContacts: [{ firstName: "Ada" }],
  });
  expect(await collect(certificates.listPropertiesOfIssuers())).toMatchObject([
    { id: `${url}/certificates/issuers/Contoso-CA`, provider: "Test" },
  ]);

  const made = await make(certificates, "a", {
    ...ecPolicy,
    issuerName: "Contoso-CA",
    contentType: "application/x-pem-file",
  });
  const chain = openPem((await client.getSecret("a")).value!).certificates;
  expect(chain.map(({ subject }) => subject)).toEqual(["CN=orders", "CN=Test issuer Contoso-CA"]);
  expect(chain[0]!.verify(chain[1]!.publicKey)).toBe(true);
  expect(chain[0]!.raw).toEqual(Buffer.from(made.cer!));

  control.set({ issuerDelayMs: 1000 });
  await certificates.beginCreateCertificate("slow", { ...ecPolicy, issuerName: "contoso-ca" }, eager);
  expect(await failure(certificates.mergeCertificate("slow", [Buffer.from(made.cer!)]))).toMatchObject({
    status: 403,
    code: "Forbidden",
  });
  control.set({ issuerDelayMs: 0, issuerError: { code: "Request rejected", message: "No." } });
  const refused = make(certificates, "refused", { ...ecPolicy, issuerName: "contoso-ca" });
  await expect(refused).rejects.toThrow("No.");
  expect((await ask("GET", "/certificates/refused/pending")).json).toMatchObject({
    status: "failed",
    error: { code: "Request rejected", message: "No." },
  });
  expect((await certificates.getCertificate("refused")).properties.enabled).toBe(false);

  expect(await certificates.deleteIssuer("contoso-ca")).toMatchObject({ provider: "Test" });
  expect(await failure(certificates.getIssuer("contoso-ca"))).toMatchObject({
    status: 404,
    code: "CertificateIssuerNotFound",
  });
  expect(
    await failure(certificates.beginCreateCertificate("b", { ...ecPolicy, issuerName: "contoso-ca" }, eager)),
  ).toMatchObject({ status: 400, code: "BadParameter" });
});

test("a client finds nothing where there is nothing", async () => {
  const { certificates } = await quickVault();
  const notFound = { status: 404, code: "CertificateNotFound" };
  expect(await failure(certificates.getCertificate("none"))).toMatchObject(notFound);
  expect(await failure(certificates.getCertificateVersion("none", "0".repeat(32)))).toMatchObject(notFound);
  expect(await failure(certificates.beginDeleteCertificate("none", eager))).toMatchObject(notFound);
  expect(await failure(certificates.getDeletedCertificate("none"))).toMatchObject(notFound);
  expect(await failure(certificates.purgeDeletedCertificate("none"))).toMatchObject(notFound);
  expect(await failure(certificates.backupCertificate("none"))).toMatchObject(notFound);
  expect(await failure(certificates.updateCertificateProperties("none", "0".repeat(32), {}))).toMatchObject(notFound);
  expect(await failure(certificates.getCertificateOperation("none", eager))).toMatchObject(notFound);
  expect(await collect(certificates.listPropertiesOfCertificateVersions("none"))).toEqual([]);
});
