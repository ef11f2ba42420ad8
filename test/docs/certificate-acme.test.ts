import { expect, test } from "vitest";
import { acmeTarget, certificateAcme } from "../../rotators/certificate-acme.ts";
import { blocksOf, readFile } from "./page.ts";

// The example of docs/rotators/certificate-acme.md is what the schema takes, and its table names every field.

const page = readFile("docs/rotators/certificate-acme.md");

test("the example is valid, and of this kind", () => {
  const [example] = blocksOf(page).map(({ text }) => JSON.parse(text) as { kind: string; target: unknown });
  expect(example!.kind).toBe(certificateAcme.kind);
  expect(acmeTarget.parse(example!.target)).toMatchObject(example!.target as object);
});

test("every field stands in the table, and no other", () => {
  const rows = /\| field \|[^]*?\n\n/.exec(page)![0].matchAll(/^\| `(\w+)` \|/gm);
  expect(new Set([...rows].map(([, name]) => name))).toEqual(new Set(Object.keys(acmeTarget.shape)));
});

test("the limits of the page are the defaults", () => {
  const limits = JSON.parse(/```json limits\n([^]*?)```/.exec(page)![1]!) as unknown;
  expect(acmeTarget.shape.limits.parse(undefined)).toEqual(limits);
});
