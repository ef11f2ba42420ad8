import { roleIdOf } from 'types.bicep'

// Custom roles of Pinion in one subscription. They are the same for every vault there.

targetScope = 'subscription'

@description('Keys of the roles in infra/roles.json.')
param keys string[]

@description('Every custom role.')
var definitions = loadJsonContent('../roles.json').roles
@description('Makes the names of the roles unique in the tenant.')
var suffix = take(uniqueString(subscription().subscriptionId), 6)

resource definition 'Microsoft.Authorization/roleDefinitions@2022-04-01' = [
  for key in keys: {
    name: roleIdOf(subscription().subscriptionId, key)
    properties: {
      roleName: '${definitions[key].name} (${suffix})'
      description: definitions[key].description
      type: 'CustomRole'
      assignableScopes: [subscription().id]
      permissions: [
        {
          actions: definitions[key].actions
          notActions: []
          dataActions: definitions[key].dataActions
          notDataActions: []
        }
      ]
    }
  }
]
