import { expect } from "vitest";
import { PinionError } from "../../src/errors.ts";
import type { Notes, Ports } from "../../src/rotator.ts";
import { acmeFields } from "../../rotators/shared/acme/target.ts";
import type { AcmeStep, AcmeTarget } from "../../rotators/shared/acme/target.ts";
import { z } from "zod";
import { createKeys } from "./keys.ts";
import { createLife } from "./life.ts";
import type { TestKeys } from "./keys.ts";
import type { Life } from "./life.ts";
import { createSlot } from "./slot.ts";
import type { MemorySlot, SlotOptions } from "./slot.ts";

/** All that one managed object's certificates are made with; it outlives processes and rotations. */
export interface Bed {
  readonly life: Life;
  readonly notes: Map<string, string>;
  readonly target: AcmeTarget;
  readonly ports: Ports;
  readonly keys: TestKeys;
  /** Leases that are held now, by name. */
  readonly leases: Set<string>;
  /** Milliseconds that the cloud's clock is ahead of the machine's. */
  readonly clock: { ahead: number };
  /** Another rotation of the same object: an empty slot, the same notes. */
  rotation(names: readonly string[], options?: SlotOptions): Rotation;
}

export interface Rotation {
  readonly step: AcmeStep;
  readonly slot: MemorySlot;
}

const schema = z.strictObject(acmeFields);

export function createBed(
  target: Partial<z.input<typeof schema>> & { readonly directory: string },
  { secrets = {}, life = createLife() }: { secrets?: Readonly<Record<string, string>>; life?: Life } = {},
): Bed {
  const notes = new Map<string, string>();
  const clock = { ahead: 0 };
  const keys = createKeys(life);
  const leases = new Set<string>();
  let rotations = 0;
  const port: Notes = {
    read: (name) => notes.get(name),
    write: async (name, text) =>
      await life.outside("notes.write", () => {
        if (text === undefined) notes.delete(name);
        else {
          notes.set(name, text);
          const size = [...notes].reduce((sum, [name, text]) => sum + name.length + text.length, 0);
          // All notes of an object together may have 16,000 characters; others want some too.
          expect(size, "characters of notes").toBeLessThanOrEqual(12_000);
        }
      }),
  };
  const ports = {
    keys: keys.port,
    now: () => Date.now() + clock.ahead,
    secret: async (url: string) => await life.outside("secret", () => secrets[url]!),
    async withLease(name: string, work: () => Promise<unknown>) {
      if (leases.has(name)) throw new PinionError("LEASE_HELD", "Another holds it.", { class: "transient" });
      leases.add(name);
      try {
        return await life.outside("lease", () => undefined).then(work);
      } finally {
        // That of a process which died runs out; here at once.
        leases.delete(name);
      }
    },
  } as unknown as Ports;
  const parsed = schema.parse({
    account: "https://kv.vault.azure.net/keys/acme-account-ec",
    termsOfServiceAgreed: true,
    ...target,
  });
  return {
    life,
    notes,
    target: parsed,
    ports,
    keys,
    leases,
    clock,
    rotation(names, options) {
      const slot = createSlot(life, names, options);
      const rotationId = `r${++rotations}`;
      const signal = new AbortController().signal;
      return { slot, step: { target: parsed, rotationId, round: 1, ports, notes: port, slot, signal } };
    },
  };
}

/** Calls again while it says to, as the orchestration does; then the result, or the fault that stays. */
export async function untilDone<R>(work: () => Promise<R>, most = 60): Promise<R> {
  for (let call = 1; ; call++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof PinionError) || error.class !== "transient" || call >= most) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** What a call that must fail threw. */
export async function faultOf(work: Promise<unknown>): Promise<PinionError> {
  const error = await work.then(
    () => new Error("It did not fail."),
    (caught: unknown) => caught,
  );
  if (!(error instanceof PinionError)) throw error;
  return error;
}
