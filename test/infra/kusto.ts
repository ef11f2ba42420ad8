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
  readonly KustoCode: { ParseAndAnalyze(text: string, globals: object): Analysed };
}

interface List<T> {
  readonly Count: number;
  getItem(at: number): T;
}

interface Analysed {
  readonly ResultType: { readonly Columns: List<{ readonly Name: string; readonly Type: { readonly Name: string } }> };
  GetDiagnostics(): List<Diagnostic>;
}

const array = <T>(list: List<T>): T[] => Array.from({ length: list.Count }, (_, at) => list.getItem(at));

let loaded: ((query: string) => Analysed) | undefined;

function analyse(query: string): Analysed {
  loaded ??= load();
  return loaded(query);
}

/** What is wrong with a query, in the parser's words. */
export const faultsIn = (query: string): string[] =>
  array(analyse(query).GetDiagnostics()).map(
    ({ Message, Start, Length }) => `${Message} (${query.slice(Start, Start + Length)})`,
  );

/** The columns of a query's result, with their types. */
export const columnsOf = (query: string): Record<string, string> =>
  Object.fromEntries(array(analyse(query).ResultType.Columns).map(({ Name, Type }) => [Name, Type.Name]));

function load(): (query: string) => Analysed {
  const folder = dirname(require.resolve(name));
  for (const file of ["bridge.min.js", "Kusto.Language.Bridge.min.js"])
    runInThisContext(readFileSync(join(folder, file), "utf8"), { filename: file });
  const { Symbols, GlobalState, KustoCode } = (globalThis as unknown as { Kusto: { Language: Parser } }).Kusto.Language;
  const members = Object.entries(tables).map(([table, columns]) => Symbols.TableSymbol.From(columns).WithName(table));
  const globals = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.$ctor2("workspace", null, members));
  return (query) => KustoCode.ParseAndAnalyze(query, globals);
}
