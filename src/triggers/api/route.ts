import type { HttpRequest, HttpResponseInit, InvocationContext } from "@azure/functions";
import { type Deps, findSubject, type Subject } from "../../activities/deps.ts";
import type { Config } from "../../config.ts";
import { PinionError } from "../../errors.ts";
import type { Actor } from "../../store/types.ts";
import type { Engine } from "../engine.ts";
import { callerOf } from "./caller.ts";
import { problem } from "./problem.ts";

/** What an API handler gets: the app's parts and who calls. */
export interface Call {
  readonly request: HttpRequest;
  readonly deps: Deps;
  readonly config: Config;
  readonly engine: Engine;
  readonly actor: Actor;
}

export type ApiHandler = (call: Call) => Promise<HttpResponseInit>;

/** The app, or why it could not be put together; then every call says that. */
export type App =
  | { readonly ok: true; readonly deps: Deps; readonly config: Config }
  | { readonly ok: false; readonly error: unknown };

/** Wraps a handler: who calls, errors as problem+json, and those that are no fault of the caller's in the log: unexpected ones by place only. */
export function route(app: () => App, engine: (context: InvocationContext) => Engine, handler: ApiHandler) {
  return async (request: HttpRequest, context: InvocationContext): Promise<HttpResponseInit> => {
    try {
      const made = app();
      if (!made.ok) throw made.error;
      const { deps, config } = made;
      return await handler({ request, deps, config, engine: engine(context), actor: callerOf(request, config) });
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
