import { identities } from "../../../local/cloud/cloud.ts";
import { vault } from "../../../local/cloud/scenario.ts";
import { vaultId, host, pretend, withProperties, policy, endpoint, limited, type Planted, shut } from "./plant.ts";

export const inVaults: readonly Planted[] = [
  {
    name: "a vault's firewall",
    plant({ cloud }) {
      const network = { publicNetworkAccess: "Enabled", defaultAction: "Deny", ipRules: [] } as const;
      cloud.vaults.control.set({ network });
      return () => cloud.vaults.control.set({ network: undefined });
    },
    finds: { check: "vault", level: "fault", subject: host, says: /shut by its firewall/ },
  },
  {
    name: "a vault that is reached past its private endpoint",
    plant(clinic) {
      const network = { publicNetworkAccess: "Disabled", defaultAction: "Deny", ipRules: [] } as const;
      clinic.cloud.vaults.control.set({ network });
      const back = withProperties(vaultId, { ...shut, privateEndpointConnections: endpoint("Approved") })(clinic);
      return () => {
        back();
        clinic.cloud.vaults.control.set({ network: undefined });
      };
    },
    finds: { check: "vault", level: "fault", subject: host, says: /no call from the public network/ },
  },
  {
    name: "a vault that does not answer",
    plant({ cloud }) {
      cloud.vaults.control.addFault({ operation: "secret.*", rate: 1, kind: "reset" });
      return () => cloud.vaults.control.clearFaults();
    },
    finds: { check: "vault", level: "fault", subject: host, says: /did not answer/ },
  },
  {
    name: "a vault that goes by access policies",
    plant({ cloud }) {
      const all = { secrets: ["all"], keys: ["all"], certificates: ["all"] };
      cloud.vaults.control.setAccessPolicies(vault, { [identities.app.objectId]: all });
      return () => cloud.vaults.control.setAccessPolicies(vault, undefined);
    },
    finds: { check: "vault-properties", level: "warning", subject: host, says: /access policies/ },
  },
  {
    name: "a vault without purge protection",
    plant: withProperties(vaultId, { enablePurgeProtection: undefined }),
    finds: { check: "vault-properties", level: "warning", subject: host, says: /no purge protection/ },
  },
  {
    name: "a vault that is not in its resource group",
    plant: pretend(vaultId, () => undefined),
    finds: { check: "vault-properties", level: "fault", subject: host, says: /is not known as kv-/ },
  },
  {
    name: "a resource id of another vault",
    plant: withProperties(vaultId, { vaultUri: "https://kv-contoso-other-dev.vault.azure.net/" }),
    finds: { check: "vault-properties", level: "fault", subject: host, says: /is another vault than/ },
  },
  {
    name: "an object that is soft-deleted",
    async plant({ cloud }) {
      const secrets = cloud.secrets(vault);
      await (await secrets.beginDeleteSecret("reports-db", { intervalInMs: 20 })).pollUntilDone();
      return async () => (await secrets.beginRecoverDeletedSecret("reports-db", { intervalInMs: 20 })).pollUntilDone();
    },
    finds: { check: "objects", level: "fault", subject: /^reports-db$/, says: /soft-deleted/ },
  },
  {
    name: "an object that never was",
    plant: policy(({ objects: [first, second], ...rest }) => ({
      ...rest,
      objects: [first, { ...second, name: "reports-database" }],
    })),
    finds: { check: "objects", level: "fault", subject: /^reports-db$/, says: /there is no secret reports-database/ },
  },
  {
    name: "an object whose newest version is disabled",
    async plant({ cloud }) {
      const secrets = cloud.secrets(vault);
      const { properties } = await secrets.getSecret("reports-db");
      const enable = (enabled: boolean) =>
        secrets.updateSecretProperties("reports-db", properties.version!, { enabled });
      await enable(false);
      return () => enable(true);
    },
    finds: { check: "objects", level: "fault", subject: /^reports-db$/, says: /is disabled/ },
  },
  {
    name: "an object without an expiry",
    async plant({ cloud }) {
      const secrets = cloud.secrets(vault);
      const { value = "", properties } = await secrets.getSecret("reports-db");
      const { contentType = "", expiresOn } = properties;
      await secrets.setSecret("reports-db", value, { contentType });
      return () => secrets.setSecret("reports-db", value, { contentType, expiresOn: expiresOn! });
    },
    finds: { check: "objects", level: "warning", subject: /^reports-db$/, says: /no expiry/ },
  },
  {
    name: "a vault that lets the app list nothing",
    plant({ cloud }) {
      const { access } = cloud.vaults.control;
      const held = access!
        .assignments()
        .filter(
          ({ principalId, role }) => principalId === identities.app.objectId && role === "Key Vault Secrets Officer",
        );
      for (const { id } of held) access!.unassign(id);
      return () => access!.ensure(held);
    },
    finds: { check: "objects", level: "fault", subject: /^(orders|reports)-db$/, says: /may not be listed/ },
  },
  {
    name: "a role that lacks at one kind of place",
    plant: limited({ notDataActions: ["Microsoft.KeyVault/vaults/secrets/setSecret/action"] }),
    finds: {
      check: "rights",
      level: "fault",
      subject: /^((orders|reports)-db|its staging secret)/,
      says: /^lacks Microsoft\.KeyVault\/vaults\/secrets\/setSecret\/action$/,
    },
  },
  {
    name: "a role that lacks at the consumers",
    plant: limited({ notActions: ["Microsoft.Web/sites/config/write"] }),
    finds: {
      check: "rights",
      level: "fault",
      subject: /^(orders|reports)-api$/,
      says: /^lacks Microsoft\.Web\/sites\/config\/write$/,
    },
  },
  {
    name: "a clock that is off",
    patient: ({ cloud }) => ({ now: () => cloud.clock.now() + 10 * 60_000 }),
    finds: {
      check: "clock",
      level: "fault",
      subject: /^clock$/,
      says: /60\d s ahead of .* and 60\d s ahead of storage/,
    },
  },
];
