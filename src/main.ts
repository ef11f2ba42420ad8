import { AsyncLocalStorage } from "node:async_hooks";
import { app, type HttpHandler, type InvocationContext } from "@azure/functions";
import * as df from "durable-functions";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { findRotator, rotators } from "../rotators/index.ts";
import { createActivities } from "./activities/index.ts";
import { compose } from "./compose.ts";
import { readSettings, settingsError } from "./config.ts";
import { merge, request } from "./triggers/api/certificate.ts";
import { command } from "./triggers/api/command.ts";
import { doctor } from "./triggers/api/doctor.ts";
import { evidence } from "./triggers/api/evidence.ts";
import { health } from "./triggers/api/health.ts";
import { serveJwks, withdrawJwk } from "./triggers/api/jwks.ts";
import type { Right } from "./triggers/api/caller.ts";
import { accessOf, type ApiHandler, type App, publicRoute, route } from "./triggers/api/route.ts";
import { list, show } from "./triggers/api/show.ts";
import { start } from "./triggers/api/start.ts";
import { engineOf } from "./triggers/engine.ts";
import { type Facts, type Level, logLine } from "./signals.ts";
import { handleEvent } from "./triggers/key-vault-events.ts";
import { sweep } from "./triggers/sweep.ts";
import { rotate } from "./workflow/rotate.ts";
import { orchestration, type Reply, type StepInput, type StepName, stepNames } from "./workflow/steps.ts";

// The composition root: the only file with top-level effects. An app with wrong settings starts, says every fault, and rotates nothing.

const invocations = new AsyncLocalStorage<InvocationContext>();
const folder = dirname(fileURLToPath(import.meta.url));

const made = ((): App => {
  const { config, faults, access } = readSettings(process.env);
  if (config !== undefined)
    return { ok: true, config, deps: compose(config, { rotators, find: findRotator }, folder, log) };
  log("error", settingsError(faults).message, { counter: "settings.faulty", faults: faults.length });
  return { ok: false, faults, access };
})();

// A line is the invocation's own where there is one: the host sends it on with its level and operation.
function log(level: Level, message: string, facts?: Facts): void {
  const line = logLine(message, facts);
  const sink = invocations.getStore() ?? console;
  if (level === "error") sink.error(line);
  else if (level === "warning") sink.warn(line);
  else sink.log(line);
}

app.hook.preInvocation((hook) => {
  const { functionHandler, invocationContext } = hook;
  hook.functionHandler = (...args) => invocations.run(invocationContext, functionHandler, ...args);
});

const durable = df.input.durableClient();
const engine = (context: InvocationContext) => engineOf(df.getClient(context));
const extraInputs = [durable];

// The orchestration and its steps. While the settings are wrong every step asks to be tried again, so that a rotation which is under way
// waits for them instead of failing at a step that is not there.
df.app.orchestration(orchestration, rotate);
const activities = made.ok ? createActivities(made.deps) : undefined;
for (const name of stepNames) {
  const handler = (activities?.[name] ?? unsettled) as (input: StepInput<StepName>) => Promise<unknown>;
  df.app.activity(name, { handler });
}

async function unsettled(): Promise<Reply<StepName>> {
  const message = "The app's settings have faults: GET /api/health lists them.";
  return { ok: false, fault: { code: "CONFIG_INVALID", class: "transient", message }, proofs: [] };
}

if (made.ok) {
  // Events by queue and by webhook, and the sweep for what they miss.
  const { deps, config } = made;
  app.storageQueue("events-queue", {
    queueName: config.eventsQueue,
    connection: "AzureWebJobsStorage",
    extraInputs,
    handler: async (message, context) => void (await handleEvent(deps, engine(context), message)),
  });
  app.eventGrid("events-webhook", {
    extraInputs,
    handler: async (event, context) => void (await handleEvent(deps, engine(context), event)),
  });
  app.timer("sweep", {
    schedule: config.sweepSchedule,
    extraInputs,
    handler: async (_timer, context) => void (await sweep(deps, engine(context))),
  });
}

// The API. Behind App Service authentication the host asks for no key, and the handlers for a role; without it the host asks for a function
// key, which reads and starts.
const { appServiceAuth } = accessOf(made);

const http = (name: string, method: "GET" | "POST", path: string, handler: HttpHandler, everybody = appServiceAuth) =>
  app.http(name, {
    methods: [method],
    authLevel: everybody ? "anonymous" : "function",
    route: path,
    extraInputs,
    handler,
  });

const api = (
  name: string,
  method: "GET" | "POST",
  path: string,
  handler: ApiHandler,
  right: Right = method === "GET" ? "read" : "command",
) => http(name, method, path, route(made, engine, handler, right));

api("rotations-list", "GET", "rotations", list);
api("rotations-show", "GET", "rotations/{id}", show);
api("rotations-start", "POST", "rotations/{id}/start", start, "start");
api("rotations-rollback", "POST", "rotations/{id}/rollback", command("rollback"));
api("rotations-finish", "POST", "rotations/{id}/finish", command("finish"));
api("certificate-request", "GET", "rotations/{id}/request", request);
api("certificate-merge", "POST", "rotations/{id}/certificate", merge);
api("jwks-withdraw", "POST", "rotations/{id}/withdraw", withdrawJwk);
api("evidence", "GET", "evidence/{rotationId}", evidence);
http("jwks", "GET", "jwks/{id}", publicRoute(made, engine, serveJwks), true);
http("health", "GET", "health", health(made));
api("doctor", "GET", "doctor", doctor({ env: process.env, folder, registry: { rotators, find: findRotator } }));
