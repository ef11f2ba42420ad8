import type { HttpHandler, HttpRequest, HttpResponseInit, InvocationContext } from "@azure/functions";
import { type Deps, findSubject, type Subject } from "../../activities/deps.ts";
import { type Access, type Config, settingsError } from "../../config.ts";
import { PinionError } from "../../errors.ts";
import type { Actor } from "../../store/types.ts";
import type { Engine } from "../engine.ts";
import { callerOf, requireRight, type Right } from "./caller.ts";
import { problem } from "./problem.ts";

/** What an API handler gets: the app's parts and who calls. */
export interface Call {
  readonly request: HttpRequest;
  readonly deps: Deps;
  readonly config: Config;
  readonly engine: Engine;
  /** Somebody who has the right that the route takes. */
  readonly actor: Actor;
}

export type ApiHandler = (call: Call) => Promise<HttpResponseInit>;

/** For everybody: nothing is known of who calls. */
export type PublicHandler = (call: Omit<Call, "actor">) => Promise<HttpResponseInit>;

/** The app, or every fault that kept it from being put together; then every call says them. */
export type App =
  | { readonly ok: true; readonly deps: Deps; readonly config: Config }
  | { readonly ok: false; readonly faults: readonly string[]; readonly access: Access };

export const accessOf = (app: App): Access => (app.ok ? app.config : app.access);

type EngineOf = (context: InvocationContext) => Engine;

/** A handler for callers with a right. */
export function route(app: App, engine: EngineOf, handler: ApiHandler, right: Right): HttpHandler {
  return answer(async (request, context) => {
    const actor = requireRight(callerOf(request, accessOf(app)), right, accessOf(app));
    return await handler({ request, ...partsOf(app), engine: engine(context), actor });
  });
}

/** A handler for everybody. App Service authentication must leave its path out, so what a caller says of itself counts for nothing. */
export function publicRoute(app: App, engine: EngineOf, handler: PublicHandler): HttpHandler {
  return answer((request, context) => handler({ request, ...partsOf(app), engine: engine(context) }));
}

function partsOf(app: App): Pick<Call, "deps" | "config"> {
  if (!app.ok) throw settingsError(app.faults);
  return { deps: app.deps, config: app.config };
}

/** Errors as problem+json, and those that are no fault of the caller's in the log: unexpected ones by place only. */
export function answer(
  handler: (request: HttpRequest, context: InvocationContext) => Promise<HttpResponseInit>,
): HttpHandler {
  return async (request, context) => {
    try {
      return await handler(request, context);
    } catch (error) {
      const reply = problem(error);
      if (!(error instanceof PinionError))
        context.error(`unexpected ${error instanceof Error ? error.name : "error"} in ${context.functionName}`);
      else if ((reply.status ?? 500) >= 500)
        context.error(`${error.code} in ${context.functionName}: ${error.message}`);
      return reply;
    }
  };
}

/** The object that a route's `{id}` names. */
export async function subjectOf({ request, deps }: Call): Promise<Subject> {
  const id = request.params["id"] ?? "";
  const subject = await findSubject(deps, id);
  if (subject !== undefined) return subject;
  const { faults } = await deps.policy();
  const broken = faults.some(({ object }) => object === id);
  throw new PinionError(
    "OBJECT_UNKNOWN",
    broken
      ? "That object has faults in the policy: GET /api/health lists them."
      : "There is no such object in the policy: GET /api/rotations lists them.",
  );
}
