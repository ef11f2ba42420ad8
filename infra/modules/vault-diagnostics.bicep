import { eventHub as eventHubs } from 'monitoring-types.bicep'

// The audit log and metrics of a vault. Deploy it in the resource group of the vault.

@description('Name of the vault.')
@minLength(3)
@maxLength(24)
param vaultName string

@description('Resource id of the Log Analytics workspace, in any subscription of the tenant.')
@minLength(1)
param workspaceId string

@description('Name of the workspace.')
@minLength(1)
param workspaceName string

@description('An event hub that gets a copy.')
param eventHub eventHubs?

resource vault 'Microsoft.KeyVault/vaults@2026-05-15' existing = {
  name: vaultName
}

#disable-next-line use-recent-api-versions // The stable version knows no category groups and no tables for each kind of resource.
resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  // Each Pinion that watches the vault has its own, and one workspace takes a log only once.
  name: 'pinion-${workspaceName}'
  scope: vault
  properties: {
    workspaceId: workspaceId
    // The queries read AZKVAuditLogs. Without this the vault would write to AzureDiagnostics.
    logAnalyticsDestinationType: 'Dedicated'
    eventHubAuthorizationRuleId: eventHub.?authorizationRuleId
    eventHubName: eventHub.?name
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}
