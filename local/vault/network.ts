import { BlockList, isIP } from "node:net";
import type { Vault } from "./model.ts";
import { Refusal } from "./refusal.ts";

/** A vault's firewall, in the words of its ARM resource. */
export interface NetworkRules {
  /** `Disabled`: nobody comes in from a public network, which every caller here does. */
  readonly publicNetworkAccess: "Enabled" | "Disabled";
  /** What becomes of an address that no rule names. */
  readonly defaultAction: "Allow" | "Deny";
  /** IPv4 addresses or CIDR ranges that are let in. */
  readonly ipRules: readonly string[];
}

/** The sentence that says what is wrong with a rule; undefined: nothing. */
export function ruleFault(rule: string): string | undefined {
  const [address = "", bits, ...more] = rule.split("/");
  const range = bits === undefined || (/^\d{1,2}$/.test(bits) && Number(bits) <= 32);
  return isIP(address) === 4 && range && more.length === 0 ? undefined : `${rule} is no IPv4 address or CIDR range.`;
}

/** What the vault's firewall has against a caller; `described` as the service's texts name them. */
export function networkRefusal(
  rules: NetworkRules | undefined,
  vault: Pick<Vault, "name">,
  remoteAddress: string,
  described: string,
): Refusal | undefined {
  if (!rules) return undefined;
  const last = [`Caller: ${described}`, `Vault: ${vault.name};location=local`];
  if (rules.publicNetworkAccess === "Disabled") {
    const why =
      "Public network access is disabled and request is not from a trusted service nor via an approved private link.";
    return new Refusal(403, "Forbidden", [why, ...last].join("\r\n"), "ForbiddenByConnection");
  }
  const address = remoteAddress.replace(/^::ffff:/, "");
  if (rules.defaultAction === "Allow" || letIn(rules.ipRules, address)) return undefined;
  const why = "Client address is not authorized and caller is not a trusted service.";
  return new Refusal(
    403,
    "Forbidden",
    [why, `Client address: ${address}`, ...last].join("\r\n"),
    "ForbiddenByFirewall",
  );
}

function letIn(rules: readonly string[], address: string): boolean {
  const list = new BlockList();
  for (const rule of rules) {
    const [base = "", bits = "32"] = rule.split("/");
    list.addSubnet(base, Number(bits), "ipv4");
  }
  return isIP(address) === 4 && list.check(address, "ipv4");
}
