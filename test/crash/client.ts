import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import type { Login } from "./promise.ts";

/** A consumer that never re-reads, never retries: what its site gave it at its start is what it logs in with. */
export interface LoginClient {
  /** Hand it to `openWorld({ onStart })`. */
  onStart(site: string, settings: Readonly<Record<string, string>>): void;
  /** Begins: 20 new connections a second. */
  begin(server: { readonly host: string; readonly port: number }): void;
  /** Waits until it has logged in that often: a quick scenario is over sooner than that. */
  made(count: number): Promise<void>;
  /** Ends and counts. */
  end(): Promise<{ readonly logins: number; readonly failures: readonly string[] }>;
}

const pause = 50;

export function createClient(site: string, setting: string, database: string): LoginClient {
  let held: Login | undefined;
  let over = false;
  let loop: Promise<void> | undefined;
  let logins = 0;
  const failures: string[] = [];
  const open = new Set<Promise<void>>();

  const logIn = async (host: string, port: number, { username, password }: Login) => {
    const client = new Client({ host, port, database, user: username, password, application_name: site });
    try {
      await client.connect();
      logins += 1;
    } catch (error) {
      failures.push(`${username}: ${(error as { code?: string }).code ?? String(error)}`);
    } finally {
      await client.end().catch(() => {});
    }
  };
  return {
    onStart(name, settings) {
      if (name !== site) return;
      const value = settings[setting] ?? "";
      // A reference that was not resolved is the setting's own text, as on the real platform: that is a failed login too.
      if (value.startsWith("{")) held = JSON.parse(value) as Login;
      else if (value !== "unset") failures.push("the site's reference was not resolved");
    },
    begin({ host, port }) {
      loop = (async () => {
        for (;;) {
          await delay(pause);
          if (over) return;
          if (held === undefined) continue;
          const one = logIn(host, port, held).finally(() => open.delete(one));
          open.add(one);
        }
      })();
    },
    async made(count: number) {
      for (;;) {
        if (logins >= count) return;
        await delay(pause);
      }
    },
    async end() {
      over = true;
      await loop;
      await Promise.all(open);
      return { logins, failures };
    },
  };
}
