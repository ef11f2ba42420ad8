import { access as accessType } from '../types.bicep'

// The evidence: its account, and the one role that the app has there. The role makes new blobs and reads; it overwrites and deletes none.

@description('Name of the account.')
@minLength(3)
@maxLength(24)
param name string

@description('Region of the account.')
param location string

@description('Tags of the account.')
param tags { *: string }

@description('What all names of the deployment have in common. Part of the role\'s name, which must be unique in the tenant.')
param prefix string

@description('Whether the account is reached from public addresses.')
param access accessType

@description('Whether each write is kept in three zones of the region.')
param zoneRedundant bool

@description('Days that a record can be neither overwritten nor deleted.')
@minValue(1)
@maxValue(146000)
param retentionDays int

@description('Whether lock-evidence.bicep has locked the policy.')
param locked bool

@description('Name of the app\'s identity, in the same resource group.')
@minLength(3)
param identityName string

@description('The role, from the list that the code declares.')
var role = loadJsonContent('../roles.json', 'roles.evidence')

module storage 'evidence-account.bicep' = {
  params: {
    name: name
    location: location
    tags: tags
    access: access
    sku: zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS'
    retentionDays: retentionDays
    locked: locked
  }
}

resource definition 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, prefix, 'evidence')
  properties: {
    roleName: '${role.name} (${prefix})'
    description: role.description
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [{ actions: role.actions, dataActions: role.dataActions }]
  }
}

resource account 'Microsoft.Storage/storageAccounts@2026-06-01' existing = {
  name: name

  resource blobs 'blobServices' existing = {
    name: 'default'

    resource evidence 'containers' existing = { name: 'pinion-evidence' }
  }
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account::blobs::evidence
  name: guid(account.id, identity.id, 'evidence')
  properties: {
    roleDefinitionId: definition.id
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    description: 'Pinion: the app adds evidence and reads it.'
  }
  dependsOn: [storage]
}

@description('Id of the account.')
output id string = storage.outputs.id
