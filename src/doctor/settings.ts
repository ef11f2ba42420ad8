import { settingNames } from "../config.ts";
import type { Context } from "./context.ts";
import { type Check, fault, ok, type Said, stop, warning } from "./finding.ts";

/** Forms that carry an account key or a signature. */
const withKey = /(^|;)\s*(AccountKey|SharedAccessSignature)\s*=/i;
const local =
  /(^|;)\s*(UseDevelopmentStorage\s*=\s*true|BlobEndpoint\s*=\s*https?:\/\/(127(\.\d+){3}|localhost|\[::1\])[:/])/i;

/** Every fault of the settings, a setting that nobody reads, and an account key among them. */
export const settings: Check<Context> = {
  id: "settings",
  area: "Settings",
  about: "the app settings are whole, spelt right, and hold no key",
  async run({ env, faults }) {
    const said = faults.map((text): Said => {
      const [name = "", ...rest] = text.split(": ");
      return stop(name, rest.join(": ") || "cannot be used", `Correct ${name}; docs/settings.md explains it.`);
    });
    const known = new Set<string>(settingNames);
    const stray = Object.keys(env).filter(
      (name) => name.startsWith("PINION_") && !known.has(name.split("__")[0] ?? name),
    );
    said.push(
      ...stray
        .filter((name) => !ofTheCli.has(name))
        .map((name) =>
          warning(
            name,
            "is a setting that nothing reads",
            "Check its spelling against docs/settings.md, or remove it.",
          ),
        ),
    );
    for (const name of ["AzureWebJobsStorage", "PINION_STORAGE", "PINION_EVIDENCE"]) {
      const value = env[name] ?? "";
      if (!withKey.test(value) || local.test(value)) continue;
      said.push(
        fault(
          name,
          "holds an account key",
          `Put ${name}__accountName in its place, give the app's identity its storage roles, and switch shared keys off.`,
        ),
      );
    }
    return said.length > 0 ? said : [ok("settings", "are whole")];
  },
};

/** Variables of the command line and of azd's outputs, in the same environment on a laptop. */
const ofTheCli = new Set([
  "PINION_URL",
  "PINION_KEY",
  "PINION_TOKEN",
  "PINION_CLOCK",
  "PINION_VAULT_KEY",
  "PINION_APP",
  "PINION_DEMO_ACME",
  "PINION_ZONES",
  "PINION_IDENTITY_PRINCIPAL_ID",
  "PINION_IDENTITY_CLIENT_ID",
  "PINION_EVENTS_STORAGE_ID",
  "PINION_DEAD_LETTER_CONTAINER",
  "PINION_WORKSPACE_ID",
  "PINION_VAULT_URI",
]);
