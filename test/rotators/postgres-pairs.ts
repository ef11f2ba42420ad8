import { memoryNotes } from "../ports.ts";
import { afterAll, beforeAll } from "vitest";
import { asSuperuser } from "../../local/targets/postgres-seed.ts";
import type { PostgresServer } from "../../local/targets/postgres.ts";
import type { AlternatingTarget } from "../../rotators/shared/postgres/target.ts";
import type { Step } from "../../src/rotator.ts";
import { startEdge } from "../contract/edge.ts";
import type { Edge } from "../contract/edge.ts";
import type { Lab } from "../contract/rotator-cases.ts";
import { alternatingLab, freshServer } from "./postgres-harness.ts";

/** A pair of roles with what a test wants at hand. */
export interface Pair extends Lab<AlternatingTarget> {
  readonly step: Step<AlternatingTarget>;
  readonly roles: readonly [string, string];
}

/** A step of a lab against a target of its own. */
export function stepFor<T>({ ports }: Pick<Pair, "ports">, target: T, rotationId = "r-0mi000001-aaaaaa"): Step<T> {
  return { target, rotationId, round: 1, ports, notes: memoryNotes(), signal: new AbortController().signal };
}

/** One server for all tests of a file. */
export function usePairs() {
  let server: PostgresServer;
  const edges: Edge[] = [];
  beforeAll(async () => {
    server = await freshServer();
  });
  afterAll(async () => {
    await Promise.all(edges.map((edge) => edge.close()));
    await server.stop();
  });
  return {
    server: () => server,
    async lab(): Promise<Pair> {
      const made = await alternatingLab(server, async (port) => {
        const edge = await startEdge(port);
        edges.push(edge);
        return edge;
      });
      return { ...made, step: stepFor(made, made.target), roles: made.target.roles };
    },
    /** Runs SQL as the superuser; `%I` in it stands for the quoted role. */
    async sql(text: string, role = ""): Promise<void> {
      await asSuperuser(server, "shop", async (client) => {
        await client.query(text.replaceAll("%I", client.escapeIdentifier(role)));
      });
    },
  };
}
