import { plan as planName } from 'network-types.bicep'
import { planFacts } from '../plans.bicep'

// The hosting plan. What each can do is in ../plans.bicep.

@description('Name of the plan.')
@minLength(1)
@maxLength(60)
param name string

@description('Region of the plan.')
param location string

@description('Tags of the plan.')
param tags { *: string }

@description('Which plan.')
param plan planName

@description('Whether instances are spread over the zones of the region. Flex Consumption does it in some regions only.')
param zoneRedundant bool

@description('The facts of the plan.')
var facts = planFacts[plan]

resource farm 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: name
  location: location
  tags: tags
  kind: facts.kind
  sku: {
    ...facts.sku
    // Spreading takes two instances at least. Flex Consumption counts its own.
    ...(plan == 'FlexConsumption' ? {} : { capacity: zoneRedundant ? 2 : 1 })
  }
  properties: {
    reserved: true // Linux
    zoneRedundant: zoneRedundant
  }
}

@description('Id of the plan.')
output id string = farm.id
