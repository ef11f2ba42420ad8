import { access as accessType } from '../types.bicep'

// The Durable Task Scheduler, in place of the tables and queues of the app's storage account. Only identities open it: it has no keys.

@description('Name of the scheduler.')
@minLength(3)
@maxLength(64)
param name string

@description('Region of the scheduler.')
param location string

@description('Tags of the scheduler.')
param tags { *: string }

@description('Whether the scheduler is reached from public addresses.')
param access accessType

@description('Name of the app\'s identity, in the same resource group.')
@minLength(3)
param identityName string

@export()
@description('Name of the task hub.')
var hubName = 'pinion'

resource scheduler 'Microsoft.DurableTask/schedulers@2026-02-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    // Pinion starts a few orchestrations an hour, and they sleep for days: what is paid by the action is cheaper than a unit of capacity.
    sku: { name: 'Consumption' }
    publicNetworkAccess: access == 'private' ? 'Disabled' : 'Enabled'
    // An empty list lets nobody in, private endpoints included or not: unconfirmed, so the list is open and the switch above decides.
    ipAllowlist: ['0.0.0.0/0']
  }

  resource hub 'taskHubs' = { name: hubName }
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

@description('Durable Task Data Contributor: starts, runs and reads orchestrations.')
var contributor = '0ad04412-c4d5-4796-b79c-f76d14c8d402'

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: scheduler::hub
  name: guid(scheduler::hub.id, identity.id, contributor)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', contributor)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    description: 'Pinion: Durable Task Data Contributor for the app at its own task hub.'
  }
}

@description('Id of the scheduler.')
output id string = scheduler.id
