import { readdirSync } from "node:fs";
import { join } from "node:path";
import { ofType, resourcesIn, templatesIn, textsIn } from "../harness/arm.ts";
import type { Infra } from "../harness/infra.ts";
import type { Promised } from "../harness/promise.ts";

// No template takes, makes, reads or gives a secret. The platform's own host keys are made by the platform and read by nobody here.

/** Names that only a secret has. Addresses and ids of things that hold secrets are none. */
const secretName =
  /secret|password|passphrase|credential|token|sas$|(account|access|shared|primary|host|function|master|api|storage)key|connectionstring/i;

/** Names that look like a secret's and are none, each with the reason. */
const noSecrets: Readonly<Record<string, string>> = {
  // With local authentication off (shared-keys.test.ts) the connection string of Application Insights is an address.
  connectionString: "properties.ConnectionString of Application Insights",
  applicationInsightsConnectionString: "the same, as a parameter",
};

/** What reads a secret out of a resource, or is one. */
const secretText: readonly (readonly [RegExp, string])[] = [
  [/\blist[A-Z]\w*\(/, "reads secrets of a resource"],
  [/\b(getSecret|newGuid)\(/, "takes or makes a secret at deployment"],
  [/\b(primary|secondary)(Master|ReadonlyMaster|Shared)?Key\b|\b(primary|secondary)ConnectionString\b/i, "names a key"],
  [/(AccountKey|SharedAccessKey|SharedAccessSignature|Password|Pwd)\s*=/i, "holds a connection string with a key"],
  [/[?&](sig|code)=/, "holds a signed address"],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----/, "holds a private key"],
];

const topLevel = (infra: Infra): string[] =>
  readdirSync(join(infra.folder, "infra"))
    .filter((file) => file.endsWith(".bicep"))
    .map((file) => `infra/${file}`);

async function secretsIn(infra: Infra): Promise<string[]> {
  const faults: string[] = [];
  for (const file of topLevel(infra)) {
    const whole = await infra.compile(file);
    for (const { path, template } of templatesIn(whole, file)) {
      for (const [name, { type = "", defaultValue }] of Object.entries(template.parameters ?? {})) {
        const where = `${path}: parameter ${name}`;
        if (/^secure/i.test(type)) faults.push(`${where} takes a secret`);
        if (secretName.test(name) && noSecrets[name] === undefined) faults.push(`${where} has a secret's name`);
        for (const { text } of textsIn(defaultValue))
          if (/^(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9+/]{40,}={0,2}$/.test(text))
            faults.push(`${where} defaults to a secret`);
      }
      for (const [name, { type = "" }] of Object.entries(template.outputs ?? {})) {
        const where = `${path}: output ${name}`;
        if (/^secure/i.test(type)) faults.push(`${where} gives a secret`);
        if (secretName.test(name) && noSecrets[name] === undefined) faults.push(`${where} has a secret's name`);
      }
      for (const name of Object.keys(template.variables ?? {}))
        // The compiler keeps what it loaded from files in variables of its own.
        if (!name.startsWith("$fxv") && secretName.test(name))
          faults.push(`${path}: variable ${name} has a secret's name`);
    }
    for (const { path, text } of textsIn(whole)) {
      if (/\/metadata\//.test(path)) continue;
      for (const [pattern, why] of secretText) if (pattern.test(text)) faults.push(`${file}${path} ${why}`);
    }
    for (const { path, resource } of resourcesIn(whole)) {
      if (ofType([resource], "Microsoft.KeyVault/vaults/secrets").length > 0)
        faults.push(`${file}: ${path} writes a secret into a vault`);
    }
  }
  return faults;
}

const storage = "infra/modules/storage.bicep";
const added = (text: string) => [
  {
    file: storage,
    find: "@description('Id of the account.')\noutput id",
    put: `${text}\n\n@description('Id of the account.')\noutput id`,
  },
];

export const secrets: Promised = {
  name: "no template takes, makes, reads or gives a secret",
  scenarios: {},
  check: secretsIn,
  mutations: [
    {
      what: "a parameter takes one",
      edits: added("@secure()\nparam opener string = ''\noutput opened string = opener"),
      says: /parameter opener takes a secret/,
    },
    {
      what: "a parameter is named like one",
      edits: added("param adminPassword string = ''\noutput o string = adminPassword"),
      says: /parameter adminPassword has a secret's name/,
    },
    {
      what: "a default is one",
      edits: added("param opener string = 'q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJq80='\noutput o string = opener"),
      says: /parameter opener defaults to a secret/,
    },
    {
      what: "an output gives one",
      edits: added("@secure()\noutput opener string = 'x'"),
      says: /output opener gives a secret/,
    },
    {
      what: "an output reads one",
      edits: added("output opener string = account.listKeys().keys[0].value"),
      says: /reads secrets of a resource/,
    },
    {
      what: "a setting is a connection string with a key",
      edits: [
        {
          file: "infra/modules/app-settings.bicep",
          find: "      PINION_EVENTS_QUEUE: stored.events\n",
          put: "      PINION_EVENTS_QUEUE: stored.events\n      PINION_STORAGE: 'DefaultEndpointsProtocol=https;AccountName=x;AccountKey=y'\n",
        },
      ],
      says: /holds a connection string with a key/,
    },
    {
      what: "a secret is written into a vault",
      edits: [
        {
          file: "infra/modules/vault.bicep",
          find: "@description('Id of the vault.')",
          put: "resource made 'Microsoft.KeyVault/vaults/secrets@2025-05-01' = { parent: keyVault, name: 'x', properties: { value: newGuid() } }\n\n@description('Id of the vault.')",
        },
      ],
      says: /writes a secret into a vault|BCP/,
    },
    {
      what: "a resource's key is named",
      edits: added("output opener string = account.properties.primaryKey"),
      says: /names a key|BCP/,
    },
  ],
};
