/* oxlint-disable require-yield, typescript/consistent-return -- orchestrators are generators, whatever they do */
// Small orchestrations, one for each behaviour that a Functions host with the Durable extension has to show. The
// expectations are in ../scenarios.ts; a real host can run this folder as it is.
import { app } from "@azure/functions";
import * as df from "durable-functions";

const seconds = (context, n) => new Date(context.df.currentUtcDateTime.getTime() + n * 1000);
/** Attempts by key, in this process: for activities that fail some times first. */
const attempts = new Map();

// --- activities ---

df.app.activity("echo", { handler: (input) => input });
df.app.activity("hello", { handler: (name) => `Hello ${name}!` });
df.app.activity("nothing", { handler: () => undefined });
df.app.activity("yes", { handler: () => true });
df.app.activity("kind", { handler: (input) => (input === null ? "null" : typeof input) });
df.app.activity("fail", {
  handler: (message) => {
    throw new Error(message ?? "boom");
  },
});
df.app.activity("failFirst", {
  handler: ({ key, times }) => {
    const attempt = (attempts.get(key) ?? 0) + 1;
    attempts.set(key, attempt);
    if (attempt <= times) throw new Error(`attempt ${attempt}`);
    return attempt;
  },
});
df.app.activity("wait", {
  handler: async ({ milliseconds, value }) => {
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    return value;
  },
});
df.app.activity("long", { handler: ({ length, char }) => char.repeat(length) });

// --- orchestrations ---

const orchestration = (name, handler) => df.app.orchestration(name, handler);

orchestration("returnInput", function* (context) {
  return context.df.getInput();
});

orchestration("inputKind", function* (context) {
  const input = context.df.getInput();
  return { kind: input === null ? "null" : typeof input, length: input?.length ?? null };
});

orchestration("chain", function* (context) {
  const names = [];
  for (const name of ["Tokyo", "Seattle", "London"]) names.push(yield context.df.callActivity("hello", name));
  return names;
});

orchestration("noops", function* (context) {
  for (let n = 0; n < (context.df.getInput() ?? 8); n++) yield context.df.callActivity("nothing");
});

orchestration("values", function* (context) {
  const out = [];
  for (const value of ["text", "5", "", 5, 1.5, true, null, [1, "a"], { a: { b: 1 } }]) {
    out.push(yield context.df.callActivity("echo", value));
  }
  out.push((yield context.df.callActivity("nothing")) ?? "none");
  out.push(yield context.df.callActivity("yes"));
  return out;
});

orchestration("catches", function* (context) {
  try {
    yield context.df.callActivity("fail", "it broke");
  } catch (error) {
    return { caught: error.message };
  }
});

orchestration("throws", function* (context) {
  yield context.df.callActivity("hello", "x");
  throw new Error("on purpose");
});

orchestration("letsThrough", function* (context) {
  yield context.df.callActivity("fail", "it broke");
});

const retry = (times, first = 100) => new df.RetryOptions(first, times);

orchestration("retries", function* (context) {
  const { times, attempts: most } = context.df.getInput();
  const key = context.df.instanceId;
  const before = yield context.df.callActivity("echo", "before");
  try {
    const got = yield context.df.callActivityWithRetry("failFirst", retry(most), { key, times });
    const after = yield context.df.callActivity("echo", "after");
    return { before, got, after };
  } catch (error) {
    const after = yield context.df.callActivity("echo", "after");
    return { before, caught: error.message.split("\n")[0], after };
  }
});

orchestration("backsOff", function* (context) {
  const options = retry(4, 1000);
  options.backoffCoefficient = 2;
  options.maxRetryIntervalInMilliseconds = 1500;
  return yield context.df.callActivityWithRetry("failFirst", options, { key: context.df.instanceId, times: 3 });
});

orchestration("fansOut", function* (context) {
  const tasks = [];
  for (let n = 0; n < (context.df.getInput() ?? 5); n++) tasks.push(context.df.callActivity("echo", n));
  const results = yield context.df.Task.all(tasks);
  return results.reduce((sum, n) => sum + n, 0);
});

orchestration("allFails", function* (context) {
  const slow = context.df.callActivity("wait", { milliseconds: 300, value: "slow" });
  try {
    yield context.df.Task.all([slow, context.df.callActivity("fail", "one broke")]);
  } catch (error) {
    return error.message.includes("one broke");
  }
});

orchestration("races", function* (context) {
  const fast = context.df.callActivity("wait", { milliseconds: 1, value: "fast" });
  const slow = context.df.callActivity("wait", { milliseconds: 400, value: "slow" });
  const winner = yield context.df.Task.any([slow, fast]);
  return winner === fast ? fast.result : "the slow one";
});

orchestration("timer", function* (context) {
  const before = context.df.currentUtcDateTime.getTime();
  yield context.df.createTimer(seconds(context, context.df.getInput() ?? 1));
  return context.df.currentUtcDateTime.getTime() - before;
});

orchestration("openTimer", function* (context) {
  const timer = context.df.createTimer(seconds(context, 4));
  yield context.df.Task.any([timer, context.df.callActivity("nothing")]);
  if (context.df.getInput() === "cancel") timer.cancel();
  return "returned";
});

orchestration("eventOrTimer", function* (context) {
  const event = context.df.waitForExternalEvent("go");
  const timer = context.df.createTimer(seconds(context, context.df.getInput() ?? 30));
  const winner = yield context.df.Task.any([event, timer]);
  if (winner === timer) return "timed out";
  timer.cancel();
  return { got: event.result };
});

orchestration("twoEvents", function* (context) {
  const first = yield context.df.waitForExternalEvent("a");
  const second = yield context.df.waitForExternalEvent("b");
  const third = yield context.df.waitForExternalEvent("a");
  return [first, second, third];
});

orchestration("allEvents", function* (context) {
  return yield context.df.Task.all([context.df.waitForExternalEvent("x"), context.df.waitForExternalEvent("y")]);
});

orchestration("newestWaiter", function* (context) {
  const older = context.df.waitForExternalEvent("n");
  const newer = context.df.waitForExternalEvent("n");
  const winner = yield context.df.Task.any([older, newer]);
  return winner === newer ? "newer" : "older";
});

orchestration("child", function* (context) {
  const input = context.df.getInput();
  if (input?.fail) throw new Error("the child broke");
  const hello = yield context.df.callActivity("hello", input?.name ?? "nobody");
  return { hello, parent: context.df.parentInstanceId ?? null, id: context.df.instanceId };
});

orchestration("parent", function* (context) {
  return yield context.df.callSubOrchestrator("child", { name: "sub" }, context.df.getInput()?.childId);
});

orchestration("parentOfMany", function* (context) {
  const tasks = ["a", "b", "c"].map((name) => context.df.callSubOrchestrator("child", { name }));
  return (yield context.df.Task.all(tasks)).map(({ hello }) => hello);
});

orchestration("parentCatches", function* (context) {
  try {
    yield context.df.callSubOrchestrator("child", { fail: true });
  } catch (error) {
    return { caught: error.message };
  }
});

orchestration("waitsForChild", function* (context) {
  try {
    yield context.df.callSubOrchestrator("twoEvents", null, `${context.df.instanceId}-child`);
    return { caught: false };
  } catch {
    return { caught: true };
  }
});

orchestration("flakyChild", function* (context) {
  return yield context.df.callActivity("failFirst", context.df.getInput());
});

orchestration("parentRetries", function* (context) {
  const input = { key: context.df.instanceId, times: 2 };
  const got = yield context.df.callSubOrchestratorWithRetry("flakyChild", retry(3), input);
  return { got, after: yield context.df.callActivity("echo", "after") };
});

orchestration("countsDown", function* (context) {
  const { n, seen } = context.df.getInput();
  context.df.setCustomStatus({ n });
  yield context.df.callActivity("nothing");
  if (n === 0) return { seen };
  context.df.continueAsNew({ n: n - 1, seen: seen + 1 });
});

orchestration("endless", function* (context) {
  const { rounds } = context.df.getInput();
  if (rounds >= 3) return rounds;
  yield context.df.waitForExternalEvent("next");
  context.df.continueAsNew({ rounds: rounds + 1 });
});

orchestration("statuses", function* (context) {
  context.df.setCustomStatus({ step: 1, text: "é" });
  yield context.df.waitForExternalEvent("next");
  context.df.setCustomStatus("plain");
  yield context.df.waitForExternalEvent("next");
  context.df.setCustomStatus("");
  yield context.df.waitForExternalEvent("next");
});

orchestration("longStatus", function* (context) {
  context.df.setCustomStatus("x".repeat(context.df.getInput()));
});

orchestration("versions", function* (context) {
  const own = context.df.version ?? null;
  const child = yield context.df.callSubOrchestrator("versionOfChild", null);
  const given = yield context.df.callSubOrchestrator("versionOfChild", null, undefined, "0.5");
  return { own, child, given };
});

orchestration("versionOfChild", function* (context) {
  return context.df.version ?? null;
});

orchestration("deterministic", function* (context) {
  const guids = [context.df.newGuid(context.df.instanceId)];
  const times = [context.df.currentUtcDateTime.toISOString()];
  yield context.df.callActivity("nothing");
  guids.push(context.df.newGuid(context.df.instanceId));
  times.push(context.df.currentUtcDateTime.toISOString());
  return { guids, times, replaying: context.df.isReplaying };
});

const runs = new Map();
orchestration("unsteady", function* (context) {
  const run = (runs.get(context.df.instanceId) ?? 0) + 1;
  runs.set(context.df.instanceId, run);
  yield context.df.callActivity(run === 1 ? "hello" : "echo", "x");
  yield context.df.callActivity("nothing");
});

orchestration("yieldsPromise", function* () {
  yield Promise.resolve(1);
});

orchestration("stamped", function* (context) {
  const { Timestamp } = context.df.getInput();
  return { isDate: Timestamp instanceof Date };
});

orchestration("longValues", function* (context) {
  const { length, char } = context.df.getInput();
  const text = yield context.df.callActivity("long", { length, char });
  const again = yield context.df.callActivity("echo", text);
  return { same: text === again, length: again.length, text: again };
});

orchestration("callsEntity", function* (context) {
  return yield context.df.callEntity(new df.EntityId("counter", "one"), "get");
});

orchestration("callsUnknown", function* (context) {
  yield context.df.callActivity("noSuchActivity");
});

orchestration("looksBack", function* (context) {
  // A retried task still runs while the code goes on after a failed Task.all.
  const key = context.df.instanceId;
  const slow = context.df.callActivityWithRetry("slowFail", retry(2), { key });
  try {
    yield context.df.Task.all([slow, context.df.callActivity("fail", "first")]);
  } catch {
    yield context.df.callActivity("echo", "compensate");
  }
  yield context.df.waitForExternalEvent("never");
});

df.app.activity("slowFail", {
  handler: async () => {
    await new Promise((resolve) => setTimeout(resolve, 200));
    throw new Error("slow failure");
  },
});

/**
 * Runs a program: a list of steps, each `{act}`, `{retry, fails, attempts}`, `{timer}`, `{event}`, `{sub}`, `{all}` or
 * `{any}`. It returns what each gave, so that an answer that met the wrong task shows.
 */
orchestration("program", function* (context) {
  const out = [];
  for (const step of context.df.getInput()) {
    try {
      const result = yield taskOf(context, step);
      // Which of several was first is a matter of luck.
      out.push("any" in step ? "any" : (result ?? null));
    } catch (error) {
      out.push(`failed: ${error.message.split("\n")[0].trim()}`);
    }
  }
  return out;
});

function taskOf(context, step) {
  if ("act" in step) return context.df.callActivity("labelled", { label: step.act });
  if ("retry" in step) {
    const input = { label: step.retry, fails: step.fails };
    return context.df.callActivityWithRetry("labelled", retry(step.attempts, 1000), input);
  }
  if ("timer" in step) return context.df.createTimer(seconds(context, step.timer));
  if ("event" in step) return context.df.waitForExternalEvent(step.event);
  if ("sub" in step) return context.df.callSubOrchestrator("program", step.sub);
  const tasks = (step.all ?? step.any).map((one) => taskOf(context, one));
  return step.all ? context.df.Task.all(tasks) : context.df.Task.any(tasks);
}

df.app.activity("labelled", {
  handler: ({ label, fails = 0 }, { triggerMetadata }) => {
    const key = `${String(triggerMetadata?.instanceId)}/${label}`;
    const attempt = (attempts.get(key) ?? 0) + 1;
    attempts.set(key, attempt);
    if (attempt <= fails) throw new Error(`${label} attempt ${attempt}`);
    return label;
  },
});

// --- the durable client, behind HTTP ---

app.http("client", {
  route: "client/{call}",
  methods: ["POST"],
  authLevel: "anonymous",
  extraInputs: [df.input.durableClient()],
  handler: async (request, context) => {
    const client = df.getClient(context);
    const args = await request.json();
    try {
      const result = await client[request.params.call](...args.map(revive));
      return { jsonBody: { result: result ?? null } };
    } catch (error) {
      return { status: 500, jsonBody: { error: error.message } };
    }
  },
});

/** Dates travel as `{ "$date": "..." }`. */
function revive(value) {
  if (Array.isArray(value)) return value.map(revive);
  if (value === null || typeof value !== "object") return value;
  if ("$date" in value) return new Date(value.$date);
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, revive(one)]));
}

app.http("checkStatus", {
  route: "check/{id}",
  methods: ["GET"],
  authLevel: "anonymous",
  extraInputs: [df.input.durableClient()],
  handler: (request, context) => df.getClient(context).createCheckStatusResponse(request, request.params.id),
});
