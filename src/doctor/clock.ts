import type { Context } from "./context.ts";
import { type Check, fault, ok } from "./finding.ts";
import { firstAnswer, hostOf, isReached, vaultsOf } from "./vault.ts";

/** As preflight has it: beyond that, due dates are wrong and tokens fail. */
const limit = 120_000;

/** That this machine's clock agrees with those of the vaults and of the storage. */
export const clock: Check<Context> = {
  id: "clock",
  area: "Vaults",
  about: "clocks of app, vaults and storage are less than 2 minutes apart",
  needs: ["settings", "identity", "policy"],
  async run(context) {
    const skews = new Map<string, number>();
    for (const vault of await vaultsOf(context)) {
      if (!(await isReached(context, vault))) continue;
      const { at, came } = await firstAnswer(context, vault);
      if (Number.isFinite(at)) skews.set(hostOf(vault), came - at);
    }
    const date = await dateOf(context.storage);
    if (Number.isFinite(date)) skews.set("storage", context.now() - date);
    const off = [...skews].filter(([, skew]) => Math.abs(skew) >= limit);
    if (off.length === 0)
      return [ok("clock", `agrees with ${[...skews.keys()].join(", ") || "nobody: nobody could be asked"}`)];
    const apart = off.map(
      ([name, skew]) => `${Math.round(Math.abs(skew) / 1000)} s ${skew > 0 ? "ahead of" : "behind"} ${name}`,
    );
    return [
      fault(
        "clock",
        `of this machine is ${apart.join(" and ")}`,
        "Set the machine's time by NTP; in Azure, restart the app to move it to another instance.",
      ),
    ];
  },
};

/** The storage's own time, out of whatever it answers. */
async function dateOf({ leases }: Context["storage"]): Promise<number> {
  const reply: unknown = await leases
    .getBlobClient("none")
    .getProperties()
    .catch((error: unknown) => error);
  const { date, response } = reply as {
    readonly date?: Date;
    readonly response?: { readonly headers: { get(name: string): string | undefined } };
  };
  return date?.getTime() ?? Date.parse(response?.headers.get("date") ?? "");
}
