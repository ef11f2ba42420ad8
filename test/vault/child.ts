// A process that serves one vault until it is killed: `node child.ts <state folder> <TLS folder>`. Says its URL on stdout.
import { ensureTls } from "../../local/tls.ts";
import { startVaults } from "../../local/vault/vaults.ts";

const [stateDir = "", tlsDir = ""] = process.argv.slice(2);
const clock = { now: () => Date.now() };
const { cert, key } = await ensureTls(tlsDir, clock);
const vaults = await startVaults({
  clock,
  stateDir,
  tls: { cert, key },
  vaults: [{ name: "kv-child", resourceId: "/x" }],
});
console.log(vaults.vaults[0]!.url);
