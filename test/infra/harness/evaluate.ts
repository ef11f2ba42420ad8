// What only Azure knows of a prediction, put in its place: a small evaluator of the expressions that the compiler leaves.

/** What `environment()` says. */
export interface Environment {
  readonly name: string;
  readonly resourceManager: string;
  readonly authentication: { readonly loginEndpoint: string };
  readonly suffixes: { readonly storage: string; readonly keyvaultDns: string };
}

/** The clouds. Unconfirmed: whether each ends its addresses with a slash; what is made from them must be right both ways. */
export const environments: Readonly<Record<string, Environment>> = {
  AzureCloud: {
    name: "AzureCloud",
    resourceManager: "https://management.azure.com/",
    authentication: { loginEndpoint: "https://login.microsoftonline.com/" },
    suffixes: { storage: "core.windows.net", keyvaultDns: ".vault.azure.net" },
  },
  AzureUSGovernment: {
    name: "AzureUSGovernment",
    resourceManager: "https://management.usgovcloudapi.net",
    authentication: { loginEndpoint: "https://login.microsoftonline.us" },
    suffixes: { storage: "core.usgovcloudapi.net", keyvaultDns: ".vault.usgovcloudapi.net" },
  },
  AzureChinaCloud: {
    name: "AzureChinaCloud",
    resourceManager: "https://management.chinacloudapi.cn",
    authentication: { loginEndpoint: "https://login.chinacloudapi.cn/" },
    suffixes: { storage: "core.chinacloudapi.cn", keyvaultDns: ".vault.azure.cn" },
  },
};

/** What resources that are there say of themselves: a stand-in for every property that the templates read. */
const standIn = {
  clientId: "55555555-5555-4555-8555-555555555555",
  principalId: "66666666-6666-4666-8666-666666666666",
  endpoint: "https://endpoint.example",
  defaultHostName: "app.example",
  vaultUri: "https://vault.example/",
  ConnectionString:
    "InstrumentationKey=77777777-7777-4777-8777-777777777777;IngestionEndpoint=https://ingestion.example/",
  location: "westeurope",
} as const;

type Thunk = () => unknown;
type Call = (...args: readonly Thunk[]) => unknown;

const functionsIn = (environment: Environment): Readonly<Record<string, Call>> => ({
  environment: () => environment,
  reference: () => ({ ...standIn, identity: standIn }),
  format: (text, ...args) => String(text()).replace(/\{(\d+)\}/g, (_, at: string) => String(args[Number(at)]!())),
  concat: (...args) => args.map((one) => String(one())).join(""),
  if: (condition, then, otherwise) => (condition() === true ? then() : otherwise()),
  equals: (a, b) => a() === b(),
  endsWith: (text, end) => String(text()).endsWith(String(end())),
  uri: (base, path) => new URL(String(path()), String(base())).href,
  replace: (text, from, to) => String(text()).replaceAll(String(from()), String(to())),
  createArray: (...args) => args.map((one) => one()),
  createObject: (...args) =>
    Object.fromEntries(args.flatMap((one, at) => (at % 2 === 0 ? [[String(one()), args[at + 1]!()]] : []))),
  fail: (text) => {
    throw new Error(String(text()));
  },
});

/** A value with each expression in it evaluated in a cloud. Throws where an expression does, or has a function that is not known here. */
export function evaluate(value: unknown, environment: Environment): unknown {
  if (Array.isArray(value)) return value.map((one) => evaluate(one, environment));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, evaluate(one, environment)]));
  if (typeof value !== "string" || !value.startsWith("[")) return value;
  return value.startsWith("[[") ? value.slice(1) : parse(value.slice(1, -1), functionsIn(environment))();
}

const token = /\s*('(?:[^']|'')*'|\d+|\w+|[().,[\]])/y;

/** An expression as something to evaluate: a text, a number or a call, then properties of it. */
function parse(text: string, functions: Readonly<Record<string, Call>>): Thunk {
  token.lastIndex = 0;
  const tokens: string[] = [];
  while (token.lastIndex < text.length) {
    const [, found] = token.exec(text) ?? [];
    if (found === undefined) throw new Error(`No expression that this test can read: ${text}`);
    tokens.push(found);
  }

  function primary(): Thunk {
    const first = tokens.shift() ?? "";
    if (first.startsWith("'")) return () => first.slice(1, -1).replaceAll("''", "'");
    if (/^\d/.test(first)) return () => Number(first);
    const call = functions[first];
    if (call === undefined) throw new Error(`This test does not know the function ${first} in ${text}`);
    tokens.shift();
    const args: Thunk[] = [];
    while (tokens[0] !== ")") {
      args.push(whole());
      if (tokens[0] === ",") tokens.shift();
    }
    tokens.shift();
    return () => call(...args);
  }

  function whole(): Thunk {
    let seen = primary();
    while (tokens[0] === "." || tokens[0] === "[") {
      const of = seen;
      const dot = tokens.shift() === ".";
      const name = tokens.shift() ?? "";
      const key: Thunk = dot ? () => name : () => (name.startsWith("'") ? name.slice(1, -1) : Number(name));
      if (!dot) tokens.shift();
      seen = () => (of() as Record<string, unknown>)[String(key())];
    }
    return seen;
  }

  return whole();
}
