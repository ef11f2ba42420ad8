import { afterAll, afterEach, beforeAll } from "vitest";
import type { ContainerClient } from "@azure/storage-blob";
import { startAzurite } from "../../local/azurite.ts";
import type { Azurite } from "../../local/azurite.ts";
import { publishedSet } from "../../rotators/shared/jwks/publication.ts";
import { thumbprint } from "../../rotators/shared/jwk.ts";
import type { Credential, Proof } from "../../src/rotator.ts";
import { startEdge } from "../contract/edge.ts";
import type { Edge } from "../contract/edge.ts";
import { startFront } from "./front.ts";
import { makeScene } from "./scene.ts";

// Storage for a test file, and short words for what the tests ask.

export let front: Awaited<ReturnType<typeof startFront>>;
export let container: ContainerClient;
const edges: Edge[] = [];

export function useStorage(): void {
  let azurite: Azurite;
  beforeAll(async () => {
    azurite = await startAzurite();
    front = await startFront(azurite);
    container = front.service.getContainerClient("jwks");
    await container.create();
  });
  afterEach(() => {
    front.allow("rw");
    front.faults.length = 0;
  });
  afterAll(async () => {
    await Promise.all(edges.map((edge) => edge.close()));
    await front.close();
    await azurite.stop();
  });
}

export type Scene = Awaited<ReturnType<typeof makeScene>>;
type Setting = NonNullable<Parameters<typeof makeScene>[0]>;

export const inBlob = async (more: Setting = {}): Promise<Scene> =>
  await makeScene({ origin: `http://127.0.0.1:${front.port}`, container, ...more });

/** The same through an edge of its own. */
export async function throughEdge(more: Setting = {}): Promise<{ edge: Edge; scene: Scene }> {
  const edge = await startEdge(front.port);
  edges.push(edge);
  return { edge, scene: await inBlob({ origin: `http://127.0.0.1:${edge.port}`, ...more }) };
}

export const once = { negativeControl: true };
export const urlOf = ({ material }: Credential) => (material as { vaultVersion: string }).vaultVersion;
export const kidOf = async (scene: Scene, which: "old" | "next" | "third") =>
  thumbprint((await scene.keys.port.get(urlOf(scene[which]))).jwk);
export const kids = async (scene: Scene) => (await publishedSet(scene.step()))?.keys.map(({ kid }) => kid);
export const failed = (proofs: readonly Proof[]) => proofs.filter(({ ok }) => !ok);
