import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { runInThisContext } from "node:vm";

// Microsoft's own parser of Kusto queries, the one of the portal. It is a script for browsers that puts its names on the global object.

const name = "@kusto/language-service-next";
const require = createRequire(import.meta.url);
const { devDependencies } = require("../../package.json") as { devDependencies: Record<string, string> };

/** Why the parser is not here; undefined where it is. */
export const missing: string | undefined = name in devDependencies ? undefined : `${name} is no dependency`;

/** The columns that the queries may use, as Azure documents them, by table. */
const tables = {
  AppTraces:
    "(TimeGenerated:datetime, Message:string, AppRoleName:string, SeverityLevel:int, Properties:dynamic, _ResourceId:string)",
  AZKVAuditLogs:
    "(TimeGenerated:datetime, OperationName:string, HttpStatusCode:int, Identity:dynamic, RequestUri:string, CallerIpAddress:string, DurationMs:int, _ResourceId:string)",
  StorageBlobLogs:
    "(TimeGenerated:datetime, AccountName:string, OperationName:string, StatusCode:string, ObjectKey:string, _ResourceId:string)",
  StorageQueueLogs:
    "(TimeGenerated:datetime, AccountName:string, OperationName:string, StatusCode:string, ObjectKey:string, _ResourceId:string)",
};

interface Diagnostic {
  readonly Severity: string;
  readonly Message: string;
  readonly Start: number;
  readonly Length: number;
}

interface Table {
  WithName(name: string): Table;
}

interface Parser {
  readonly Symbols: {
    readonly TableSymbol: { From(columns: string): Table };
    readonly DatabaseSymbol: {
      readonly $ctor2: new (name: string, alternate: null, members: readonly Table[]) => object;
    };
  };
  readonly GlobalState: { readonly Default: { WithDatabase(database: object): object } };
  readonly KustoCode: {
    ParseAndAnalyze(
      text: string,
      globals: object,
    ): { GetDiagnostics(): { readonly Count: number; getItem(at: number): Diagnostic } };
  };
}

let loaded: ((query: string) => string[]) | undefined;

/** What is wrong with a query, in the parser's words. */
export function faultsIn(query: string): string[] {
  loaded ??= load();
  return loaded(query);
}

function load(): (query: string) => string[] {
  const folder = dirname(require.resolve(name));
  for (const file of ["bridge.min.js", "Kusto.Language.Bridge.min.js"])
    runInThisContext(readFileSync(join(folder, file), "utf8"), { filename: file });
  const { Symbols, GlobalState, KustoCode } = (globalThis as unknown as { Kusto: { Language: Parser } }).Kusto.Language;
  const members = Object.entries(tables).map(([table, columns]) => Symbols.TableSymbol.From(columns).WithName(table));
  const globals = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.$ctor2("workspace", null, members));
  return (query) => {
    const found = KustoCode.ParseAndAnalyze(query, globals).GetDiagnostics();
    return Array.from({ length: found.Count }, (_, at) => found.getItem(at)).map(
      ({ Message, Start, Length }) => `${Message} (${query.slice(Start, Start + Length)})`,
    );
  };
}
