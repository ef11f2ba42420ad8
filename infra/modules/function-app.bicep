import { access as accessType } from '../types.bicep'
import { plan as planName } from 'network-types.bicep'
import { stored } from 'storage.bicep'
import { planFacts } from '../plans.bicep'

// The Function App: Linux, Node, its own identity and those of the trust zones, no password for deployments. Its settings are in app-settings.bicep.

@description('Name of the app.')
@minLength(2)
@maxLength(60)
param name string

@description('Region of the app.')
param location string

@description('Tags of the app. azd finds the app by one of them.')
param tags { *: string }

@description('Which plan the app runs on.')
param plan planName

@description('Id of the plan.')
param planId string

@description('Major version of Node.')
param nodeVersion '22' | '24'

@description('Whether instances are spread over three zones of the region.')
param zoneRedundant bool

@description('Whether the app is reached from public addresses.')
param access accessType

@description('Id of the subnet that the app sends from; empty without a network.')
param subnetId string

@description('Name of the app\'s identity, in the same resource group.')
@minLength(3)
param identityName string

@description('Names of the identities of the trust zones.')
param zoneIdentityNames string[]

@description('Name of the storage account that holds the package.')
@minLength(3)
@maxLength(24)
param storageAccountName string

@description('Name of Application Insights.')
param applicationInsightsName string

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

@description('What the plan can do.')
var facts = planFacts[plan]

@description('What Flex Consumption is told in place of settings: where the package is, the runtime, and how it grows.')
var flex = {
  deployment: {
    storage: {
      type: 'blobContainer'
      value: 'https://${storageAccountName}.blob.${environment().suffixes.storage}/${stored.package}'
      authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identity.id }
    }
  }
  runtime: { name: 'node', version: nodeVersion }
  scaleAndConcurrency: {
    instanceMemoryMB: 2048
    maximumInstanceCount: 40
    // Orchestrations wake by timers, which no scaler sees: one instance stays up for them. With zones the plan takes no fewer than two.
    alwaysReady: [{ name: 'durable', instanceCount: zoneRedundant ? 2 : 1 }]
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'app' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: toObject(
      concat([identityName], zoneIdentityNames),
      identityNamed => resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', identityNamed),
      _ => {}
    )
  }
  properties: {
    serverFarmId: planId
    httpsOnly: true
    publicNetworkAccess: access == 'private' ? 'Disabled' : 'Enabled'
    virtualNetworkSubnetId: access == 'private' ? subnetId : null
    keyVaultReferenceIdentity: identity.id
    clientAffinityEnabled: false
    sshEnabled: false
    ...(facts.endToEndEncryption ? { endToEndEncryptionEnabled: true } : {})
    ...(facts.package == 'container'
      ? { functionAppConfig: flex }
      : { outboundVnetRouting: { allTraffic: access == 'private' } })
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
      remoteDebuggingEnabled: false
      // The host's own ping, which needs no key: a wrong setting of Pinion is no reason to replace an instance, so it is not /api/health.
      ...(facts.healthCheck ? { healthCheckPath: '/admin/host/ping' } : {})
      ...(facts.alwaysOn ? { alwaysOn: true } : {})
      // Flex Consumption has no FTP, and is told its runtime above.
      ...(facts.package == 'container' ? {} : { ftpsState: 'Disabled', linuxFxVersion: 'NODE|${nodeVersion}' })
      // Behind a network the platform cannot look into the queues: the host tells it when to scale.
      ...(plan == 'ElasticPremium' && access == 'private' ? { functionsRuntimeScaleMonitoringEnabled: true } : {})
    }
  }

  // No user name and password for deployments, neither over FTP nor at the scm site: only tokens.
  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }
  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

@description('Monitoring Metrics Publisher: sends telemetry, and reads none.')
var publisher = '3913510d-42f4-4e42-8a64-420c390055eb'

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: insights
  name: guid(insights.id, identity.id, publisher)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', publisher)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    description: 'Pinion: Monitoring Metrics Publisher for the app at its own Application Insights.'
  }
}

@description('Id of the app.')
output id string = app.id

@description('Name of the app.')
output name string = app.name

@description('Address of the app, without a slash at the end.')
output url string = 'https://${app.properties.defaultHostName}'
