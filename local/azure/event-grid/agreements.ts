import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../clock.ts";
import type { Handler } from "../http.ts";
import { writeWhole } from "../store.ts";
import type { Subscription } from "./subscription.ts";
import { handshake } from "./webhook.ts";

/** Which webhooks have agreed to get events. */
export interface Agreements {
  /** True when the subscription's endpoint agreed, now or earlier; a queue always does. */
  readonly agreed: (subscription: Subscription) => Promise<boolean>;
  /** `GET /eventgrid/validate?code=...`: the manual way. */
  readonly handler: Handler;
}

/** Options of `createAgreements`. */
export interface AgreementsOptions {
  readonly stateDir: string;
  readonly clock: Clock;
  /** Where the server that serves `handler` is reached. */
  readonly baseUrl: () => string;
}

const manualWindow = 5 * 60_000;

/** Makes the handshake before a webhook's first delivery and remembers the answer, over restarts too. */
export function createAgreements({ stateDir, clock, baseUrl }: AgreementsOptions): Agreements {
  const file = join(stateDir, "event-grid-agreements.json");
  const done = new Set<string>(read(file));
  const manual = new Map<string, { key: string; until: number }>();
  const running = new Map<string, Promise<boolean>>();
  const agree = (key: string) => {
    done.add(key);
    writeWhole(file, JSON.stringify([...done]));
  };

  const ask = async (subscription: Subscription, url: string, key: string): Promise<boolean> => {
    if ([...manual.values()].some((wait) => wait.key === key && wait.until > clock.now())) return false;
    const { name, schema, topic } = subscription;
    const code = randomUUID();
    const validationUrl = `${baseUrl()}/eventgrid/validate?code=${code}`;
    manual.set(code, { key, until: clock.now() + manualWindow });
    const answer = await handshake({ url, schema, subscription: name }, topic, code, validationUrl, clock.now());
    if (answer !== "manual") manual.delete(code);
    if (answer === "validated") agree(key);
    return done.has(key);
  };

  return {
    async agreed(subscription) {
      const { destination, name, schema } = subscription;
      if (destination.type !== "webhook") return true;
      const key = `${name} ${schema} ${destination.url}`;
      if (done.has(key)) return true;
      // Several deliveries may wait for the same endpoint: one handshake serves them all.
      const asked = running.get(key) ?? ask(subscription, destination.url, key).finally(() => running.delete(key));
      running.set(key, asked);
      return asked;
    },
    handler({ method, url }) {
      if (method !== "GET" || url.pathname !== "/eventgrid/validate") return undefined;
      return {
        operation: "webhook.validate",
        run() {
          const wait = manual.get(url.searchParams.get("code") ?? "");
          if (!wait || wait.until <= clock.now())
            return { status: 400, body: "The validation code is unknown or too old." };
          agree(wait.key);
          return { status: 200, body: "Webhook successfully validated as a subscription endpoint." };
        },
      };
    },
  };
}

function read(file: string): string[] {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as string[];
  } catch {
    return [];
  }
}
