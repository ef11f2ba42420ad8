import { createHash } from "node:crypto";
import { odata, type TableClient, type TransactionAction } from "@azure/data-tables";
import { PinionError } from "../errors.ts";
import type { Command, ObjectState } from "./types.ts";
import { storageError, statusOf } from "./storage.ts";

/** An object's state with the ETag it was read at; "" when there is none yet. */
export interface Stored<T> {
  readonly value: T;
  readonly etag: string;
}

/** What a step reads first: the object's state and the commands given for one rotation. */
export interface Page {
  readonly state: Stored<ObjectState>;
  readonly commands: readonly Command[];
}

/**
 * State and command records, one table partition for each managed object, so that a command and the point of no return can
 * never both win: both write the state row, with its ETag, in one transaction (design 3.2).
 */
export interface Records {
  /** State, and the commands of `rotationId` where one is given. One request. */
  read(object: string, rotationId?: string): Promise<Page>;
  /** Writes the state if it is still the one that was read; `undefined` when somebody else wrote first. */
  write(object: string, next: ObjectState, etag: string): Promise<string | undefined>;
  /** Records a start under an idempotency key: the first caller's command wins and is returned to all. */
  start(object: string, key: string, command: Command): Promise<Command>;
  /** Records a command and touches the state in one transaction; false when the state changed meanwhile (read again). */
  command(object: string, command: Command, state: Stored<ObjectState>): Promise<boolean>;
  /** All objects' states, for the fleet view. */
  all(): Promise<readonly { readonly object: string; readonly state: ObjectState }[]>;
}

const stateRow = "state";
export const emptyState: ObjectState = {
  phase: "idle",
  attempts: 0,
  quarantined: false,
  pointOfNoReturn: false,
  superseded: [],
};

export function openRecords(table: TableClient): Records {
  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw storageError(error);
    }
  };
  return {
    read: (object, rotationId) =>
      run(async () => {
        const from = `cmd!${rotationId ?? "~"}!`;
        // The rotation id may come from a forged start, so it is quoted.
        const filter = odata`PartitionKey eq ${object} and (RowKey eq ${stateRow} or (RowKey ge ${from} and RowKey lt ${`${from}~`}))`;
        let state: Stored<ObjectState> = { value: emptyState, etag: "" };
        const commands: Command[] = [];
        for await (const row of table.listEntities<Row>({ queryOptions: { filter } })) {
          if (row.rowKey === stateRow) state = { value: parse<ObjectState>(textOf(row)), etag: row.etag };
          else commands.push(parse<Command>(row.json));
        }
        return { state, commands };
      }),
    write: (object, next, etag) =>
      run(async () => {
        const entity = stateEntity(object, next);
        try {
          const reply =
            etag === "" ? await table.createEntity(entity) : await table.updateEntity(entity, "Replace", { etag });
          return reply.etag ?? "";
        } catch (error) {
          const status = statusOf(error);
          if (status === 409 || status === 412 || status === 404) return undefined;
          throw error;
        }
      }),
    start: (object, key, command) =>
      run(async () => {
        const rowKey = `start!${createHash("sha256").update(key).digest("hex")}`;
        try {
          await table.submitTransaction([
            ["create", { partitionKey: object, rowKey, json: JSON.stringify(command) }],
            ["create", commandEntity(object, command)],
          ]);
          return command;
        } catch (error) {
          if (statusOf(error) !== 409) throw error;
          const first = await table.getEntity<{ json: string }>(object, rowKey);
          return parse<Command>(first.json);
        }
      }),
    command: (object, command, state) =>
      run(async () => {
        const touched = stateEntity(object, { ...state.value, lastCommand: command.id });
        const actions: TransactionAction[] = [
          ["create", commandEntity(object, command)],
          state.etag === "" ? ["create", touched] : ["update", touched, "Replace", { etag: state.etag }],
        ];
        try {
          await table.submitTransaction(actions);
          return true;
        } catch (error) {
          const status = statusOf(error);
          // 409: this very command is recorded already, which is what its sender wants to hear.
          if (status === 409) return true;
          if (status === 412) return false;
          throw error;
        }
      }),
    all: () =>
      run(async () => {
        const found: { object: string; state: ObjectState }[] = [];
        const filter = `RowKey eq '${stateRow}'`;
        for await (const row of table.listEntities<Row>({ queryOptions: { filter } })) {
          if (row.partitionKey !== undefined)
            found.push({ object: row.partitionKey, state: parse<ObjectState>(textOf(row)) });
        }
        return found;
      }),
  };
}

function stateEntity(object: string, state: ObjectState) {
  const [json = "", ...rest] = JSON.stringify(state).match(pieces) ?? [];
  const more = Object.fromEntries(rest.map((piece, at) => [`json${at + 1}`, piece]));
  return { partitionKey: object, rowKey: stateRow, json, ...more, phase: state.phase };
}

/** A property holds 64 KiB, two bytes for a character and four for some; a row 1 MiB. An object with many consumers has a long state. */
const pieces = /[^]{1,15000}/gu;

type Row = { readonly json: string } & Readonly<Record<`json${number}`, string>>;

function textOf(row: Row): string {
  let text = row.json;
  for (let at = 1; ; at++) {
    const piece = row[`json${at}`];
    if (piece === undefined) return text;
    text += piece;
  }
}

function commandEntity(object: string, command: Command) {
  return { partitionKey: object, rowKey: `cmd!${command.rotationId}!${command.id}`, json: JSON.stringify(command) };
}

function parse<T>(json: string): T {
  try {
    return JSON.parse(json) as T;
  } catch (cause) {
    throw new PinionError(
      "STORAGE_UNAVAILABLE",
      "A record in Pinion's table is not JSON: it was changed by hand; restore or delete that row.",
      { cause },
    );
  }
}
