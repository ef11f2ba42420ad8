import type { AzureRole } from "../azure/role.ts";

/**
 * At the container of evidence: what was written can be read, and never written again. `add/action` makes a new blob; writing over one
 * would take `blobs/write` (azure-docs, "Actions and attributes for Azure role assignment conditions for Azure Blob Storage").
 */
export const evidenceRole: AzureRole = {
  key: "evidence",
  description: "Reads evidence and adds to it; changes and deletes none of it.",
  dataActions: ["read", "add/action"].map(
    (action) => `Microsoft.Storage/storageAccounts/blobServices/containers/blobs/${action}`,
  ),
};
