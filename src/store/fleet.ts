import type { TableClient } from "@azure/data-tables";
import { statusOf, storageError } from "./storage.ts";

/** Why a start was not let through. */
export type FleetRefusal = "concurrent" | "daily" | "breaker";

/** Failures in a row, and the rotation that was counted last: the last step of a rotation may run twice. */
export interface FailureCount {
  readonly count: number;
  readonly last: string;
}

/** The fleet's one row. `active` maps an object to the rotation that holds a place; `failures` counts by breaker. */
interface FleetRow {
  readonly active: Readonly<Record<string, string>>;
  readonly day: string;
  readonly started: number;
  readonly failures: Readonly<Record<string, FailureCount>>;
}

export interface FleetLimits {
  readonly concurrent: number;
  readonly perDay: number;
  readonly breakerFailures: number;
}

/** Caps and breakers over all objects (design 3.6). */
export interface Fleet {
  /**
   * Takes a place for a start. An object that holds one keeps it, whichever of its rotations asks, and is not counted again: a repeat of
   * a request must not use up the day. A person's start passes an open breaker.
   */
  claim(request: {
    readonly object: string;
    readonly rotationId: string;
    readonly breakers: readonly string[];
    readonly limits: FleetLimits;
    readonly byPerson: boolean;
    /** It had a place before, and was counted for a day then. */
    readonly again?: true;
    /** ISO 8601. */
    readonly at: string;
  }): Promise<FleetRefusal | undefined>;
  /** Gives the place back; harmless when it is not held. */
  release(object: string, rotationId: string): Promise<void>;
  /** Counts a rotation's failure against the breakers, once, or closes them after a success. */
  tell(breakers: readonly string[], rotationId: string, failed: boolean): Promise<void>;
  open(): Promise<FleetRow>;
  /** Remembers when a sweep ended (ISO 8601). */
  swept(at: string): Promise<void>;
  /** When the last sweep ended; undefined: none did yet. */
  lastSweep(): Promise<string | undefined>;
}

const key = { partitionKey: "fleet", rowKey: "fleet" } as const;
const sweepKey = { partitionKey: "fleet", rowKey: "sweep" } as const;
const empty: FleetRow = { active: {}, day: "", started: 0, failures: {} };

export function openFleet(table: TableClient): Fleet {
  const read = async (): Promise<{ row: FleetRow; etag: string }> => {
    try {
      const found = await table.getEntity<{ json: string }>(key.partitionKey, key.rowKey);
      return { row: JSON.parse(found.json) as FleetRow, etag: found.etag };
    } catch (error) {
      if (statusOf(error) === 404) return { row: empty, etag: "" };
      throw storageError(error);
    }
  };
  /** Applies `change` until it is written on top of what was read; `undefined` from it means nothing to write. */
  const update = async (change: (row: FleetRow) => FleetRow | undefined): Promise<void> => {
    for (;;) {
      const { row, etag } = await read();
      const next = change(row);
      if (next === undefined) return;
      const entity = { ...key, json: JSON.stringify(next) };
      try {
        await (etag === "" ? table.createEntity(entity) : table.updateEntity(entity, "Replace", { etag }));
        return;
      } catch (error) {
        if (statusOf(error) !== 409 && statusOf(error) !== 412) throw storageError(error);
      }
    }
  };
  return {
    async claim({ object, rotationId, breakers, limits, byPerson, again, at }) {
      let refusal: FleetRefusal | undefined;
      await update((row) => {
        refusal = undefined;
        if (row.active[object] === rotationId) return undefined;
        const active = { ...row.active, [object]: rotationId };
        if (row.active[object] !== undefined) return { ...row, active };
        const day = at.slice(0, 10);
        const started = row.day === day ? row.started : 0;
        if (Object.keys(row.active).length >= limits.concurrent) refusal = "concurrent";
        else if (!again && started >= limits.perDay) refusal = "daily";
        else if (!byPerson && breakers.some((name) => (row.failures[name]?.count ?? 0) >= limits.breakerFailures))
          refusal = "breaker";
        return refusal === undefined ? { ...row, active, day, started: started + (again ? 0 : 1) } : undefined;
      });
      return refusal;
    },
    release: (object, rotationId) =>
      update((row) => {
        if (row.active[object] !== rotationId) return undefined;
        const { [object]: _gone, ...active } = row.active;
        return { ...row, active };
      }),
    tell: (breakers, rotationId, failed) =>
      update((row) => {
        const failures = { ...row.failures };
        for (const name of breakers) {
          const { count = 0, last } = failures[name] ?? {};
          if (!failed) delete failures[name];
          else if (last !== rotationId) failures[name] = { count: count + 1, last: rotationId };
        }
        return JSON.stringify(failures) === JSON.stringify(row.failures) ? undefined : { ...row, failures };
      }),
    open: async () => (await read()).row,
    async swept(at) {
      try {
        await table.upsertEntity({ ...sweepKey, at }, "Replace");
      } catch (error) {
        throw storageError(error);
      }
    },
    async lastSweep() {
      try {
        return (await table.getEntity<{ at: string }>(sweepKey.partitionKey, sweepKey.rowKey)).at;
      } catch (error) {
        if (statusOf(error) === 404) return undefined;
        throw storageError(error);
      }
    },
  };
}
