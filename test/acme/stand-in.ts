import { afterEach, expect } from "vitest";
import type { VaultCertificate } from "../../src/rotator.ts";
import { issue } from "../../rotators/shared/acme/issue.ts";
import { createBed, untilDone } from "./bed.ts";
import type { Bed, Rotation } from "./bed.ts";
import { startCa } from "./ca/server.ts";
import type { StandIn } from "./ca/server.ts";
import type { Resource } from "./ca/state.ts";
import { verifyChain } from "./openssl.ts";
import { createLife } from "./life.ts";
import { createZone } from "./zone.ts";
import type { Zone } from "./zone.ts";

/** A CA of ours, a zone in memory, and an object whose certificates come from there. */
export interface Scene {
  readonly ca: StandIn;
  readonly zone: Zone;
  readonly bed: Bed;
  /** Issues to the end, and checks what must always be true then. */
  issued(rotation: Rotation): Promise<VaultCertificate>;
  /** Payloads that a resource got. */
  sent(resource: Resource): readonly unknown[];
}

const running: StandIn[] = [];
afterEach(() => {
  for (const ca of running.splice(0)) ca.close();
});

export async function createScene(target: object = {}): Promise<Scene> {
  const life = createLife();
  const zone = createZone(life);
  const ca = await startCa(zone.lookup);
  running.push(ca);
  const bed = createBed({ directory: ca.directory, ...target }, { life });
  const sent = (resource: Resource) => ca.seen.filter((one) => one.resource === resource).map(({ payload }) => payload);
  return {
    ca,
    zone,
    bed,
    sent,
    async issued({ step, slot }) {
      const certificate = await untilDone(async () => await issue(step, zone));
      expect(slot.merged).toHaveLength(1);
      expect(verifyChain(slot.merged[0]!, ca.root, slot.wanted.names)).toBe("");
      expect(zone.left()).toEqual([]);
      expect([...bed.notes.keys()].filter((name) => /order|values/.test(name))).toEqual([]);
      return certificate;
    },
  };
}
