import { expect, test } from "vitest";
import { z } from "zod";
import { defineRotator } from "../../src/rotator.ts";
import type { Proof } from "../../src/rotator.ts";

// These are checked by `tsc`: each `@ts-expect-error` fails the build when the line below it compiles.
const target = z.strictObject({ host: z.string() });
const none = async (): Promise<Proof[]> => [];
const common = {
  kind: "example",
  target,
  roles: [],
  account: ({ host }: { host: string }) => host,
  accounts: ({ host }: { host: string }) => [host],
  observe: async () => ({ current: { id: "a" }, idle: { id: "b" }, proofs: [] }),
  create: async () => ({ id: "b", material: "value" }),
  validate: none,
  works: async () => true,
  set: none,
} as const;
const usage = async () => ({ active: 0, users: [] });

test("a rotator's shape follows from its strategy and its facts", () => {
  const blind = { ...common, idle: "unobservable" } as const;
  const alternating = defineRotator({ ...blind, strategy: "alternating", revoke: none });
  const seeing = defineRotator({ ...common, idle: "observable", usage, strategy: "dual", revoke: none });
  const restorable = defineRotator({ ...blind, strategy: "in-place", restorable: true, restore: none });
  const forward = defineRotator({ ...blind, strategy: "in-place", restorable: false });

  // @ts-expect-error alternating and dual rotators must be able to revoke
  defineRotator({ ...blind, strategy: "alternating" });
  // @ts-expect-error in-place has nothing left to revoke
  defineRotator({ ...blind, strategy: "in-place", restorable: false, revoke: none });
  // @ts-expect-error in-place must say whether it can restore
  defineRotator({ ...blind, strategy: "in-place" });
  // @ts-expect-error what is restorable needs restore
  defineRotator({ ...blind, strategy: "in-place", restorable: true });
  // @ts-expect-error what is not restorable must not offer it
  defineRotator({ ...blind, strategy: "in-place", restorable: false, restore: none });
  // @ts-expect-error only in-place restores
  defineRotator({ ...blind, strategy: "alternating", revoke: none, restorable: true, restore: none });
  // @ts-expect-error whoever claims to see use must show it
  defineRotator({ ...common, idle: "observable", strategy: "dual", revoke: none });
  // @ts-expect-error whoever cannot see use must not pretend
  defineRotator({ ...blind, usage, strategy: "dual", revoke: none });
  // @ts-expect-error a suspension can be undone
  defineRotator({ ...blind, strategy: "dual", revoke: none, suspension: { suspend: none } });
  // @ts-expect-error there is no fourth strategy
  defineRotator({ ...blind, strategy: "sideways", revoke: none });
  // @ts-expect-error the account is made from the target that the schema gives
  defineRotator({ ...blind, strategy: "dual", revoke: none, account: ({ port }: { port: number }) => String(port) });

  expect([alternating, seeing, restorable, forward].map(({ strategy }) => strategy)).toEqual([
    "alternating",
    "dual",
    "in-place",
    "in-place",
  ]);
});
