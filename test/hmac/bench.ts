import { afterAll, afterEach, beforeAll } from "vitest";
import type { HmacTarget } from "../../rotators/shared/hmac/target.ts";
import type { Credential, Proof, Step } from "../../src/rotator.ts";
import { startEdge } from "../contract/edge.ts";
import type { Edge } from "../contract/edge.ts";
import { memoryNotes } from "../ports.ts";
import { makeLab, start } from "./lab.ts";
import type { LabOptions, Verifier } from "./lab.ts";
import { startVerifier } from "./server.ts";

// A verifier for a test file, and short words for what the tests ask.

export let verifier: Verifier;
let time = start;
const edges: Edge[] = [];

export function useVerifier(): void {
  beforeAll(async () => {
    verifier = await startVerifier(() => time);
  });
  afterEach(() => {
    verifier.acceptAnything(false);
    verifier.faults.length = 0;
    time = start;
  });
  afterAll(async () => {
    await Promise.all(edges.map((edge) => edge.close()));
    await verifier.close();
  });
}

export const ids = { first: "r-0mi000001-aaaaaa", second: "r-0mi000002-aaaaaa" };
export const once = { negativeControl: true };
export const failed = (proofs: readonly Proof[]) => proofs.filter(({ ok }) => !ok);
export const code = (expected: string, kind = "permanent") => ({ code: expected, class: kind });
export const texts = (...credentials: Credential[]) => credentials.map(({ material }) => material);
export type Scene = Awaited<ReturnType<typeof makeScene>>;

/** A lab with a candidate; the step and its later copies share their notes. */
export async function makeScene(options: LabOptions = {}, edge: Pick<Edge, "port"> = verifier) {
  const lab = makeLab(verifier, edge, options);
  const notes = memoryNotes();
  const step = (rotationId = ids.first): Step<HmacTarget> => ({
    target: lab.target,
    rotationId,
    round: 1,
    ports: lab.ports,
    notes,
    signal: new AbortController().signal,
  });
  /** Moves the clock of both sides. */
  const advance = (seconds: number) => {
    lab.advance(seconds);
    time += seconds * 1000;
  };
  return { ...lab, notes, advance, step, old: lab.current, next: await lab.candidate() };
}

/** The same through an edge of its own. */
export async function throughEdge(options: LabOptions = {}): Promise<{ edge: Edge; at: Scene }> {
  const edge = await startEdge(verifier.port);
  edges.push(edge);
  return { edge, at: await makeScene(options, edge) };
}
