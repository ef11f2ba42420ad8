import { eventHub as eventHubs } from 'monitoring-types.bicep'

// Logs and metrics of the app as the platform sees it: its authentication, its HTTP, its host. Deploy it in the resource group of the app.

@description('Name of the function app.')
@minLength(2)
@maxLength(60)
param functionAppName string

@description('Resource id of the Log Analytics workspace.')
@minLength(1)
param workspaceId string

@description('An event hub that gets a copy.')
param eventHub eventHubs?

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: functionAppName
}

#disable-next-line use-recent-api-versions // The stable version knows no category groups.
resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'pinion'
  scope: app
  properties: {
    workspaceId: workspaceId
    eventHubAuthorizationRuleId: eventHub.?authorizationRuleId
    eventHubName: eventHub.?name
    // The group takes what the plan has: Flex Consumption has fewer categories than the others.
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}
