import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  notePlaces,
  noteValues,
  notedValues,
  withdrawValues,
  withdrawWhatCan,
} from "../../rotators/shared/acme/values.ts";
import { PinionError } from "../../src/errors.ts";
import type { ChallengeRecord } from "../../rotators/shared/dns/provider.ts";
import { createLife } from "./life.ts";
import { createZone } from "./zone.ts";

// Noted values: never lost, never double, and small.

const notesOver = (kept: Map<string, string>) => ({
  read: (name: string) => kept.get(name),
  write: async (name: string, text: string | undefined) => {
    if (text === undefined) kept.delete(name);
    else kept.set(name, text);
    await Promise.resolve();
  },
});

const endless = { over: () => false, wait: async () => await Promise.resolve(false) };

const record = fc.record({
  name: fc.constantFrom("_acme-challenge.a.example", "_acme-challenge.b.example", "ü.example/token"),
  value: fc.stringMatching(/^[\w-]{1,43}$/),
});

test("whatever is noted, in whatever order, is withdrawn once, and the rest stays noted", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(record)), fc.integer({ min: 0, max: 8 }), async (batches, failing) => {
      const kept = new Map<string, string>();
      const notes = notesOver(kept);
      for (const batch of batches) await noteValues(notes, batch);
      const noted = notedValues(notes);
      const keys = noted.map(({ name, value }) => `${name} ${value}`);
      expect(new Set(keys)).toEqual(new Set(batches.flat().map(({ name, value }) => `${name} ${value}`)));
      expect(new Set(keys).size).toBe(keys.length);

      const withdrawn: ChallengeRecord[] = [];
      let left = failing;
      const zone = {
        ...createZone(createLife()),
        withdraw: async (one: ChallengeRecord) => {
          if (left-- > 0) throw new Error("not now");
          withdrawn.push(one);
          await Promise.resolve();
        },
      };
      const first = await withdrawValues(notes, zone, endless).catch((error: unknown) => error);
      if (failing > 0 && noted.length > 0) expect(first).toBeInstanceOf(Error);
      expect([...notedValues(notes), ...withdrawn]).toHaveLength(noted.length);
      left = 0;
      await withdrawValues(notes, zone, endless);
      expect(withdrawn).toHaveLength(noted.length);
      expect(kept.size).toBe(0);
    }),
    { numRuns: 100, seed: 8555 },
  );
});

test("a hundred long names with a value each are less than half of what notes may hold", async () => {
  const kept = new Map<string, string>();
  const records = Array.from({ length: 100 }, (_, index) => ({
    name: `_acme-challenge.tenant-${index * 7919}.${"a-rather-long-label.".repeat(8)}contoso.com`,
    value: Buffer.from(Array.from({ length: 32 }, (_, at) => (index * 31 + at * 17 + index * at) % 256)).toString(
      "base64url",
    ),
  }));
  await noteValues(notesOver(kept), records);
  expect(notedValues(notesOver(kept))).toEqual(records);
  expect(kept.get("acme-values")!.length).toBeLessThan(8000);
  // With the place of each, which its CNAME leads to, still less than all.
  kept.clear();
  const place = (name: string) => Promise.resolve(name.replace("_acme-challenge.", "").replace(".com", ".net"));
  await notePlaces(notesOver(kept), records, { ...createZone(createLife()), place });
  expect(notedValues(notesOver(kept))[0]!.place).toMatch(/^tenant-0\..*contoso\.net$/);
  expect(kept.get("acme-values")!.length).toBeLessThan(10_000);
});

test("a value's place is looked up once, and kept when its name leads elsewhere", async () => {
  const notes = notesOver(new Map());
  let leads = "one.example";
  const zone = { ...createZone(createLife()), place: () => Promise.resolve(leads) };
  const record = { name: "_acme-challenge.a.example", value: "a" };
  await notePlaces(notes, [record], zone);
  leads = "two.example";
  await notePlaces(notes, [record, { ...record, value: "b" }], zone);
  expect(notedValues(notes).map(({ value, place }) => [value, place])).toEqual([
    ["a", "one.example"],
    ["b", "two.example"],
  ]);
});

test("a call whose time is over leaves the rest for the next", async () => {
  const kept = new Map<string, string>();
  const notes = notesOver(kept);
  const records = ["a", "b", "c"].map((value) => ({ name: "_acme-challenge.a.example", value }));
  await noteValues(notes, records);
  let looks = 0;
  const pace = { ...endless, over: () => ++looks > 2 };
  const zone = createZone(createLife());
  await expect(withdrawValues(notes, zone, pace)).rejects.toMatchObject({ code: "ISSUANCE_PENDING" });
  expect(notedValues(notes)).toEqual(records.slice(2));
});

describe("values that cannot be withdrawn for good", () => {
  const locked = new PinionError("TARGET_FORBIDDEN", "The zone is locked.");
  const busy = new PinionError("TARGET_UNREACHABLE", "The service is busy.", { class: "transient" });
  const noted = async (count: number) => {
    const kept = new Map<string, string>();
    const values = Array.from({ length: count }, (_, index) => `v${index}`);
    await noteValues(
      notesOver(kept),
      values.map((value) => ({ name: "_acme-challenge.a.example", value })),
    );
    return { notes: notesOver(kept), left: () => notedValues(notesOver(kept)).map(({ value }) => value) };
  };
  const zoneThat = (refuses: (value: string) => Error | undefined) => ({
    ...createZone(createLife()),
    withdraw: async ({ value }: ChallengeRecord) => {
      const fault = refuses(value);
      if (fault) throw fault;
      await Promise.resolve();
    },
  });

  test("hide none that may be withdrawn later", async () => {
    const { notes, left } = await noted(3);
    const zone = zoneThat((value) => ({ v0: locked, v1: busy })[value]);
    await expect(withdrawWhatCan(notes, zone, endless)).rejects.toBe(busy);
    expect(left()).toEqual(["v0", "v1"]);
    await withdrawWhatCan(
      notes,
      zoneThat((value) => (value === "v0" ? locked : undefined)),
      endless,
    );
    expect(left()).toEqual(["v0"]);
  });

  test("hide none that there was no time for", async () => {
    const { notes, left } = await noted(4);
    const zone = zoneThat((value) => (value === "v0" ? locked : undefined));
    let looks = 0;
    const short = { ...endless, over: () => ++looks % 3 === 0 };
    await expect(withdrawWhatCan(notes, zone, short)).rejects.toMatchObject({ code: "ISSUANCE_PENDING" });
    expect(left()).toEqual(["v2", "v3", "v0"]);
    await expect(withdrawWhatCan(notes, zone, short)).rejects.toMatchObject({ code: "ISSUANCE_PENDING" });
    await withdrawWhatCan(notes, zone, short);
    expect(left()).toEqual(["v0"]);
  });

  test("do not fill the notes", async () => {
    const { notes, left } = await noted(100);
    await withdrawWhatCan(
      notes,
      zoneThat(() => locked),
      endless,
    );
    expect(left()).toHaveLength(20);
    expect(left().at(-1)).toBe("v99");
  });
});
