import { eventHub as eventHubs } from 'monitoring-types.bicep'

// Logs and metrics of a storage account. The account itself has metrics only: what is read and written is logged by each of its services.
// Deploy it in the resource group of the account.

@description('Name of the storage account.')
@minLength(3)
@maxLength(24)
param storageAccountName string

@description('Resource id of the Log Analytics workspace.')
@minLength(1)
param workspaceId string

@description('An event hub that gets a copy.')
param eventHub eventHubs?

@description('Services whose every call is logged. The durable backend asks its queues about once a second, some 3 GB a month: leave `queue` out where that is too dear. Metrics come from all of them.')
param services ('blob' | 'queue' | 'table')[] = ['blob', 'queue', 'table']

resource account 'Microsoft.Storage/storageAccounts@2026-06-01' existing = {
  name: storageAccountName

  resource blobs 'blobServices' existing = { name: 'default' }
  resource queues 'queueServices' existing = { name: 'default' }
  resource tables 'tableServices' existing = { name: 'default' }
}

@description('Where all of it goes.')
var target = {
  workspaceId: workspaceId
  eventHubAuthorizationRuleId: eventHub.?authorizationRuleId
  eventHubName: eventHub.?name
}
@description('Every call that a service answers, reads and writes alike.')
var everyCall = [{ categoryGroup: 'allLogs', enabled: true }]

#disable-next-line use-recent-api-versions // The stable version knows no category groups.
resource accountDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'pinion'
  scope: account
  properties: { ...target, metrics: [{ category: 'Transaction', enabled: true }] }
}

#disable-next-line use-recent-api-versions // Likewise.
resource blobDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (contains(services, 'blob')) {
  name: 'pinion'
  scope: account::blobs
  properties: { ...target, logs: everyCall }
}

#disable-next-line use-recent-api-versions // Likewise.
resource queueDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (contains(services, 'queue')) {
  name: 'pinion'
  scope: account::queues
  properties: { ...target, logs: everyCall }
}

#disable-next-line use-recent-api-versions // Likewise.
resource tableDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (contains(services, 'table')) {
  name: 'pinion'
  scope: account::tables
  properties: { ...target, logs: everyCall }
}
