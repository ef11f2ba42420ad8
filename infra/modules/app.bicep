import { names as namesType } from '../names.bicep'
import { authentication as authenticationType, durableBackendName } from '../types.bicep'
import { network as networkType, plan as planName } from 'network-types.bicep'

// The Function App and what belongs to it: plan, settings, authentication, and what it may look at of itself.

@description('Names of all resources.')
param names namesType

@description('Region of the app.')
param location string

@description('Tags of every resource.')
param tags { *: string }

@description('The hosting plan.')
param plan planName

@description('Major version of Node.')
param nodeVersion '22' | '24'

@description('Whether instances are spread over three zones of the region, where the plan can.')
param zoneRedundant bool

@description('Public endpoints, or private ones alone.')
param network networkType

@description('Id of the subnet that the app sends from; empty where the network is public.')
param subnetId string

@description('Trust zones: each has an identity.')
param zones string[]

@description('Where orchestrations are kept.')
param durableBackend durableBackendName

@description('Whether there is a custom Event Grid topic for Pinion\'s own events.')
param topic bool

@description('The Entra application that callers need a token for.')
param authentication authenticationType

@description('How events arrive.')
param delivery 'queue' | 'webhook'

@description('Address of Azure Resource Manager.')
param resourceManagerUrl string

@description('Where the policy is.')
param policy 'package' | 'storage'

@description('Whether nothing is rotated, whatever the policy says.')
param observe bool

@description('Whether no rotation starts.')
param stop bool

module farm 'plan.bicep' = {
  params: { name: names.plan, location: location, tags: tags, plan: plan, zoneRedundant: zoneRedundant }
}

module functionApp 'function-app.bicep' = {
  params: {
    name: names.functionApp
    location: location
    tags: tags
    plan: plan
    planId: farm.outputs.id
    nodeVersion: nodeVersion
    zoneRedundant: zoneRedundant
    access: network.access
    subnetId: subnetId
    identityName: names.identity
    zoneIdentityNames: map(zones, zone => '${names.identity}-${zone}')
    storageAccountName: names.storage
    applicationInsightsName: 'appi-${names.prefix}'
  }
}

module settings 'app-settings.bicep' = {
  params: {
    functionAppName: names.functionApp
    plan: plan
    identityName: names.identity
    storageAccountName: names.storage
    evidenceAccountName: names.evidence
    applicationInsightsName: 'appi-${names.prefix}'
    schedulerName: durableBackend == 'DurableTaskScheduler' ? names.scheduler : ''
    topicName: topic ? names.topic : ''
    resourceManagerUrl: resourceManagerUrl
    policy: policy
    observe: observe
    stop: stop
  }
  dependsOn: [functionApp]
}

module signIn 'authentication.bicep' = {
  params: {
    functionAppName: names.functionApp
    authentication: authentication
    webhook: delivery == 'webhook'
  }
  dependsOn: [functionApp]
}

module ownReader 'own-reader.bicep' = {
  params: {
    prefix: names.prefix
    identityName: names.identity
    functionAppName: names.functionApp
    storageAccountNames: [names.storage, names.evidence]
    networkName: network.?subnets.?source == 'new' ? 'vnet-${names.prefix}' : ''
  }
  dependsOn: [functionApp]
}

@description('Id of the Function App.')
output id string = functionApp.outputs.id

@description('Name of the Function App.')
output name string = functionApp.outputs.name

@description('Address of the app, without a slash at the end.')
output url string = functionApp.outputs.url
