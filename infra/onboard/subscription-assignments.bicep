targetScope = 'subscription'

// Role assignments at a whole subscription: what the doctor finds system topics with, wherever in it they are.

@description('What is assigned: whose it is, and the GUID of the role definition.')
param assignments { principalId: string, roleId: string }[]

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for one in assignments: {
    name: guid(toLower(subscription().id), one.principalId, one.roleId)
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', one.roleId)
      principalId: one.principalId
      principalType: 'ServicePrincipal'
    }
  }
]
