// What the doctor may look at of the deployment itself: the app, both storage accounts and a new network. It changes nothing and shows no
// secret. In a network that exists the subnet's owner gives the right.

@description('What all names of the deployment have in common. Part of the role\'s name, which must be unique in the tenant.')
param prefix string

@description('Name of the app\'s identity, in the same resource group.')
@minLength(3)
param identityName string

@description('Name of the Function App.')
@minLength(2)
@maxLength(60)
param functionAppName string

@description('Names of the storage accounts.')
param storageAccountNames string[]

@description('Name of the new virtual network; empty where there is none, or one that exists.')
param networkName string

@description('The role, from the list that the code declares.')
var role = loadJsonContent('../roles.json', 'roles.read-own')

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: functionAppName
}

resource accounts 'Microsoft.Storage/storageAccounts@2026-06-01' existing = [
  for name in storageAccountNames: {
    name: name
  }
]

resource network 'Microsoft.Network/virtualNetworks@2026-03-01' existing = if (!empty(networkName)) {
  name: empty(networkName) ? 'none' : networkName
}

resource definition 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, prefix, 'read-own')
  properties: {
    roleName: '${role.name} (${prefix})'
    description: role.description
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [{ actions: role.actions, dataActions: role.dataActions }]
  }
}

@description('What every assignment says.')
var given = {
  roleDefinitionId: definition.id
  principalId: identity.properties.principalId
  principalType: 'ServicePrincipal'
  description: 'Pinion: the doctor reads how the app\'s own resources are set up.'
}

resource atApp 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: app
  name: guid(app.id, identity.id, 'read-own')
  properties: given
}

resource atAccounts 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, index) in storageAccountNames: {
    scope: accounts[index]
    name: guid(accounts[index].id, identity.id, 'read-own')
    properties: given
  }
]

resource atNetwork 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(networkName)) {
  scope: network
  name: guid(network.id, identity.id, 'read-own')
  properties: given
}
