/**
 * A custom role of Azure: only the actions that are used, declared beside the code that uses them. src/roles.ts lists all of them,
 * infra/roles.json is made from that list, and infra/onboard.bicep from the file.
 */
export interface AzureRole {
  /** Its name in infra/roles.json: lower-case words with hyphens. */
  readonly key: string;
  /** What its holder may do, for people who look at it in Azure. */
  readonly description: string;
  /** Of the control plane (Azure Resource Manager). */
  readonly actions?: readonly string[];
  /** Of the data plane. */
  readonly dataActions?: readonly string[];
  /** Those actions that preflight does not ask about beforehand: it tries them instead, they are seldom needed, or Azure has no name for them. */
  readonly unasked?: readonly string[];
}

/** The resource group of an ARM id. */
export const groupOf = (id: string): string => id.split("/").slice(0, 5).join("/");

/** The subscription of an ARM id. */
export const subscriptionOf = (id: string): string => id.split("/").slice(0, 3).join("/");

/**
 * A role and where it is needed. `at` is an ARM id, or the address of an object in a vault (`https://<vault>/secrets/<name>`), whose ARM
 * id the policy knows when it names the vault.
 */
export interface Need {
  readonly role: AzureRole;
  readonly at: string;
}
