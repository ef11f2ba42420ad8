import { access as accessType } from '../types.bicep'

// The storage account of the app: of the Functions host, of the durable backend, of Pinion's records, and of its package. Its identity is
// the only way in: no account key works.

@description('Name of the account.')
@minLength(3)
@maxLength(24)
param name string

@description('Region of the account.')
param location string

@description('Tags of the account.')
param tags { *: string }

@description('Whether the account is reached from public addresses.')
param access accessType

@description('Whether each write is kept in three zones of the region.')
param zoneRedundant bool

@description('Name of the app\'s identity, in the same resource group.')
@minLength(3)
param identityName string

@export()
@description('What the account holds, by what it is for. src/ and onboarding know these names too.')
var stored = {
  package: 'app-package'
  policy: 'policy'
  deadLetters: 'dead-letters'
  leases: 'pinion-leases'
  events: 'pinion-events'
  records: 'PinionRecords'
}

resource account 'Microsoft.Storage/storageAccounts@2026-06-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS' }
  properties: {
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    isLocalUserEnabled: false
    publicNetworkAccess: access == 'private' ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: access == 'private' ? 'Deny' : 'Allow'
      // Event Grid delivers events and dead letters from outside the network: it is one of the trusted services, and comes in with the
      // system-assigned identity of its topic alone. Unconfirmed: that this holds while publicNetworkAccess is Disabled too.
      bypass: 'AzureServices'
    }
  }

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      deleteRetentionPolicy: { enabled: true, days: 14 }
      containerDeleteRetentionPolicy: { enabled: true, days: 14 }
      // No versions: the host writes its own blobs over and over.
    }

    resource containers 'containers' = [
      for container in [stored.package, stored.policy, stored.deadLetters, stored.leases]: {
        name: container
        properties: { publicAccess: 'None' }
      }
    ]
  }

  resource queues 'queueServices' = {
    name: 'default'
    properties: {}

    resource events 'queues' = { name: stored.events }
    // The host would make it with the first event that it gives up on. It is made now, so that an alert has something to watch.
    resource poison 'queues' = { name: '${stored.events}-poison' }
  }

  resource tables 'tableServices' = {
    name: 'default'
    properties: {}

    resource records 'tables' = { name: stored.records }
  }
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

@description('Built-in roles of the app\'s identity at this account, and why each.')
var roles = {
  // The host keeps its keys and locks here and makes containers of its own, the durable backend leases its partitions, the platform reads
  // the package. Microsoft's documents ask for Owner, not Contributor, for AzureWebJobsStorage.
  'Storage Blob Data Owner': 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  // Reads events, moves poisoned ones, and the durable backend makes and empties its control queues.
  'Storage Queue Data Contributor': '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  // Pinion's records, and the durable backend's history.
  'Storage Table Data Contributor': '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
}

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in items(roles): {
    scope: account
    name: guid(account.id, identity.id, role.value)
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.value)
      principalId: identity.properties.principalId
      principalType: 'ServicePrincipal'
      description: 'Pinion: ${role.key} for the app at its own storage.'
    }
  }
]

@description('Id of the account.')
output id string = account.id
