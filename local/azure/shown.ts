import type { ArmRequest, ArmRouter } from "./arm.ts";

/** A resource as ARM shows it. */
export interface Shown {
  readonly id: string;
  readonly location?: string;
  readonly identity?: unknown;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** Figures of a resource, as `Microsoft.Insights/metrics` gives them: the total of each in the asked time. */
export type Metrics = (id: string, query: URLSearchParams) => Readonly<Record<string, number>>;

/** What ARM shows of resources that others here play, or that are only to be looked at. Nothing is written through it. */
export interface Shows {
  readonly route: ArmRouter;
  /** Shows a resource otherwise than it is, or (undefined from `change`) not at all, for those who read it; undefined: as it is again. */
  readonly pretend: (id: string, change: ((shown: Shown) => Shown | undefined) | undefined) => void;
}

/** Reads of ARM: a resource by its id, a collection below one, all of a type in a subscription, and metrics. */
export function createShows(sources: () => readonly Shown[], metrics: Metrics): Shows {
  const pretences = new Map<string, (shown: Shown) => Shown | undefined>();
  const all = () =>
    sources().flatMap((shown) => {
      const change = pretences.get(shown.id.toLowerCase());
      const seen = change === undefined ? shown : change(shown);
      return seen === undefined ? [] : [seen];
    });
  return {
    pretend: (id, change) =>
      void (change === undefined ? pretences.delete(id.toLowerCase()) : pretences.set(id.toLowerCase(), change)),
    route: (request) => (request.method === "GET" ? routeOf(request, all, metrics) : undefined),
  };
}

function routeOf({ path, query }: ArmRequest, all: () => readonly Shown[], metrics: Metrics) {
  const lower = path.toLowerCase();
  const measured = /^(.+)\/providers\/microsoft\.insights\/metrics$/i.exec(path)?.[1];
  if (measured !== undefined && find(all(), measured) !== undefined) {
    return {
      operation: "metrics.list",
      action: "Microsoft.Insights/metrics/read",
      run: () => ({ status: 200, body: metricsBody(metrics(measured, query)) }),
    };
  }
  const type = typeOf(path);
  const action = `${type}/read`;
  if (listed.has(type.toLowerCase()) && isCollection(path)) {
    const [, subscription = ""] = path.split("/subscriptions/");
    const below = (id: string) => parentOf(id) === lower || inSubscription(id, subscription, type, lower);
    const value = () => all().filter(({ id }) => below(id.toLowerCase()));
    return { operation: `${type}.list`, action, run: () => ({ status: 200, body: { value: value().map(bodyOf) } }) };
  }
  const found = find(all(), path);
  // Whoever plays the type answers for the rest.
  if (found === undefined) return undefined;
  return { operation: `${type}.get`, action, run: () => ({ status: 200, body: bodyOf(found) }) };
}

/** Types whose collections are shown. */
const listed = new Set(["microsoft.eventgrid/systemtopics", "microsoft.eventgrid/systemtopics/eventsubscriptions"]);

const find = (all: readonly Shown[], id: string) => all.find((one) => one.id.toLowerCase() === id.toLowerCase());
const parentOf = (id: string) => id.slice(0, id.lastIndexOf("/"));

/** Below the last `/providers/`: a namespace, then type and name by turns. */
const segments = (path: string): readonly string[] => (path.split(/\/providers\//i).at(-1) ?? "").split("/");
const isCollection = (path: string): boolean => segments(path).length % 2 === 0;
function typeOf(path: string): string {
  const [namespace = "", ...rest] = segments(path);
  return [namespace, ...rest.filter((_, at) => at % 2 === 0)].join("/");
}

/** `/subscriptions/<s>/providers/<type>`, or the same in a resource group: all of the type there. */
function inSubscription(id: string, subscription: string, type: string, collection: string): boolean {
  if (!/^[^/]+(\/resourcegroups\/[^/]+)?\/providers\/[^/]+\/[^/]+$/i.test(subscription)) return false;
  const scope = collection.slice(0, collection.indexOf("/providers/"));
  return id.startsWith(`${scope}/`) && typeOf(id).toLowerCase() === type.toLowerCase();
}

function bodyOf({ id, location = "westeurope", identity, properties }: Shown) {
  const name = id.split("/").at(-1);
  return { id, name, type: typeOf(id), location, ...(identity === undefined ? {} : { identity }), properties };
}

function metricsBody(totals: Readonly<Record<string, number>>) {
  const value = Object.entries(totals).map(([name, total]) => ({
    name: { value: name, localizedValue: name },
    unit: "Count",
    timeseries: total === 0 ? [] : [{ metadatavalues: [], data: [{ total }] }],
  }));
  return { cost: 0, interval: "PT1H", value };
}
