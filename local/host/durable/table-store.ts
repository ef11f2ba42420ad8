// Instances in table storage: one table for a hub, one partition for an instance, so that a checkpoint is one entity
// group transaction. Rows: `i` the instance, `h-<generation>-<n>` the history of one checkpoint, `m-<key>` a message,
// `x-...` what did not fit the row that refers to it. The real extension's tables are never touched.
import { randomUUID } from "node:crypto";
import { RestError, TableClient } from "@azure/data-tables";
import type { TransactionAction } from "@azure/data-tables";
import type { HistoryEvent } from "./history.ts";
import type { Instance } from "./instance.ts";
import { furtherRows, pack, partitionOf, unpack } from "./rows.ts";
import type { Properties } from "./rows.ts";
import { Conflict } from "./store.ts";
import type { Commit, Store, Stored, StoredMessage } from "./store.ts";

type Row = Record<string, unknown> & { readonly rowKey: string; readonly etag?: string };

const number = (n: number) => String(n).padStart(8, "0");
const historyKey = (generation: number, n: number) => `h-${number(generation)}-${number(n)}`;

/** A store in the tables of a storage account. Its table is named after the hub: `<hub>Standin`. */
export function createTableStore(options: { readonly connectionString: string; readonly hub: string }): Store {
  const table = TableClient.fromConnectionString(options.connectionString, tableName(options.hub), {
    allowInsecureConnection: true,
  });
  const etags = new Map<string, string>();

  const rowsOf = (id: string) => partition(table, partitionOf(id));

  const remove = async (id: string, rowKeys: readonly string[]) => {
    const partitionKey = partitionOf(id);
    for (let n = 0; n < rowKeys.length; n += 100) {
      const some = rowKeys.slice(n, n + 100);
      await table.submitTransaction(some.map((rowKey) => ["delete", { partitionKey, rowKey }]));
    }
  };

  /** Packs a value for a row of a transaction; what does not fit goes ahead, on its own. */
  const packed = async (partitionKey: string, name: string, value: unknown): Promise<Properties> => {
    const { properties, overflow } = pack(name, asciiJson(value), randomUUID());
    for (const row of overflow)
      await table.upsertEntity({ partitionKey, rowKey: row.rowKey, ...row.properties }, "Replace");
    return properties;
  };

  const messageRow = async (partitionKey: string, message: StoredMessage) => ({
    partitionKey,
    rowKey: `m-${message.key}`,
    ...(await packed(partitionKey, "message", message)),
  });

  const commit = async ({ instance, whole, append, enqueue, consume }: Commit) => {
    const partitionKey = partitionOf(instance.id);
    const { id, name, version, parent, input, ...changing } = instance;
    const row = {
      partitionKey,
      rowKey: "i",
      ...(whole && (await packed(partitionKey, "fixed", { id, name, version, parent, input }))),
      ...(await packed(partitionKey, "changing", changing)),
    };
    const etag = etags.get(id);
    const actions: TransactionAction[] = [
      etag === undefined ? ["create", row] : ["update", row, whole ? "Replace" : "Merge", { etag }],
    ];
    if (append.length > 0) {
      const rowKey = historyKey(instance.generation, instance.checkpoints - 1);
      actions.push(["create", { partitionKey, rowKey, ...(await packed(partitionKey, "events", append)) }]);
    }
    for (const message of enqueue) actions.push(["upsert", await messageRow(partitionKey, message), "Replace"]);
    for (const key of consume) actions.push(["delete", { partitionKey, rowKey: `m-${key}` }]);
    try {
      const response = await table.submitTransaction(actions);
      etags.set(id, response.subResponses[0]!.etag!.trim());
    } catch (error) {
      const lost = error instanceof RestError && [404, 409, 412].includes(error.statusCode ?? 0);
      throw lost ? new Conflict(`The instance '${id}' has been written by another.`, { cause: error }) : error;
    }
  };

  const load = async (id: string): Promise<Stored | undefined> => {
    const rows = await rowsOf(id);
    const instance = instanceOf(rows.get("i"), rows);
    if (!instance) return undefined;
    etags.set(id, rows.get("i")!.etag!);
    const history = Array.from({ length: instance.checkpoints }, (_, n) => {
      const row = rows.get(historyKey(instance.generation, n));
      // An instance that only dropped messages has counted no checkpoint, so no number is ever missing.
      if (!row) throw new Error(`The instance '${id}' lacks row ${n} of its history.`);
      return JSON.parse(unpack("events", row, (key) => rows.get(key))) as HistoryEvent[];
    }).flat();
    const inbox = [...rows.values()]
      .filter(({ rowKey }) => rowKey.startsWith("m-") && rowKey >= `m-${instance.since}`)
      .sort((a, b) => (a.rowKey < b.rowKey ? -1 : 1))
      .map((row) => JSON.parse(unpack("message", row, (key) => rows.get(key))) as StoredMessage);
    return { instance, history, inbox };
  };

  return {
    open: () => table.createTable(),
    close: async () => {},
    load,
    commit,
    async list() {
      const found: Instance[] = [];
      for await (const row of table.listEntities<Row & { partitionKey: string }>({
        queryOptions: { filter: "RowKey eq 'i'" },
      })) {
        const far = furtherRows("fixed", row).length + furtherRows("changing", row).length > 0;
        const rows = far ? await partition(table, row.partitionKey) : new Map<string, Row>();
        const instance = instanceOf(row, rows)!;
        etags.set(instance.id, row.etag);
        found.push(instance);
      }
      return found;
    },
    async enqueue(id, message) {
      await table.upsertEntity(await messageRow(partitionOf(id), message), "Replace");
    },
    async remove(id) {
      const keys = [...(await rowsOf(id)).keys()];
      // The instance goes last: should this end half-way, it can be done again.
      await remove(id, [...keys.filter((key) => key !== "i"), ...keys.filter((key) => key === "i")]);
      etags.delete(id);
    },
    async tidy(instance) {
      const rows = await rowsOf(instance.id);
      const kept = [...rows.values()].filter((row) => {
        if (row.rowKey.startsWith("h-")) return row.rowKey >= historyKey(instance.generation, 0);
        if (row.rowKey.startsWith("m-")) return row.rowKey >= `m-${instance.since}`;
        return row.rowKey === "i";
      });
      const used = new Set(
        kept.flatMap((row) => ["fixed", "changing", "events", "message"].flatMap((name) => furtherRows(name, row))),
      );
      const keys = new Set(kept.map((row) => row.rowKey));
      // Further rows of a later checkpoint may be on their way: they are left for the next time.
      const void_ = [...rows.keys()].filter((key) => !keys.has(key) && !used.has(key) && !key.startsWith("x-"));
      const orphans = [...rows.values()]
        .filter((row) => void_.includes(row.rowKey))
        .flatMap((row) => ["events", "message"].flatMap((name) => furtherRows(name, row)));
      await remove(instance.id, [...void_, ...orphans]);
    },
  };
}

/** JSON in ASCII: Azurite tears characters of more than one byte apart where a long request's parts meet. */
function asciiJson(value: unknown): string {
  const escape = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value).replaceAll(/[\u0080-\uffff]/g, escape);
}

async function partition(table: TableClient, partitionKey: string): Promise<Map<string, Row>> {
  const rows = new Map<string, Row>();
  const filter = `PartitionKey eq '${partitionKey}'`;
  for await (const row of table.listEntities<Row>({ queryOptions: { filter } })) rows.set(row.rowKey, row);
  return rows;
}

function instanceOf(row: Row | undefined, rows: ReadonlyMap<string, Row>): Instance | undefined {
  if (!row) return undefined;
  const read = (name: string) => JSON.parse(unpack(name, row, (key) => rows.get(key))) as object;
  return { ...read("fixed"), ...read("changing") } as Instance;
}

/** Table names are letters and digits, 3 to 63 of them, and do not begin with a digit. */
function tableName(hub: string): string {
  const plain = hub
    .replaceAll(/[^A-Za-z0-9]/g, "")
    .replace(/^\d+/, "")
    .slice(0, 50);
  return `${plain}Standin`;
}
