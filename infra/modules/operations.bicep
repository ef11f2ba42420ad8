import { monitoring as monitoringType } from '../types.bicep'

// What those who run Pinion look at: diagnostic settings, alerts and the workbook.

@description('What all names of the deployment have in common.')
@minLength(1)
@maxLength(50)
param prefix string

@description('Region of the rules and the workbook: the workspace\'s.')
param location string

@description('Tags of all of it.')
param tags { *: string }

@description('Whom to tell, and the event hub that gets a copy.')
param monitoring monitoringType

@description('Id of the Log Analytics workspace.')
param workspaceId string

@description('Names of the storage accounts, the app\'s first.')
@minLength(1)
param storageAccountNames string[]

@description('Name of the Function App.')
param functionAppName string

@description('Whether the platform asks the app for its health.')
param healthCheck bool

@description('Name of the new vault; empty without one.')
param vaultName string

@description('Object ids of the app\'s identity and of those of the trust zones.')
param identityIds string[]

module storageDiagnostics 'storage-diagnostics.bicep' = [
  for name in storageAccountNames: {
    params: { storageAccountName: name, workspaceId: workspaceId, eventHub: monitoring.?eventHub }
  }
]

module appDiagnostics 'function-app-diagnostics.bicep' = {
  params: { functionAppName: functionAppName, workspaceId: workspaceId, eventHub: monitoring.?eventHub }
}

module vaultDiagnostics 'vault-diagnostics.bicep' = if (!empty(vaultName)) {
  params: {
    vaultName: vaultName
    workspaceId: workspaceId
    workspaceName: last(split(monitoring.?workspace.?id ?? 'log-${prefix}', '/'))
    eventHub: monitoring.?eventHub
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: functionAppName
}

module alerts 'alerts.bicep' = {
  params: {
    prefix: prefix
    location: location
    tags: tags
    workspaceId: workspaceId
    functionAppName: functionAppName
    storageAccountName: storageAccountNames[0]
    identityIds: identityIds
    knownReaderIds: monitoring.?knownReaderIds ?? []
    emails: monitoring.emails
    actionGroupIds: monitoring.?actionGroupIds ?? []
    stuckAfterHours: monitoring.?stuckAfterHours ?? 6
    sentinelWorkspaceId: monitoring.?workspace.?sentinel ?? false ? monitoring.?workspace.?id ?? '' : ''
    healthCheckedAppId: healthCheck ? app.id : ''
  }
}

module workbook 'workbook.bicep' = {
  params: {
    prefix: prefix
    location: location
    tags: tags
    workspaceId: workspaceId
    functionAppName: functionAppName
    identityIds: identityIds
    knownReaderIds: monitoring.?knownReaderIds ?? []
  }
}

@description('Ids of the action groups that the alerts call.')
output actionGroupIds string[] = alerts.outputs.actionGroupIds
