import { createTokens } from "../../local/azure/tokens.ts";
import { vaultAccess } from "../../local/azure/vault-access.ts";
import { createAccess } from "../../local/vault/access.ts";
import type { VaultsOptions } from "../../local/vault/vaults.ts";
import { fakeClock, resourceId, tempDir, testVault } from "./support.ts";
import type { Asked } from "./support.ts";

export const tenantId = "11111111-1111-4111-8111-111111111111";
export const me = {
  objectId: "aaaaaaaa-0000-4000-8000-000000000002",
  appId: "aaaaaaaa-0000-4000-8000-000000000001",
};

/** A vault that checks tokens and roles; `ask` comes with the token of `me`, who holds none yet. */
export async function strictVault(options: Partial<VaultsOptions> = {}) {
  const clock = fakeClock();
  const tokens = createTokens({ stateDir: tempDir(), clock, tenantId });
  const access = createAccess({ clock });
  const vault = await testVault({ clock, access, authorize: vaultAccess({ tokens, access }), ...options });
  const tokenFor = async (given: Partial<Parameters<typeof tokens.issue>[0]> = {}) =>
    (await tokens.issue({ audience: "https://vault.azure.net", ...me, ...given })).token;
  const token = await tokenFor();
  const hold = (role: string, scope = resourceId) => access.assign({ principalId: me.objectId, role, scope });
  const ask = (method: string, path: string, asked: Asked = {}) => vault.ask(method, path, { token, ...asked });
  const emulator = (method: string, what: string, body?: unknown) =>
    vault.ask(method, `/_emulator/${what}`, { raw: true, token: null, ...(body === undefined ? {} : { body }) });
  return { ...vault, clock, tokens, access, tokenFor, hold, ask, emulator };
}
