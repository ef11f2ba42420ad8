// Where logs and metrics go: a Log Analytics workspace, and Application Insights on it. Neither takes a key: writers and readers
// are identities with roles.

@description('What every name is made of: log-<prefix>, appi-<prefix>.')
@minLength(1)
@maxLength(58)
param prefix string

@description('Region of the workspace.')
param location string

@description('Tags of every resource that is made here.')
param tags { *: string } = {}

@description('Resource id of a workspace that exists, such as one that a whole organisation shares. Its own settings stay. Empty: one is made.')
param existingWorkspaceId string = ''

@description('Days that logs are kept. 90 cover the look-back of every query here.')
@minValue(30)
@maxValue(730)
param retentionDays int = 90

@description('Gigabytes a day after which the workspace takes no more until the next day. -1 is no limit: a limit also silences the alerts.')
@minValue(-1)
param dailyQuotaGb int = -1

@description('Whether logs are taken from public addresses. `Disabled` needs an Azure Monitor Private Link Scope that has both resources; one such scope serves every network that shares a DNS, so it belongs to the network team and is not made here.')
@allowed(['Enabled', 'Disabled'])
param publicIngestion string = 'Enabled'

@description('Whether logs are read from public addresses. `Disabled` needs a private link scope likewise, and shuts the portal out for everyone outside it. Alerts and workbooks go on.')
@allowed(['Enabled', 'Disabled'])
param publicQuery string = 'Enabled'

resource workspace 'Microsoft.OperationalInsights/workspaces@2026-03-01' = if (empty(existingWorkspaceId)) {
  name: 'log-${prefix}'
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: retentionDays
    features: {
      disableLocalAuth: true
      // Whoever may read a resource may read its logs, and no other's.
      enableLogAccessUsingOnlyResourcePermissions: true
    }
    workspaceCapping: { dailyQuotaGb: dailyQuotaGb }
    publicNetworkAccessForIngestion: publicIngestion
    publicNetworkAccessForQuery: publicQuery
  }
}

@description('Resource id of the workspace, new or old.')
var workspaceId = empty(existingWorkspaceId) ? workspace.id : existingWorkspaceId

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${prefix}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspaceId
    IngestionMode: 'LogAnalytics'
    DisableLocalAuth: true
    DisableIpMasking: false
    publicNetworkAccessForIngestion: publicIngestion
    publicNetworkAccessForQuery: publicQuery
  }
}

@description('Resource id of the workspace.')
output workspaceId string = workspaceId

@description('Resource id of Application Insights. The app needs the role Monitoring Metrics Publisher here, since keys are off.')
output applicationInsightsId string = applicationInsights.id

@description('Name of Application Insights.')
output applicationInsightsName string = applicationInsights.name

@description('Where telemetry is sent. With keys off it names an address and opens nothing.')
output connectionString string = applicationInsights.properties.ConnectionString
