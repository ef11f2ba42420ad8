import { describe, expect, test } from "vitest";
import { findRotator, rotators } from "../../rotators/index.ts";
import { rotatorFacts } from "../../src/compose.ts";
import { certificateSchema } from "../../src/policy-certificate.ts";
import { type ConsumerKind, consumerSchema, readable } from "../../src/policy-consumers.ts";
import { parsePolicy } from "../../src/policy-file.ts";
import { objectShape } from "../../src/policy.ts";
import { blocksOf, codesIn, fieldsOf, readFile, tableOf } from "./page.ts";

// The examples of the pages about certificates and keys are what the policy takes, and their tables name every field.

const subscription = "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/rg/providers";
const vault = (name: string) => ({
  uri: `https://kv-contoso-${name}.vault.azure.net`,
  resourceId: `${subscription}/Microsoft.KeyVault/vaults/kv-contoso-${name}`,
});
const parse = (object: object) =>
  parsePolicy(
    { version: 1, vaults: { web: vault("web"), orders: vault("orders") }, objects: [object] },
    rotatorFacts({ rotators, find: findRotator }),
  );
const jsonIn = (path: string) =>
  blocksOf(readFile(path))
    .filter(({ language }) => language === "json")
    .map(({ text }) => JSON.parse(text) as Record<string, unknown>);

describe("docs/certificates.md", () => {
  const page = readFile("docs/certificates.md");

  test("the example is a sound object", () => {
    const [object] = jsonIn("docs/certificates.md");
    const { policy, faults } = parse(object!);
    expect([faults, policy?.objects.length]).toEqual([[], 1]);
  });

  test("the ways of issuing are the rotators of certificates, in their order", () => {
    const kinds = rotators.flatMap((one) => ("manages" in one && one.manages === "certificate" ? [one.kind] : []));
    const rows = tableOf(page, "rotator");
    expect(rows.map(([kind = ""]) => codesIn(kind)[0])).toEqual(kinds);
    for (const [kind = "", , , link] of rows) expect(link).toBe(`[page](rotators/${codesIn(kind)[0]}.md)`);
  });

  test("the table of the certificate's part has every field", () => {
    expect(fieldsOf(page, "field of `certificate`")).toEqual(new Set(Object.keys(certificateSchema.shape)));
  });

  test("the object's other fields are the policy's, with the defaults that the page says", () => {
    const fields = fieldsOf(page, "field of the object");
    expect([...fields].filter((field) => !(field in objectShape) && field !== "pin" && field !== "reissue")).toEqual(
      [],
    );
    const { policy } = parse({ ...jsonIn("docs/certificates.md")[0]!, certificate: { names: ["a.contoso.com"] } });
    const day = 86_400_000;
    expect(policy?.objects[0]).toMatchObject({
      rollback: "pin",
      remindEvery: day,
      certificate: {
        key: { type: "RSA", size: 2048 },
        exportable: true,
        contentType: "application/x-pkcs12",
        roots: "system",
        revocation: "check",
      },
    });
  });

  test("a reader of the newest is refused where the vault makes it, unless it is accepted; a life of days is taken", () => {
    const [object] = jsonIn("docs/certificates.md") as [{ certificate: object; consumers: object[] }];
    const follower = { ...object.consumers[0], reads: "latest" };
    const inside = { ...object, certificate: { ...object.certificate, exportable: false }, consumers: [follower] };
    expect(parse(inside).faults.map(({ path }) => path)).toEqual(["objects[0].consumers[0].reads"]);
    expect(parse({ ...inside, rollback: "reissue" }).faults).toEqual([]);
    expect(parse({ ...object, validity: "P6D", rotateBefore: "P3D", grace: "PT12H" }).faults).toEqual([]);
  });
});

describe.each(["certificate-self-signed", "certificate-integrated-issuer", "certificate-manual"])("%s", (kind) => {
  const path = `docs/rotators/${kind}.md`;
  const { target } = rotators.find((one) => one.kind === kind)!;
  const fields = Object.keys((target as unknown as { shape: object }).shape);

  test("the example is of this kind, and valid", () => {
    const [example] = jsonIn(path);
    expect(example).toMatchObject({ kind, strategy: findRotator(kind).strategy });
    expect(target.parse(example!["target"])).toMatchObject(example!["target"] as object);
    expect(target.safeParse({ ...(example!["target"] as object), colour: "red" }).success).toBe(false);
  });

  test("the table has every field of the target, and no other", () => {
    const page = readFile(path);
    const rows = fields.length === 0 ? [] : tableOf(page, "field").map(([field = ""]) => codesIn(field)[0]);
    expect(rows).toEqual(fields);
    if (fields.length === 0) expect(page).toContain("There are no fields.");
  });
});

describe("docs/rotators/key.md", () => {
  const page = readFile("docs/rotators/key.md");

  test("the example is a sound object", () => {
    const { policy, faults } = parse(jsonIn("docs/rotators/key.md")[0]!);
    expect([faults, policy?.objects.length]).toEqual([[], 1]);
  });

  test("the consumers are those that read a key; which tell how long they need old versions", async () => {
    const { findConsumer } = await import("../../src/consumers/index.ts");
    const kinds = (Object.keys(readable) as ConsumerKind[]).filter((kind) => readable[kind].includes("key"));
    const rows = tableOf(page, "consumer");
    expect(rows.map(([kind = ""]) => codesIn(kind)[0])).toEqual(kinds);
    for (const [cell = "", , need = ""] of rows) {
      const kind = codesIn(cell)[0] as ConsumerKind;
      const tells = findConsumer(kind).retention !== undefined;
      expect([kind, !need.startsWith("not told")]).toEqual([kind, tells]);
    }
  });
});

test("docs/consumers/app-service.md: the example is taken, and the table has every field", () => {
  const page = readFile("docs/consumers/app-service.md");
  const [example] = jsonIn("docs/consumers/app-service.md");
  expect(consumerSchema.parse(example)).toMatchObject({ kind: "app-service", reads: "pinned" });
  const schema = consumerSchema.options.find((option) => option.shape.kind.value === "app-service")!;
  const fields = tableOf(page, "field").flatMap(([cell = ""]) => codesIn(cell));
  expect(new Set(fields)).toEqual(new Set(Object.keys(schema.shape)));
});
