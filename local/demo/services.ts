import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Clock } from "../clock.ts";
import type { FromService, ToService } from "./messages.ts";

export interface ServiceOptions {
  /** Name of the site it runs for. */
  readonly site: string;
  /** The setting that holds the credential, as JSON. */
  readonly setting: string;
  readonly port: number;
  readonly perSecond: number;
  /** Milliseconds of the cloud's time that a replaced instance goes on with its old credential; 0: it ends at once. */
  readonly drainFor: number;
}

export interface Service {
  /** A restart of the site: a new process with the settings as they are resolved now. */
  restart(settings: Readonly<Record<string, string>>): Promise<void>;
  /** The next credential it gets will look unhealthy, until it is turned back to the one it has, which stays well. */
  refuseNext(): void;
  readonly logins: { readonly made: number; readonly failed: number };
  /** Milliseconds from the first failed to the next successful login, of all gaps so far the longest; undefined while one is open. */
  readonly gap: { readonly longest: number; readonly open: boolean };
  /** The cloud instant at which the last replaced instance ends, if one still runs. */
  readonly drainsUntil: number | undefined;
  stop(): Promise<void>;
}

interface Instance {
  readonly child: ChildProcess;
  readonly value: string;
  made: number;
  failed: number;
}

const program = fileURLToPath(new URL("./service.ts", import.meta.url));

/** Runs a site's service, each instance a process of its own, replaced at every restart of the site. */
export function createService(options: ServiceOptions, clock: Clock): Service {
  const { site, setting, port, perSecond, drainFor } = options;
  const all: Instance[] = [];
  let current: Instance | undefined;
  let refused: string | undefined;
  let gapSince: number | undefined;
  let longest = 0;
  let drains: { until: number; instance: Instance }[] = [];

  const send = ({ child }: Instance, message: ToService): void => void (child.connected && child.send(message));
  const heard = (instance: Instance, message: FromService): void => {
    if (message.kind === "count") Object.assign(instance, { made: message.made, failed: message.failed });
    if (message.kind !== "login") return;
    if (!message.ok) gapSince ??= message.at;
    else if (gapSince !== undefined && message.at > gapSince) {
      longest = Math.max(longest, message.at - gapSince);
      gapSince = undefined;
    }
  };
  const end = async (instance: Instance): Promise<void> => {
    // Ctrl+C reaches it too.
    if (instance.child.exitCode !== null || instance.child.signalCode !== null) return;
    const exit = once(instance.child, "exit");
    send(instance, { kind: "stop" });
    const timer = setTimeout(() => instance.child.kill("SIGKILL"), 5000);
    await exit;
    clearTimeout(timer);
  };
  const told = (instance: Instance, kind: FromService["kind"]): Promise<void> =>
    new Promise((resolve) => {
      const listen = (message: FromService): void => {
        if (message.kind !== kind) return;
        instance.child.off("message", listen);
        resolve();
      };
      instance.child.on("message", listen);
      instance.child.once("exit", () => resolve());
    });

  const replace = async (old: Instance): Promise<void> => {
    const until = clock.now() + drainFor;
    if (drainFor === 0) return await end(old);
    send(old, { kind: "drain" });
    await told(old, "drained");
    drains.push({ until, instance: old });
    const watch = setInterval(() => {
      if (clock.now() < until) return;
      clearInterval(watch);
      void end(old).then(() => (drains = drains.filter(({ instance }) => instance !== old)));
    }, 20);
  };

  return {
    async restart(settings) {
      const value = settings[setting] ?? "";
      if (!value.startsWith("{")) return;
      const { host, port: dbPort, database, username, password } = JSON.parse(value) as Record<string, string>;
      if (current !== undefined) await replace(current);
      const child = fork(program, { stdio: ["ignore", "inherit", "inherit", "ipc"], execArgv: [] });
      const instance: Instance = { child, value, made: 0, failed: 0 };
      child.on("message", (message: FromService) => heard(instance, message));
      all.push(instance);
      current = instance;
      if (value === refused) refused = undefined;
      const unhealthy = refused !== undefined;
      const login = {
        host: host ?? "",
        port: Number(dbPort),
        database: database ?? "",
        user: username ?? "",
        password: password ?? "",
      };
      const listening = told(instance, "listening");
      send(instance, {
        kind: "start",
        port,
        database: login,
        perSecond,
        unhealthy,
        version: pinnedVersion(settings, setting),
      });
      await listening;
      if (child.exitCode !== null) throw new Error(`the service of ${site} did not start`);
    },
    refuseNext() {
      refused = current?.value;
    },
    get logins() {
      return {
        made: all.reduce((sum, { made }) => sum + made, 0),
        failed: all.reduce((sum, { failed }) => sum + failed, 0),
      };
    },
    get gap() {
      return { longest: Math.round(longest), open: gapSince !== undefined };
    },
    get drainsUntil() {
      return drains.length === 0 ? undefined : Math.max(...drains.map(({ until }) => until));
    },
    async stop() {
      await Promise.all(all.map(end));
      await delay(0);
    },
  };
}

/** The version that the site's own reference names, as its platform shows it. */
function pinnedVersion(settings: Readonly<Record<string, string>>, setting: string): string {
  const shown = JSON.parse(settings["WEBSITE_KEYVAULT_REFERENCES"] ?? "{}") as Record<
    string,
    { rawReference?: string }
  >;
  return /\/([0-9a-f]{32})\)$/.exec(shown[setting]?.rawReference ?? "")?.[1] ?? "";
}
