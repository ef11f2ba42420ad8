import type { Fault } from "../../src/errors.ts";
import type { Outcome, Verb } from "../../src/store/types.ts";
import type { Before, Plan, Reply, Retirement, StepInput, StepName, Steps } from "../../src/workflow/steps.ts";

// A model of what the activities act on: two slots with passwords, a vault's versions, consumers with their lag, and commands. Its
// steps do what the real ones promise, in a few lines; `broken` collects every moment at which a promise of the design did not hold.

interface Secret {
  readonly slot: string;
  readonly password: string;
}

export interface WorldOptions {
  readonly strategy: "alternating" | "in-place";
  readonly reads: readonly ("pinned" | "latest")[];
  readonly lag: number;
  /** Seconds after which each consumer is seen on its new version; at most the lag. */
  readonly pickup: number;
  readonly grace: number;
  readonly watch: number;
  readonly idleFor: number;
  readonly maxHold: number;
  readonly validations: number;
  /** What preflight tells the orchestrator, where that differs from the truth: for mutations. */
  readonly told?: Partial<Pick<Plan, "lagSeconds" | "graceSeconds" | "watchSeconds" | "issueSeconds">>;
}

export const usual: WorldOptions = {
  strategy: "alternating",
  reads: ["pinned"],
  lag: 600,
  pickup: 300,
  grace: 86_400,
  watch: 1_200,
  idleFor: 300,
  maxHold: 7 * 86_400,
  validations: 1,
};

export const start = { objectId: "object", rotationId: "r-1" };

type Result = Reply<StepName>;
type Handlers = { readonly [S in StepName]: (input: StepInput<S>) => Steps[S]["result"] | Fault };

export type World = ReturnType<typeof createWorld>;

export function createWorld(options: WorldOptions, now: () => number) {
  const { strategy, lag } = options;
  const inPlace = strategy === "in-place";
  const former: Secret = { slot: "a", password: "former" };
  const next: Secret = { slot: inPlace ? "a" : "b", password: "candidate" };
  const slots = new Map([
    ["a", { password: "former", canLogin: true }],
    ["b", { password: "unknown", canLogin: true }],
  ]);
  const versions = [{ id: "v1", secret: former, enabled: true, of: "" }];
  const consumers = options.reads.map((reads, n) => ({
    id: `c${n}`,
    reads,
    moves: [{ at: -Infinity, version: "v1" }],
  }));
  const commands: Verb[] = ["start"];
  const proven = new Map<string, number>();
  const broken: string[] = [];
  const state = {
    rollingBack: false,
    pointOfNoReturn: false,
    ended: undefined as Outcome | undefined,
    rollbackTaken: false,
    staged: false,
    idleSince: undefined as number | undefined,
    idleRound: 0,
    /** Somebody that no policy knows uses the old credential until then (milliseconds). */
    usedUntil: 0,
    /** No change before this moment (milliseconds). */
    shutUntil: 0,
  };

  const newest = () => versions.at(-1)!;
  const secretOf = (id: string) => versions.find((version) => version.id === id)!.secret;
  const opens = ({ slot, password }: Secret) => slots.get(slot)!.canLogin && slots.get(slot)!.password === password;
  const usedBy = ({ moves }: (typeof consumers)[number]) =>
    moves.findLast(({ at }) => at + options.pickup * 1000 <= now())!.version;
  /** A version is rightly held until a lag after the next one came. */
  const heldBy = ({ moves }: (typeof consumers)[number]) =>
    moves
      .filter((_, n) => n === moves.length - 1 || moves[n + 1]!.at + lag * 1000 > now())
      .map(({ version }) => version);
  const move = (which: "pinned" | "latest", version: string) => {
    for (const { reads, moves } of consumers)
      if (reads === which && moves.at(-1)!.version !== version) moves.push({ at: now(), version });
  };
  const write = (secret: Secret, of: string) => {
    const id = `v${versions.length + 1}`;
    versions.push({ id, secret, enabled: true, of });
    move("latest", id);
    return id;
  };
  const same = (a: string, b: string) => secretOf(a) === secretOf(b);
  const unproven = (version: string) => consumers.find((consumer) => !same(usedBy(consumer), version));
  const window = () =>
    state.shutUntil > now()
      ? fault("WINDOW_CLOSED", "throttled", Math.ceil((state.shutUntil - now()) / 1000))
      : undefined;
  const gates = (retirement: Retirement) => window() ?? look(retirement);
  const look = ({ keptVersion }: Retirement) =>
    (newest().id !== keptVersion ? fault("OUT_OF_BAND_CHANGE") : undefined) ??
    (unproven(keptVersion) ? fault("CONSUMER_NOT_MOVED", "transient") : undefined);

  /** Nothing may be taken away before this holds. */
  const watchRetirement = (name: string, { keptVersion }: Retirement) => {
    const moved = Math.max(...consumers.map(({ moves }) => moves.at(-1)!.at));
    if (!((proven.get(keptVersion) ?? -1) >= moved)) broken.push(`${name} before ${keptVersion} was verified`);
    if (now() < moved + lag * 1000) broken.push(`${name} before the lag had passed`);
  };
  const watchAlways = (name: string) => {
    if (!newest().enabled) broken.push(`the newest version is disabled after ${name}`);
    if (inPlace) return;
    if (!opens(newest().secret)) broken.push(`the newest version does not log in after ${name}`);
    for (const consumer of consumers)
      for (const version of heldBy(consumer))
        if (!opens(secretOf(version))) broken.push(`${consumer.id} is locked out with ${version} after ${name}`);
  };

  const plan = (): Plan => ({
    ...start,
    strategy,
    sourceVersion: "v1",
    expiresAt: new Date(now() + 30 * 86_400_000).toISOString(),
    current: { id: "a" },
    idle: { id: next.slot },
    suspends: !inPlace,
    validations: options.validations,
    validateEverySeconds: options.validations > 1 ? 60 : 0,
    graceSeconds: Math.max(options.grace, lag),
    lagSeconds: lag,
    uptakeSeconds: lag + 60,
    recheckSeconds: 0,
    watchSeconds: options.watch,
    maxHoldSeconds: options.maxHold,
    consumers: consumers.map(({ id, reads }): Before => ({ id, reads, text: reads === "pinned" ? "v1" : "" })),
    ...options.told,
  });

  const handlers: Handlers = {
    preflight: ({ rotationId }) =>
      rotationId === start.rotationId ? (window() ?? { plan: plan() }) : fault("COMMAND_MISSING"),
    stage() {
      state.staged = true;
      return { stagedVersion: "s1", candidate: { id: next.slot } };
    },
    set() {
      slots.set(next.slot, { password: next.password, canLogin: true });
      return {};
    },
    validate: () => (opens(next) ? {} : fault("CANDIDATE_LOGIN_FAILED")),
    publish({ rotationId }) {
      const shut = window();
      if (shut) return shut;
      if (!opens(next)) broken.push("published what does not log in");
      const ours = versions.find(({ of }) => of === rotationId);
      if (!ours && newest().id !== "v1") return fault("OUT_OF_BAND_CHANGE");
      return { publishedVersion: ours?.id ?? write(next, rotationId), expiresAt: "2028-01-01T00:00:00.000Z" };
    },
    cutover({ version }) {
      const shut = window();
      if (shut) return shut;
      move("pinned", version);
      return {};
    },
    verify({ version, back }) {
      const pinned = new Map(back?.map(({ id, text }) => [id, text]));
      const behind = consumers.find((one) => !same(usedBy(one), pinned.get(one.id) || version));
      if (behind) return fault("CONSUMER_NOT_MOVED", "transient");
      proven.set(version, now());
      return {};
    },
    hear() {
      const heard = (["rollback", "finish"] as const).find((verb) => commands.includes(verb));
      return { ...(heard && { heard }), ...(commands.includes("finish") && { finish: true as const }) };
    },
    suspend(retirement) {
      const shut = gates(retirement);
      if (shut) return shut;
      if (state.usedUntil > now()) {
        state.idleSince = undefined;
        return fault("OLD_IN_USE");
      }
      // In a hold nobody looked, so each round watches anew.
      if (state.idleRound !== retirement.round) state.idleSince = undefined;
      state.idleRound = retirement.round;
      state.idleSince ??= now();
      const left = Math.ceil(options.idleFor - (now() - state.idleSince) / 1000);
      if (left > 0) return { waitSeconds: left };
      watchRetirement("suspend", retirement);
      slots.get(retirement.old.id)!.canLogin = false;
      return {};
    },
    watch: (retirement) => look(retirement) ?? {},
    revoke(retirement) {
      const shut = gates(retirement);
      if (shut) return shut;
      if (!opens(secretOf(retirement.keptVersion))) return fault("CURRENT_LOGIN_FAILED");
      if (!state.rollingBack) {
        if (commands.includes("rollback")) return fault("CONFLICT", "transient");
        state.pointOfNoReturn = true;
      }
      watchRetirement("revoke", retirement);
      if (!inPlace) slots.set(retirement.old.id, { password: "nobody knows", canLogin: false });
      if (opens(secretOf(retirement.oldVersion))) return fault("OLD_STILL_WORKS", "transient");
      Object.assign(
        versions.find(({ id }) => id === retirement.oldVersion)!,
        { enabled: false },
      );
      return {};
    },
    resume({ old }) {
      const slot = slots.get(old.id)!;
      if (slot.password === "nobody knows") return fault("ROLLBACK_IMPOSSIBLE");
      slot.canLogin = true;
      return {};
    },
    restore() {
      if (inPlace) slots.get("a")!.password = former.password;
      return opens(former) ? {} : fault("OUT_OF_BAND_CHANGE");
    },
    abandon: () => ({}),
    discard() {
      if (versions.some(({ of }) => of !== "")) broken.push("discarded what was published");
      if (!inPlace && opens(next)) slots.set("b", { password: "nobody knows", canLogin: false });
      state.staged = false;
      return {};
    },
    retreat() {
      move("pinned", "v1");
      return {};
    },
    republish({ rotationId }) {
      const forward = versions.find(({ of }) => of === rotationId);
      if (!forward) return { version: "v1" };
      const back = versions.find(({ of }) => of === "rollback");
      if (!back && newest() !== forward) return fault("OUT_OF_BAND_CHANGE");
      return { version: back?.id ?? write(former, "rollback"), candidateVersion: forward.id };
    },
    hold: () => ({}),
    record({ outcome }) {
      if (outcome === "kept" && !state.rollingBack) state.pointOfNoReturn = true;
      state.ended = outcome;
      return {};
    },
  };
  const deaf: readonly StepName[] = ["hear", "hold", "resume", "record"];

  return {
    options,
    state,
    versions,
    broken,
    newest,
    opensFormer: () => opens(former),
    opensCandidate: () => opens(next),
    users: () => consumers.map((consumer) => secretOf(usedBy(consumer)).password),
    /** Somebody writes a version by hand. */
    writeByHand: () => write(newest().secret, "a person"),
    /** Writes a command record, as the API does: whether it was taken. */
    command(verb: "rollback" | "finish"): boolean {
      if (state.ended !== undefined || (verb === "rollback" ? state.pointOfNoReturn : state.rollingBack)) return false;
      commands.push(verb);
      if (verb === "rollback") state.rollbackTaken = true;
      return true;
    },
    perform<S extends StepName>(name: S, input: StepInput<S>): Result {
      if (state.rollingBack && !input.turningBack) return failed(fault("LEASE_LOST"));
      const hears = !deaf.includes(name) || ("outcome" in input && input.outcome === "kept" && !state.pointOfNoReturn);
      if (commands.includes("rollback") && !input.turningBack && hears) return { ok: false, interrupted: "rollback" };
      if (input.turningBack) state.rollingBack = true;
      const done = handlers[name](input);
      watchAlways(name);
      return "class" in done ? failed(done) : { ok: true, result: done, proofs: [{ name, ok: true }] };
    },
  };
}

export function failed(of: Fault): Result {
  return { ok: false, fault: of, proofs: [] };
}

export function fault(code: Fault["code"], of: Fault["class"] = "permanent", retryAfterSeconds?: number): Fault {
  return {
    code,
    class: of,
    message: `${code} happened.`,
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  };
}
