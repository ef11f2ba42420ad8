import { Agent, request } from "node:https";
import { Client } from "pg";
import { identities } from "../../local/cloud/cloud.ts";
import { vault } from "../../local/cloud/scenario.ts";
import { asSuperuser } from "../../local/targets/postgres-seed.ts";
import { generatePassword } from "../../rotators/shared/password.ts";
import { scramVerifier } from "../../rotators/shared/postgres/scram.ts";
import type { Bed } from "./bed.ts";

/** The least that a rotation can be. */
export interface BareFloor {
  /** Get, stage, ALTER ROLE, log in, publish: one after the other, without a check. */
  run(): Promise<void>;
  close(): Promise<void>;
}

const role = "bench_floor";

/** Opens it on secrets and a role of its own. The vault's connection and the administrator's are kept alive; the login is a new one. */
export async function openBareFloor({ cloud }: Bed): Promise<BareFloor> {
  const { postgres, azure, tls } = cloud;
  const database = "orders";
  await asSuperuser(postgres, "postgres", async (client) => {
    await client.query(`CREATE ROLE ${role} LOGIN`);
  });
  const { host, port, superuser } = postgres;
  const server = { host, port, database, ssl: false };
  const admin = new Client({ ...server, ...superuser });
  await admin.connect();
  const { objectId, clientId: appId } = identities.app;
  const { token } = await azure.tokens.issue({ audience: "https://vault.azure.net", objectId, appId });
  const agent = new Agent({ keepAlive: true, ca: tls.ca });
  const call = async (method: string, name: string, body?: object): Promise<void> => {
    const text = body === undefined ? "" : JSON.stringify(body);
    const url = `${cloud.vaultUrl(vault)}/secrets/${name}?api-version=2025-07-01`;
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    await new Promise<void>((resolve, reject) => {
      const sent = request(url, { method, agent, headers: { ...headers, "content-length": Buffer.byteLength(text) } });
      sent.on("error", reject).on("response", (reply) => {
        reply.resume().on("end", () => {
          if (reply.statusCode === 200) resolve();
          else reject(new Error(`${method} ${name} was answered ${reply.statusCode}.`));
        });
      });
      sent.end(text);
    });
  };
  await call("PUT", "bench-floor", { value: "first" });
  return {
    async run() {
      await call("GET", "bench-floor");
      const password = generatePassword();
      await call("PUT", "bench-floor-staged", { value: password });
      await admin.query(`ALTER ROLE ${role} PASSWORD '${scramVerifier(password)}'`);
      const login = new Client({ ...server, user: role, password });
      await login.connect();
      await login.end();
      await call("PUT", "bench-floor", { value: password });
    },
    async close() {
      await admin.end();
      agent.destroy();
    },
  };
}
