import type { Fault } from "../../src/errors.ts";
import type { Outcome, Verb } from "../../src/store/types.ts";
import type { Before, Plan, Reply, Retirement, StepInput, StepName, Steps } from "../../src/workflow/steps.ts";
import { type Rotated, type RotationOptions, rotationOf } from "./rotation.ts";
import { failed, fault, start } from "./world.ts";

// A model of objects whose newest version the vault makes itself: a key at once, a certificate when its chain is merged. Nothing kills a
// former version; what counts is which one is current, and who is on it. `broken` collects every moment at which a promise did not hold.

export interface VaultMadeOptions {
  readonly kind: "certificate" | "key";
  readonly reads: readonly ("pinned" | "latest")[];
  readonly lag: number;
  /** Seconds after which a consumer is seen on its new version. */
  readonly pickup: number;
  readonly grace: number;
  readonly maxHold: number;
  /** Seconds from the request to the merge of its certificate; Infinity: nobody comes. */
  readonly mergedAfter: number;
  readonly issueSeconds: number;
}

export const usualVaultMade: VaultMadeOptions = {
  kind: "certificate",
  reads: ["pinned"],
  lag: 600,
  pickup: 300,
  grace: 86_400,
  maxHold: 7 * 86_400,
  mergedAfter: 3 * 3600,
  issueSeconds: 86_400,
};

interface Version {
  readonly id: string;
  readonly by: "a person" | "this rotation" | "the way back";
  readonly carries: "former" | "candidate";
  enabled: boolean;
  withdrawn: boolean;
}

/** Plays a whole rotation of what the vault makes. */
export const vaultMadeRotation = async ({
  world,
  ...options
}: Omit<RotationOptions<VaultMade>, "world"> & { readonly world: Partial<VaultMadeOptions> }): Promise<
  Rotated<VaultMade>
> => await rotationOf<VaultMade>((now) => createVaultMade({ ...usualVaultMade, ...world }, now), options);

type Handlers = { readonly [S in StepName]: (input: StepInput<S>) => Steps[S]["result"] | Fault };

export type VaultMade = ReturnType<typeof createVaultMade>;

export function createVaultMade(options: VaultMadeOptions, now: () => number) {
  const { kind, lag } = options;
  const followed = options.reads.includes("latest");
  const versions: Version[] = [{ id: "v1", by: "a person", carries: "former", enabled: true, withdrawn: false }];
  const consumers = options.reads.map((reads, n) => ({
    id: `c${n}`,
    reads,
    moves: [{ at: -Infinity, version: "v1" }],
  }));
  const commands: Verb[] = ["start"];
  const broken: string[] = [];
  let proven = -1;
  const state = {
    rollingBack: false,
    pointOfNoReturn: false,
    ended: undefined as Outcome | undefined,
    rollbackTaken: false,
    /** Since when a request waits for its certificate (milliseconds); its placeholder hides the newest version from who reads that. */
    pendingSince: undefined as number | undefined,
    /** The placeholder of a request that was taken away. */
    uncovered: false,
    /** A consumer is pinned elsewhere until then (milliseconds). */
    usedUntil: 0,
    shutUntil: 0,
  };

  const newest = () => versions.at(-1)!;
  const current = () => (newest().withdrawn ? versions[0]! : newest());
  const ours = () => versions.find(({ by }) => by === "this rotation");
  const carriedBy = (id: string) => versions.find((version) => version.id === id)!.carries;
  const usedBy = ({ moves }: (typeof consumers)[number]) =>
    moves.findLast(({ at }) => at + options.pickup * 1000 <= now())!.version;
  const heldBy = ({ moves }: (typeof consumers)[number]) =>
    moves
      .filter((_, n) => n === moves.length - 1 || moves[n + 1]!.at + lag * 1000 > now())
      .map(({ version }) => version);
  const move = (which: "pinned" | "latest", version: string) => {
    for (const { reads, moves } of consumers)
      if (reads === which && moves.at(-1)!.version !== version) moves.push({ at: now(), version });
  };
  const make = (by: Version["by"], carries: Version["carries"]): Version => {
    const made = { id: `v${versions.length + 1}`, by, carries, enabled: true, withdrawn: false };
    versions.push(made);
    state.uncovered = false;
    move("latest", made.id);
    return made;
  };
  /** Whoever brings the certificate, in time or late. */
  const merge = (): boolean => {
    if (state.pendingSince === undefined) return false;
    state.pendingSince = undefined;
    make("this rotation", "candidate");
    return true;
  };
  const withdraw = (): void => {
    const made = ours();
    if (made !== undefined && !followed) made.withdrawn = true;
  };
  const window = () =>
    state.shutUntil > now()
      ? fault("WINDOW_CLOSED", "throttled", Math.ceil((state.shutUntil - now()) / 1000))
      : undefined;
  const look = ({ keptVersion }: Retirement) => {
    if (current().id !== keptVersion) return fault("OUT_OF_BAND_CHANGE");
    if (state.usedUntil > now()) return fault("CONSUMER_REPINNED");
    const expected = ({ reads }: (typeof consumers)[number]) => (reads === "pinned" ? keptVersion : newest().id);
    const behind = consumers.find((one) => carriedBy(usedBy(one)) !== carriedBy(expected(one)));
    return behind && fault("CONSUMER_NOT_MOVED", "transient");
  };
  const watchAlways = (name: string) => {
    if (!newest().enabled) broken.push(`the newest version is disabled after ${name}`);
    if (!current().enabled) broken.push(`the current version is disabled after ${name}`);
    if (versions.filter(({ by }) => by === "this rotation").length > 1) broken.push(`a second version after ${name}`);
    for (const consumer of consumers)
      for (const version of heldBy(consumer))
        if (!versions.find(({ id }) => id === version)!.enabled)
          broken.push(`${consumer.id} holds ${version}, which is disabled after ${name}`);
  };
  const never = (name: StepName) => (): object => {
    broken.push(`${name} of what the vault made`);
    return {};
  };

  const plan = (): Plan => ({
    ...start,
    strategy: "dual",
    sourceVersion: "v1",
    expiresAt: new Date(now() + 30 * 86_400_000).toISOString(),
    current: { id: "v1" },
    idle: { id: "next" },
    suspends: false,
    madeInObject: true,
    issueSeconds: options.issueSeconds,
    validations: 1,
    validateEverySeconds: 0,
    graceSeconds: Math.max(options.grace, lag),
    lagSeconds: lag,
    uptakeSeconds: lag + 60,
    recheckSeconds: 0,
    watchSeconds: 0,
    maxHoldSeconds: options.maxHold,
    consumers: consumers.map(({ id, reads }): Before =>
      reads === "pinned" ? { id, reads, text: "v1", pinned: "v1" } : { id, reads, text: "" },
    ),
  });

  const handlers: Handlers = {
    preflight: () => window() ?? { plan: plan() },
    stage() {
      if (ours() === undefined) {
        const shut = followed ? window() : undefined;
        if (shut) return shut;
        if (kind === "key") make("this rotation", "candidate");
        state.pendingSince ??= ours() === undefined ? now() : undefined;
        if (state.pendingSince !== undefined && state.pendingSince + options.mergedAfter * 1000 <= now()) merge();
      }
      const made = ours();
      return made === undefined
        ? fault("ISSUANCE_PENDING", "transient")
        : { stagedVersion: made.id, candidate: { id: made.id } };
    },
    set: () => ({}),
    validate: () => (ours() === undefined ? fault("CANDIDATE_LOGIN_FAILED") : {}),
    publish() {
      const shut = followed ? window() : undefined;
      if (shut) return shut;
      const made = ours();
      if (made === undefined || current() !== made) return fault("OUT_OF_BAND_CHANGE");
      return { publishedVersion: made.id, expiresAt: "2028-01-01T00:00:00.000Z" };
    },
    cutover({ version }) {
      const shut = window();
      if (shut) return shut;
      move("pinned", version);
      return {};
    },
    verify({ version, back, followersStay }) {
      const expected = new Map(back?.map(({ id, pinned }) => [id, pinned]));
      const behind = consumers.find(
        (one) =>
          !(followersStay === true && one.reads === "latest") &&
          carriedBy(usedBy(one)) !== carriedBy(expected.get(one.id) ?? version),
      );
      if (behind) return fault("CONSUMER_NOT_MOVED", "transient");
      proven = now();
      return {};
    },
    hear() {
      const heard = (["rollback", "finish"] as const).find((verb) => commands.includes(verb));
      return heard ? { heard } : {};
    },
    suspend: never("suspend"),
    watch: never("watch"),
    resume: never("resume"),
    discard: never("discard"),
    revoke(retirement) {
      const shut = window() ?? look(retirement);
      if (shut) return shut;
      if (!state.rollingBack) {
        if (commands.includes("rollback")) return fault("CONFLICT", "transient");
        state.pointOfNoReturn = true;
      }
      const moved = Math.max(...consumers.map(({ moves }) => moves.at(-1)!.at));
      if (proven < moved) broken.push("revoke before the consumers were proven");
      if (now() < moved + lag * 1000) broken.push("revoke before the lag had passed");
      return {};
    },
    restore: () => ({}),
    abandon() {
      if (state.pendingSince !== undefined) state.uncovered = true;
      state.pendingSince = undefined;
      withdraw();
      if (state.uncovered) make("the way back", "former");
      return {};
    },
    retreat() {
      move("pinned", "v1");
      return {};
    },
    republish() {
      withdraw();
      const made = ours();
      if (made === undefined) broken.push("turned back what was never made");
      return followed ? { version: made!.id } : { version: "v1", candidateVersion: made!.id };
    },
    hold: () => ({}),
    record({ outcome, retired = [] }) {
      if (outcome === "kept" && !state.rollingBack) state.pointOfNoReturn = true;
      if (kind === "certificate")
        for (const version of versions)
          if (retired.includes(version.id) && version !== newest()) version.enabled = false;
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
    current,
    newest,
    ours,
    merge,
    followed,
    /** What each consumer works with, and whether it names its version. */
    users: () => consumers.map((one) => ({ reads: one.reads, carries: carriedBy(usedBy(one)) })),
    /** The version that each consumer of a kind was given last; it is seen on it a while later. */
    given: (which: "pinned" | "latest") =>
      consumers.filter(({ reads }) => reads === which).map(({ moves }) => moves.at(-1)!.version),
    command(verb: "rollback" | "finish"): boolean {
      if (state.ended !== undefined || (verb === "rollback" ? state.pointOfNoReturn : state.rollingBack)) return false;
      commands.push(verb);
      if (verb === "rollback") state.rollbackTaken = true;
      return true;
    },
    perform<S extends StepName>(name: S, input: StepInput<S>): Reply<StepName> {
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
