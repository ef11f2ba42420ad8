import { randomUUID } from "node:crypto";
import { returned, threw } from "./actions.ts";
import type { Outcome } from "./actions.ts";
import { finish, refuse } from "./core.ts";
import type { Checkpoint, Episode, Host } from "./core.ts";
import type { DurableOptions } from "./index.ts";
import { registered, unknownFunction } from "./names.ts";
import { createLimit } from "./pace.ts";
import type { StoredMessage } from "./store.ts";
import { verdict } from "./version.ts";

/** Runs one episode to its stored checkpoint. */
export interface Step {
  /** Undefined when the instance has to wait for a host that runs its version. Rejects when nothing was stored. */
  (episode: Episode, stillWanted: () => boolean): Promise<Checkpoint | undefined>;
}

/** Makes the step: at most `most` orchestrators run at once. */
export function createStep(options: DurableOptions, most: number, nextKey: () => string): Step {
  const { store, log } = options;
  const limit = createLimit(most);

  const host = (): Host => ({
    defaultVersion: options.defaultVersion ?? null,
    hasActivity: (name) => registered(options.activities(), name) !== undefined,
    hasOrchestrator: (name) => registered(options.orchestrators(), name) !== undefined,
    nextExecutionId: randomUUID().replaceAll("-", ""),
    nextKey,
  });

  const outcomeOf = async ({ payload, instance }: Episode): Promise<Outcome | undefined> => {
    if (payload === undefined) return undefined;
    const name = registered(options.orchestrators(), instance.name);
    if (!name) return { crash: unknownFunction(instance.name, "orchestrator", options.orchestrators()) };
    return limit(async () => {
      try {
        return returned(await options.invokeOrchestrator(name, payload));
      } catch (error) {
        return threw(error);
      }
    });
  };

  return async (episode, stillWanted) => {
    const { id, version } = episode.instance;
    const fits = episode.payload === undefined ? "run" : verdict(version, options);
    if (fits === "reject") {
      log("warning", `Instance '${id}' has version '${version ?? ""}', which this host does not run: it waits.`);
      return undefined;
    }
    const checkpoint =
      fits === "fail"
        ? refuse(episode, "VersionMismatch: Orchestration version did not comply with Worker Versioning")
        : finish(episode, await outcomeOf(episode), host());
    if (!stillWanted()) return undefined;
    const { instance, append, restart, consumed, warning } = checkpoint;
    if (warning) log("warning", `Instance '${id}': ${warning}`);
    await store.commit({
      instance,
      whole: restart.length > 0,
      append,
      enqueue: restart.flatMap((message) => withKey(message) ?? []),
      consume: consumed.flatMap((message) => withKey(message)?.key ?? []),
    });
    return checkpoint;
  };
}

function withKey(message: Checkpoint["consumed"][number]): StoredMessage | undefined {
  return message.key === null ? undefined : { ...message, key: message.key };
}
