targetScope = 'resourceGroup'

import { faultsOf } from 'checks.bicep'
import { namesOf } from 'names.bicep'
import { cloudFacts, planFacts } from 'plans.bicep'
import { authentication as authenticationType, durableBackendName, evidence as evidenceType } from 'types.bicep'
import { monitoring as monitoringType, newVault as newVaultType, zone as zoneType } from 'types.bicep'
import { stored } from 'modules/storage.bicep'
import { cloud as cloudName, network as networkType, plan as planName } from 'modules/network-types.bicep'

// Pinion in one resource group. This file only composes: each resource is in modules/, the names in names.bicep, the checks in checks.bicep.

@description('Short name of the organisation or team that every name begins with: 2 to 10 lower-case letters and digits.')
@minLength(2)
@maxLength(10)
param org string

@description('Short name of the app in every name: 2 to 10 lower-case letters and digits.')
@minLength(2)
@maxLength(10)
param app string = 'pinion'

@description('Short name of the environment, such as dev, test or prod: 2 to 8 lower-case letters and digits.')
@minLength(2)
@maxLength(8)
param environmentName string

@description('Region of every resource. It must be in regions.json.')
@minLength(1)
param location string = resourceGroup().location

@description('The cloud that is deployed to. A deployment to another one stops.')
param cloud cloudName = 'AzureCloud'

@description('The hosting plan. FlexConsumption unless something asks for another.')
param plan planName = 'FlexConsumption'

@description('Major version of Node.')
param nodeVersion '22' | '24' = '24'

@description('Where orchestrations are kept. It cannot be changed while a rotation runs: none moves over. The package must be built for it: node scripts/build.mjs --backend.')
param durableBackend durableBackendName = 'AzureStorage'

@description('Whether resources are kept in three zones of the region: storage always, instances where the plan can. Not every region has zones.')
param zoneRedundant bool = false

@description('Public endpoints, or private ones alone with the subnets and DNS zones for them.')
param network networkType = { access: 'public' }

@description('The Entra application that callers need a token for. npm run entra makes it.')
param authentication authenticationType

@description('How events arrive: through a storage queue, or straight at the app, which needs public access.')
param delivery 'queue' | 'webhook' = 'queue'

@description('Trust zones. Each gets an identity, which the policy names at the vaults of the zone; a vault without one is worked in with the app\'s own.')
@maxLength(20)
param zones string[] = []

@description('Where the policy is: in the package as rotations.json, or in storage as policy/rotations.json, where it can be replaced without a deployment.')
param policy 'package' | 'storage' = 'package'

@description('Whether a custom Event Grid topic is made for Pinion\'s own events. Public access only.')
param topic bool = false

@description('Observe: whatever the policy says, nothing is rotated. True until a person has read what Pinion would do.')
param observe bool = true

@description('The kill switch: no rotation starts; those under way go on.')
param stop bool = false

@description('A new vault beside the app. Without it, Pinion works in vaults that onboard.bicep is deployed for.')
param newVault newVaultType?

@description('What is kept of logs, and who hears of alerts.')
param monitoring monitoringType = { retentionDays: 90, emails: [] }

@description('How long evidence is kept from change.')
param evidence evidenceType = { retentionDays: 365, lockedAccount: '' }

@description('What Azure Policy does where a vault of the resource group breaks a rule. None assigns nothing, and needs no right at the subscription.')
param policyEffect 'Audit' | 'Deny' | 'Disabled' | 'None' = 'Audit'

@description('Further tags of every resource.')
param tags { *: string } = {}

@description('Short name of the region, as part of names.')
var region = loadJsonContent('regions.json')[?location] ?? ''
@description('Names of all resources.')
var names = namesOf(org, app, environmentName, region, take(uniqueString(resourceGroup().id), 5))
@description('What is wrong with the parameters together.')
var faults = faultsOf({
  org: org
  app: app
  environmentName: environmentName
  location: location
  region: region
  names: names
  cloud: cloud
  lacks: cloudFacts[cloud]
  plan: plan
  planFacts: planFacts[plan]
  durableBackend: durableBackend
  network: network
  authentication: authentication
  delivery: delivery
  zones: zones
  topic: topic
  newVault: newVault
  evidence: evidence
})
@description('What all names have in common. Everything is made from it, so nothing is made while a parameter is wrong.')
var prefix = empty(faults) ? names.prefix : fail(join(faults, ' '))
@description('Address of Azure Resource Manager. Apart from the other checks, since no tool knows the cloud before the deployment.')
var resourceManagerUrl = environment().name == cloud
  ? environment().resourceManager
  : fail('cloud: expected ${environment().name}, the cloud that this deployment went to.')
@description('Tags of every resource.')
var allTags = { ...tags, application: app, environment: environmentName }
@description('Whether the network is private.')
var isPrivate = network.access == 'private'
@description('Whether orchestrations are kept in Durable Task Scheduler.')
var hasScheduler = durableBackend == 'DurableTaskScheduler'

module identities 'modules/identities.bicep' = {
  params: { name: 'id-${prefix}', location: location, tags: allTags, zones: zones }
}

module telemetry 'modules/monitoring.bicep' = {
  params: {
    prefix: prefix
    location: location
    tags: allTags
    retentionDays: monitoring.retentionDays
    existingWorkspaceId: monitoring.?workspace.?id ?? ''
  }
}

module accounts 'modules/accounts.bicep' = {
  params: {
    names: names
    location: location
    tags: allTags
    access: network.access
    zoneRedundant: zoneRedundant
    evidence: evidence
  }
  dependsOn: [identities]
}

module scheduler 'modules/durable-task-scheduler.bicep' = if (hasScheduler) {
  params: {
    name: names.scheduler
    location: location
    tags: allTags
    access: network.access
    identityName: names.identity
  }
  dependsOn: [identities]
}

module ownTopic 'modules/topic.bicep' = if (topic) {
  params: { name: names.topic, location: location, tags: allTags, identityName: names.identity }
  dependsOn: [identities]
}

module vault 'modules/vault.bicep' = if (newVault != null) {
  params: { name: names.vault, location: location, tags: allTags, vault: newVault!, access: network.access }
}

module privateNetwork 'modules/network.bicep' = if (isPrivate) {
  params: {
    prefix: prefix
    location: location
    tags: allTags
    network: network
    plan: plan
    cloud: cloud
    scheduler: hasScheduler
  }
}

module endpoints 'modules/private-endpoints.bicep' = if (isPrivate) {
  params: {
    prefix: prefix
    location: location
    tags: allTags
    subnetId: privateNetwork!.outputs.endpointsSubnetId
    writesNames: network.?zones.?source != 'policy'
    zoneIds: privateNetwork!.outputs.zoneIds
    targets: [
      { name: 'blob', id: accounts.outputs.storageId, group: 'blob' }
      { name: 'queue', id: accounts.outputs.storageId, group: 'queue' }
      { name: 'table', id: accounts.outputs.storageId, group: 'table' }
      { name: 'evidence', id: accounts.outputs.evidenceId, group: 'blob' }
      { name: 'sites', id: functionApp.outputs.id, group: 'sites' }
      ...(newVault == null ? [] : [{ name: 'vault', id: vault!.outputs.id, group: 'vault' }])
      ...(hasScheduler ? [{ name: 'scheduler', id: scheduler!.outputs.id, group: 'scheduler' }] : [])
    ]
  }
}

module functionApp 'modules/app.bicep' = {
  params: {
    names: names
    location: location
    tags: allTags
    plan: plan
    nodeVersion: nodeVersion
    zoneRedundant: zoneRedundant
    network: network
    subnetId: isPrivate ? privateNetwork!.outputs.integrationSubnetId : ''
    zones: zones
    durableBackend: durableBackend
    topic: topic
    authentication: authentication
    delivery: delivery
    resourceManagerUrl: resourceManagerUrl
    policy: policy
    observe: observe
    stop: stop
  }
  dependsOn: [identities, telemetry, accounts, ownTopic, scheduler]
}

module operations 'modules/operations.bicep' = {
  params: {
    prefix: prefix
    location: location
    tags: allTags
    monitoring: monitoring
    workspaceId: telemetry.outputs.workspaceId
    storageAccountNames: [names.storage, names.evidence]
    functionAppName: names.functionApp
    healthCheck: planFacts[plan].healthCheck
    vaultName: newVault == null ? '' : names.vault
    identityIds: map([identities.outputs.app, ...identities.outputs.zones], identity => identity.principalId)
  }
  dependsOn: [accounts, functionApp, vault]
}

module policies 'modules/policies.bicep' = if (policyEffect != 'None') {
  scope: subscription()
  params: {
    prefix: prefix
    effect: policyEffect == 'Audit' ? 'Audit' : policyEffect == 'Deny' ? 'Deny' : 'Disabled'
    resourceGroupName: resourceGroup().name
    omit: cloudFacts[cloud].policies
    isPrivate: isPrivate
    storageSkus: zoneRedundant ? ['Standard_ZRS'] : ['Standard_LRS', 'Standard_ZRS']
  }
}

@description('Name of the Function App.')
output AZURE_FUNCTION_APP_NAME string = functionApp.outputs.name

@description('Id of the Function App.')
output AZURE_FUNCTION_APP_ID string = functionApp.outputs.id

@description('Address of Pinion, without a slash at the end.')
output PINION_URL string = functionApp.outputs.url

@description('Object id of the app\'s identity: what roles are assigned to, and the subject of the Entra application\'s federated credential.')
output PINION_IDENTITY_PRINCIPAL_ID string = identities.outputs.app.principalId

@description('Client id of the app\'s identity.')
output PINION_IDENTITY_CLIENT_ID string = identities.outputs.app.clientId

@description('The trust zones with their identities.')
output PINION_ZONES zoneType[] = identities.outputs.zones

@description('Id of the storage account that events are delivered to.')
output PINION_EVENTS_STORAGE_ID string = accounts.outputs.storageId

@description('Name of the queue of events.')
output PINION_EVENTS_QUEUE string = stored.events

@description('Name of the container of events that could not be delivered, in the same account.')
output PINION_DEAD_LETTER_CONTAINER string = stored.deadLetters

@description('How events arrive: queue or webhook.')
output PINION_DELIVERY string = delivery

@description('Name of the evidence account, for lock-evidence.bicep.')
output PINION_EVIDENCE_ACCOUNT string = names.evidence

@description('Ids of the action groups that alerts call.')
output PINION_ACTION_GROUP_IDS string[] = operations.outputs.actionGroupIds

@description('Id of the virtual network that the app sends from, for peerings; empty where the network is public.')
output PINION_NETWORK_ID string = isPrivate ? privateNetwork!.outputs.networkId : ''

@description('Id of the Log Analytics workspace.')
output PINION_WORKSPACE_ID string = telemetry.outputs.workspaceId

@description('Address of the new vault; empty without one.')
output PINION_VAULT_URI string = newVault == null ? '' : vault!.outputs.uri
