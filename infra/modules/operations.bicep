import { eventHub as eventHubType } from 'monitoring-types.bicep'

// The diagnostic settings of everything in the deployment that has some.

@description('Names of the storage accounts.')
param storageAccountNames string[]

@description('Name of the Function App.')
param functionAppName string

@description('Name of the new vault; empty without one.')
param vaultName string

@description('Id of the Log Analytics workspace.')
param workspaceId string

@description('An event hub that gets a copy.')
param eventHub eventHubType?

module storage 'storage-diagnostics.bicep' = [
  for name in storageAccountNames: {
    params: { storageAccountName: name, workspaceId: workspaceId, eventHub: eventHub }
  }
]

module functionApp 'function-app-diagnostics.bicep' = {
  params: { functionAppName: functionAppName, workspaceId: workspaceId, eventHub: eventHub }
}

module vault 'vault-diagnostics.bicep' = if (!empty(vaultName)) {
  params: { vaultName: vaultName, workspaceId: workspaceId, eventHub: eventHub }
}
