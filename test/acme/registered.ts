import { expect } from "vitest";
import { createBed } from "./bed.ts";
import type { Bed } from "./bed.ts";
import { createScene } from "./stand-in.ts";
import type { Scene } from "./stand-in.ts";

/** The key of a bed's account, where the target names no other. */
export const accountKey = "https://kv.vault.azure.net/keys/acme-account-ec";

/** A scene whose account is registered, and has issued once. */
export interface Registered extends Scene {
  /** The account's URL. */
  readonly kid: string;
  /** The version of its key that registered it. */
  readonly former: string;
  /** Issues another certificate, and checks that every order is the one account's. */
  goesOn(): Promise<void>;
  /** How often its key was changed. */
  changes(): number;
}

export async function register(target: object = {}): Promise<Registered> {
  const scene = await createScene(target);
  const { bed, ca, issued, sent } = scene;
  await issued(bed.rotation(["a.contoso.com"]));
  const { kid, key } = noted(bed);
  return {
    ...scene,
    kid,
    former: key,
    async goesOn() {
      await issued(bed.rotation(["b.contoso.com"]));
      expect([...ca.accounts.keys()]).toEqual([kid]);
      expect(new Set(ca.orders.map((order) => order.kid))).toEqual(new Set([kid]));
    },
    changes: () => sent("keyChange").length,
  };
}

/** What an object remembers of its account. */
export const noted = ({ notes }: Pick<Bed, "notes">) =>
  JSON.parse(notes.get("acme-account")!) as { readonly key: string; readonly kid: string };

/** Another object with the same account and vault, and notes of its own. */
export function sharing({ target, life, ports }: Bed): Bed {
  const other = createBed(target, { life });
  const { keys, withLease } = ports;
  return { ...other, rotation: (...args) => withPorts(other.rotation(...args)) };

  function withPorts({ slot, step }: ReturnType<Bed["rotation"]>) {
    return { slot, step: { ...step, ports: { ...step.ports, keys, withLease } } };
  }
}
