import type { AzureCloud } from "../clouds.ts";

// What the Entra application of a Pinion has to be. Ids are fixed, so that a second run finds what the first made.

/** On the application: only one that carries it is ever changed. */
export const marker = "pinion-managed";

/** The app roles by their names in tokens. People and pipelines alike can hold them. */
export const appRoles = {
  "Pinion.Reader": {
    id: "8d64b0db-3174-4fa0-be3b-446d48f36638",
    description: "Reads rotations, evidence and health.",
  },
  "Pinion.Operator": {
    id: "c2457e9d-61c5-4c45-a09e-97b2d4969636",
    description: "Starts, finishes and rolls back rotations, brings certificates, withdraws keys.",
  },
} as const;

export type RoleName = keyof typeof appRoles;

/** The delegated permission that a person's client asks for. */
export const scopeId = "2c71fbef-36d3-4b23-ab2f-aa4d6578209f";

/** The Azure CLI, the same application in every tenant: `az account get-access-token --resource api://...` asks as it. */
export const azureCli = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";

/** The name of the credential by which the managed identity stands in for a secret. */
export const credentialName = "pinion-managed-identity";

/** What the command line asks for. */
export interface Wish {
  /** The application's display name. */
  readonly name: string;
  /** The client id of an application that is there, and that the caller vouches for though it is not theirs alone. */
  readonly clientId: string | undefined;
  readonly tenantId: string;
  readonly cloud: AzureCloud;
  /** Host name of the function app: then people can sign in with a browser. */
  readonly site: string | undefined;
  /** Object id of the app's managed identity: then App Service needs no secret. */
  readonly identity: string | undefined;
  /** Object ids of people, groups or service principals that are given a role. */
  readonly holders: readonly { readonly role: RoleName; readonly principalId: string }[];
}

/** An app role as Graph has it. */
export interface GraphRole {
  readonly id: string;
  readonly value: string;
  readonly displayName: string;
  readonly description: string;
  readonly allowedMemberTypes: readonly string[];
  readonly isEnabled: boolean;
}

export const wishedRoles: readonly GraphRole[] = Object.entries(appRoles).map(([value, { id, description }]) => ({
  id,
  value,
  displayName: value,
  description,
  allowedMemberTypes: ["User", "Application"],
  isEnabled: true,
}));

export const wishedScope = {
  id: scopeId,
  value: "user_impersonation",
  type: "User",
  isEnabled: true,
  adminConsentDisplayName: "Use Pinion",
  adminConsentDescription: "Lets the client call Pinion as the person who is signed in, with that person's app roles.",
  userConsentDisplayName: "Use Pinion",
  userConsentDescription: "Lets the client call Pinion as you, with your app roles.",
} as const;

export const wishedClient = { appId: azureCli, delegatedPermissionIds: [scopeId] } as const;

/** What a new application begins as; all else is added as to one that has drifted. */
export const firstBody = (name: string) => ({ displayName: name, signInAudience: "AzureADMyOrg", tags: [marker] });

/** Where App Service sends the browser back to. */
export const redirectOf = (site: string): string => `https://${site}/.auth/login/aad/callback`;

/** The trust in the managed identity. The issuer in China is unconfirmed. */
export const credentialOf = ({ cloud, tenantId }: Wish, identity: string) => ({
  name: credentialName,
  issuer: `${cloud.login}/${tenantId}/v2.0`,
  subject: identity,
  audiences: [cloud.exchangeAudience],
  description: "App Service signs in as this application with the app's managed identity.",
});
