import { z } from "zod";
import { PinionError } from "../../../src/errors.ts";
import { fewAtOnce } from "../few-at-once.ts";
import { targetUrl } from "../http.ts";
import { call, refused } from "./http.ts";
import { writtenName } from "./lookup.ts";
import { dnsName, lookupFields, secretUrl } from "./provider.ts";
import type { ChallengeStep, Challenger } from "./provider.ts";
import { withSecret } from "./secret.ts";
import { shownByAll, visible } from "./visible.ts";

/** What `POST /register` of acme-dns gave, with the password in the vault. */
const account = z.strictObject({
  username: z.uuid(),
  password: secretUrl,
  subdomain: z.string().regex(/^[a-z0-9-]{1,63}$/i),
  /** What the challenge's CNAME points at. */
  fulldomain: dnsName,
});

export const acmeDnsConfig = z.strictObject({
  kind: z.literal("acme-dns"),
  /** Base URL of its HTTP API. */
  endpoint: targetUrl,
  /** One for each name: an account keeps two values only, those of `x` and `*.x`. */
  accounts: z.array(account).min(1),
  ...lookupFields,
});
export type AcmeDnsConfig = z.output<typeof acmeDnsConfig>;

/** How many values an account keeps. */
const mostValues = 2;

/** The account that a challenge's CNAME leads to. */
async function accountOf({ config, signal }: ChallengeStep<AcmeDnsConfig>, name: string) {
  const target = await writtenName(name, config, signal);
  const account = config.accounts.find(({ fulldomain }) => fulldomain === target);
  if (account !== undefined) return account;
  throw new PinionError(
    "TARGET_MISCONFIGURED",
    `${name} leads to ${target}, which is no account's fulldomain: make it a CNAME to the account's.`,
  );
}

/**
 * acme-dns (github.com/joohoi/acme-dns). An account keeps the last two values that it was given and can delete none: `withdraw` changes
 * nothing, and a value goes when two others have come. As the same value twice would drive out the other, `publish` first asks the server
 * itself whether the value is there.
 */
export const acmeDns: Challenger<AcmeDnsConfig> = {
  kind: "acme-dns",
  config: acmeDnsConfig,
  async demandPlaces(at, names) {
    const found = await fewAtOnce(names, 4, async (name) => (await accountOf(at, name)).fulldomain);
    const crowded = found.find((one) => found.filter((other) => other === one).length > mostValues);
    if (crowded === undefined) return;
    const those = names.filter((_, index) => found[index] === crowded);
    throw new PinionError(
      "TARGET_MISCONFIGURED",
      `The account of ${crowded} is to hold ${those.length} values at once (${[...new Set(those)].slice(0, 3).join(", ")}) and keeps ${mostValues}: register an account for each name.`,
    );
  },
  async publish(at, { name, value }) {
    const { config, ports, signal } = at;
    const { fulldomain: target, ...account } = await accountOf(at, name);
    if ((await shownByAll(target, value, config, signal)).everywhere) return;
    await withSecret({ ports, signal }, account.password, async (password) => {
      const who = "acme-dns";
      const reply = await call({
        who,
        method: "POST",
        url: `${config.endpoint.replace(/\/$/, "")}/update`,
        headers: { "content-type": "application/json", "x-api-user": account.username, "x-api-key": password },
        body: JSON.stringify({ subdomain: account.subdomain, txt: value }),
        unread: true,
        signal,
      });
      if (reply.ok) return;
      const advice = `check username, the password in ${account.password}, and that allowfrom lets this address in`;
      throw refused(reply, { who, advice, now: ports.now() });
    });
  },
  async withdraw() {},
  visible,
};
