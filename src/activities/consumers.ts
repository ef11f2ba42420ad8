import type { Consumer, ConsumerStep } from "../consumer.ts";
import { PinionError } from "../errors.ts";
import type { PolicyConsumer } from "../policy-consumers.ts";
import type { Proof } from "../rotator.ts";
import type { Before } from "../workflow/steps.ts";
import { demand } from "./credentials.ts";
import type { Scene } from "./step.ts";

export interface Bound {
  readonly kind: Consumer;
  readonly at: ConsumerStep;
}

/** The object's consumers by the policy as it is now, each bound to what its calls need. */
export function boundConsumers({
  deps,
  subject,
  signal,
}: Pick<Scene, "deps" | "subject" | "signal">): readonly Bound[] {
  return subject.object.consumers.map((consumer: PolicyConsumer) => ({
    kind: deps.consumer(consumer.kind),
    at: {
      consumer,
      object: { baseUrl: subject.baseUrl },
      arm: subject.zone.arm,
      secret: subject.zone.ports.secret,
      now: deps.now,
      signal,
    },
  }));
}

/** The references as they are, each on one of `versions`; anything else means that somebody re-pinned a consumer. */
export async function readReferences(
  scene: Pick<Scene, "deps" | "subject" | "signal">,
  versions: readonly string[],
): Promise<readonly Before[]> {
  const found: Before[] = [];
  for (const { kind, at } of boundConsumers(scene)) {
    const { text, pinned, active } = await kind.read(at);
    const { id, reads } = at.consumer;
    if ((reads === "pinned") !== (pinned !== undefined)) {
      throw new PinionError(
        "CONSUMER_MISCONFIGURED",
        `${id}: the policy says that it reads ${reads}, its reference says otherwise; correct one of them.`,
      );
    }
    if (pinned !== undefined && !versions.includes(pinned)) {
      throw new PinionError(
        "CONSUMER_REPINNED",
        `${id} is pinned to version ${pinned}, not to the current one: move it to the newest version, then start again.`,
      );
    }
    if (pinned === undefined && active !== undefined && !versions.includes(active)) {
      throw new PinionError(
        "CONSUMER_NOT_MOVED",
        `${id} has not fetched the newest version yet; the step looks again.`,
        { class: "transient" },
      );
    }
    found.push({ id, reads, text, ...(pinned === undefined ? {} : { pinned }) });
  }
  return found;
}

const pollEvery = 250;
const pollFor = 3_000;

/**
 * Proves every consumer on a version. Asks for a few seconds, since most have moved by then, before it gives the step back to the
 * orchestrator's own, longer policy.
 */
export async function proveConsumers(
  scene: Scene,
  versionOf: (consumer: PolicyConsumer) => string | undefined,
): Promise<readonly Proof[]> {
  const until = performance.now() + pollFor;
  const prove = async ({ kind, at }: Bound): Promise<readonly Proof[]> => {
    for (;;) {
      const version = versionOf(at.consumer);
      if (version === undefined) return [];
      const proofs = await kind.prove(at, version);
      if (proofs.every(({ ok }) => ok) || performance.now() > until) return proofs;
      await new Promise((resolve) => setTimeout(resolve, pollEvery));
      scene.signal.throwIfAborted();
    }
  };
  const proofs = (await Promise.all(boundConsumers(scene).map(prove))).flat();
  return demand(proofs, ({ name, detail }) => {
    const unhealthy = name.endsWith("is healthy");
    return new PinionError(
      unhealthy ? "CONSUMER_UNHEALTHY" : "CONSUMER_NOT_MOVED",
      `Not proven: ${name} (${detail ?? "no detail"}).`,
      {
        class: "transient",
      },
    );
  });
}

/** The version that a consumer is pinned to; undefined when it follows the newest or is no reference to the object any more. */
export async function pinNow({ kind, at }: Bound): Promise<string | undefined> {
  try {
    return (await kind.read(at)).pinned;
  } catch (error) {
    if (error instanceof PinionError && error.code === "CONSUMER_MISCONFIGURED") return undefined;
    throw error;
  }
}

/** Writes references, one resource at a time under its lease. `textOf` gives undefined for a consumer that is not Pinion's to move. */
export async function moveConsumers(
  scene: Scene,
  textOf: (bound: Bound) => string | undefined | Promise<string | undefined>,
): Promise<readonly Proof[]> {
  const proofs: Proof[] = [];
  for (const bound of boundConsumers(scene)) {
    const { kind, at } = bound;
    const text = await textOf(bound);
    if (text === undefined) continue;
    await scene.deps.withLease(`consumer:${kind.resource(at.consumer)}`, () => kind.move(at, text));
    proofs.push({ name: `${at.consumer.id} points at its version`, ok: true, detail: text });
  }
  return proofs;
}
