// @peculiar/x509 (through tsyringe) wants the `Reflect` metadata proposal, of which it uses these three functions.
// They are defined here, in a few lines, instead of a dependency; a polyfill that is already there is left alone.

type MetadataTable = Map<unknown, unknown>;

const tables = new WeakMap<object, MetadataTable>();

const polyfill = {
  defineMetadata(key: unknown, value: unknown, target: object): void {
    const table: MetadataTable = tables.get(target) ?? new Map<unknown, unknown>();
    table.set(key, value);
    tables.set(target, table);
  },
  getOwnMetadata(key: unknown, target: object): unknown {
    return tables.get(target)?.get(key);
  },
  getMetadata(key: unknown, target: object): unknown {
    for (let at: object | null = target; at; at = Object.getPrototypeOf(at) as object | null) {
      const table = tables.get(at);
      if (table?.has(key)) return table.get(key);
    }
    return undefined;
  },
};

for (const [name, value] of Object.entries(polyfill)) {
  if (!(name in Reflect)) Object.defineProperty(Reflect, name, { value, writable: true, configurable: true });
}
