import type { TableClient } from "@azure/data-tables";

interface Row {
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly json: string;
}
type Action = readonly ["create", Row] | readonly ["update", Row, string, { readonly etag?: string }];

/**
 * A table in memory with the service's rules for ETags and transactions: what the records use of it. `pause` is awaited before a request
 * reaches it and before its reply leaves, so that a test decides which of several requests comes first.
 */
export function scriptedTable(
  pause: () => Promise<unknown>,
): TableClient & { readonly rows: Map<string, Row & { etag: string }> } {
  const rows = new Map<string, Row & { etag: string }>();
  let writes = 0;
  const keyOf = ({ partitionKey, rowKey }: Row) => `${partitionKey}\n${rowKey}`;
  const check = (action: Action): void => {
    const found = rows.get(keyOf(action[1]));
    if (action[0] === "create") {
      if (found) throw refusal(409);
    } else if (!found) throw refusal(404);
    else if (action[3].etag !== "*" && action[3].etag !== found.etag) throw refusal(412);
  };
  const put = ([, row]: Action): { etag: string } => {
    const etag = `W/"${++writes}"`;
    rows.set(keyOf(row), { ...row, etag });
    return { etag };
  };
  const request = async <T>(work: () => T): Promise<T> => {
    await pause();
    const result = work();
    await pause();
    return result;
  };
  const write = (action: Action) => request(() => (check(action), put(action)));
  const table = {
    rows,
    createEntity: (row: Row) => write(["create", row]),
    updateEntity: (row: Row, mode: string, options: { etag?: string }) => write(["update", row, mode, options]),
    submitTransaction: (actions: readonly Action[]) =>
      request(() => {
        for (const action of actions) check(action);
        for (const action of actions) put(action);
      }),
    getEntity: (partitionKey: string, rowKey: string) =>
      request(() => {
        const found = rows.get(`${partitionKey}\n${rowKey}`);
        if (!found) throw refusal(404);
        return found;
      }),
    async *listEntities({ queryOptions }: { queryOptions: { filter: string } }) {
      const [, partition = ""] = /PartitionKey eq '([^']*)'/.exec(queryOptions.filter) ?? [];
      const [, from = "", to = ""] = /RowKey ge '([^']*)' and RowKey lt '([^']*)'/.exec(queryOptions.filter) ?? [];
      const found = await request(() =>
        [...rows.values()].filter(
          ({ partitionKey, rowKey }) =>
            partitionKey === partition && (rowKey === "state" || (rowKey >= from && rowKey < to)),
        ),
      );
      yield* found.sort((a, b) => (a.rowKey < b.rowKey ? -1 : 1));
    },
  };
  return table as unknown as ReturnType<typeof scriptedTable>;
}

function refusal(statusCode: number): Error {
  return Object.assign(new Error(String(statusCode)), { statusCode });
}
