// What the doctor may look at of the deployment itself. It changes nothing and shows no secret.

@description('What all names of the deployment have in common. Part of the role\'s name, which must be unique in the tenant.')
param prefix string

@description('Name of the app\'s identity, in the same resource group.')
@minLength(3)
param identityName string

@description('The role, from the list that the code declares.')
var role = loadJsonContent('../roles.json', 'roles.read-own')

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
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

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, identity.id, 'read-own')
  properties: {
    roleDefinitionId: definition.id
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    description: 'Pinion: the doctor reads how the app\'s own resources are set up.'
  }
}
