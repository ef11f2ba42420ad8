import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { findRotator, rotators } from "../../rotators/index.ts";
import { rotatorFacts } from "../../src/compose.ts";
import { readable } from "../../src/policy-consumers.ts";
import type { ConsumerKind } from "../../src/policy-consumers.ts";
import { parsePolicy } from "../../src/policy-file.ts";
import { makeAuthority } from "../private-ca/openssl.ts";
import { keyPair } from "../private-ca/keys.ts";
import { file } from "../policy-sample.ts";
import { blocksOf, readFile } from "./page.ts";

// Every example of a rotator's target and of a consumer is what the whole policy takes, as it stands on its page.

const pem = makeAuthority(keyPair({ type: "EC", curve: "P-256" }, 1).privateKey, "/CN=Root").pem;
const guid = "00000000-0000-4000-8000-000000000000";
/** What a reader must fill in. */
const filled = (text: string) =>
  text.replaceAll('"-----BEGIN CERTIFICATE-----\\n..."', JSON.stringify(pem)).replaceAll("<guid>", guid);

interface Example {
  readonly page: string;
  readonly json: Record<string, unknown>;
}
const examplesIn = (folder: string): readonly Example[] =>
  readdirSync(fileURLToPath(new URL(`../../${folder}`, import.meta.url)))
    .filter((name) => name.endsWith(".md"))
    .flatMap((name) =>
      blocksOf(readFile(`${folder}/${name}`))
        .filter(({ language }) => language === "json")
        .map(({ text }) => ({ page: `${folder}/${name}`, json: JSON.parse(filled(text)) as Record<string, unknown> })),
    );

const facts = rotatorFacts({ rotators, find: findRotator });
const names = ["www.contoso.com"];
const faultsOf = (object: Record<string, unknown>) =>
  parsePolicy(file([{ id: "it", vault: "orders", name: "it", validity: "P90D", grace: "P5D", ...object }]), facts)
    .faults;

/** The rest of an object that a rotator of this kind is for. */
function objectFor(kind: string, strategy: "dual" | "alternating" | "in-place"): Record<string, unknown> {
  const manages = findRotator(kind, strategy).manages ?? "secret";
  return {
    kind: manages,
    consumers: [],
    acceptGap: true,
    ...(manages === "certificate" ? { certificate: { names } } : {}),
    ...(manages === "secret" && strategy === "alternating" ? { format: { type: "url" } } : {}),
  };
}

/** A page shows the target alone, or a whole object. */
const shown = examplesIn("docs/rotators");
const targets = shown.flatMap(({ page, json }) => {
  const rotator = "rotator" in json ? json["rotator"] : json;
  return "target" in (rotator as object) ? [{ page, json: rotator as Record<string, unknown> }] : [];
});

describe("rotators", () => {
  test("every page that shows a target has an example of one that is read", () => {
    const pages = readdirSync(fileURLToPath(new URL("../../docs/rotators", import.meta.url)));
    expect(new Set(targets.map(({ page }) => page.split("/").at(-1)))).toEqual(
      new Set(
        pages.filter((page) =>
          blocksOf(readFile(`docs/rotators/${page}`)).some(({ text }) => text.includes('"target"')),
        ),
      ),
    );
  });

  test.each(targets.map(({ page, json }) => [page, json] as const))("%s", (page, json) => {
    const { kind, strategy } = json as { kind: string; strategy?: "dual" | "alternating" | "in-place" };
    const own = strategy ?? "dual";
    expect(page).toContain(`/${kind}.md`);
    expect(faultsOf({ ...objectFor(kind, own), rotator: { ...json, strategy: own } })).toEqual([]);
    // The page shows no more than the schema knows.
    const more = { ...json, strategy: own, target: { ...(json["target"] as object), colour: "red" } };
    expect(faultsOf({ ...objectFor(kind, own), rotator: more }).map(({ path }) => path)).toEqual([
      "objects[0].rotator.target.colour",
    ]);
  });
});

test.each(shown.filter(({ json }) => "rotator" in json).map(({ page, json }) => [page, json] as const))(
  "whole objects: %s",
  (_page, json) => {
    expect(faultsOf({ ...json, vault: "orders" })).toEqual([]);
  },
);

const consumers = examplesIn("docs/consumers");

test.each(consumers.map(({ page, json }) => [page, json] as const))("consumers: %s", (_page, json) => {
  const { kind } = json as { kind: ConsumerKind };
  const reads = readable[kind][0]!;
  const rotator = {
    secret: {
      kind: "hmac-secret",
      strategy: "dual",
      target: targets.find(({ json: { kind: of } }) => of === "hmac-secret")?.json["target"],
    },
    certificate: { kind: "certificate-self-signed", strategy: "dual", target: {} },
    key: { kind: "key", strategy: "dual", target: {} },
  }[reads]!;
  expect(faultsOf({ ...objectFor(rotator.kind, "dual"), rotator, consumers: [json] })).toEqual([]);
});
