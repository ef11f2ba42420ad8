import { zoneIds as zoneIdsType } from 'network-types.bicep'

// Everything that the app reaches through private endpoints, and the app itself for its callers and deployers. One endpoint for each line.

@description('What all names of the deployment have in common.')
@minLength(1)
@maxLength(50)
param prefix string

@description('Region of the subnet.')
param location string

@description('Tags of the endpoints.')
param tags { *: string }

@description('Id of the subnet that takes the endpoints.')
param subnetId string

@description('Whether their names are written into private DNS zones here. Else a policy of the landing zone does it.')
param writesNames bool

@description('Ids of the private DNS zones by group.')
param zoneIds zoneIdsType

@description('Which endpoints: a short name, the id of the resource, and the group of the endpoint.')
param targets target[]

@description('One private endpoint.')
type target = {
  @description('Last part of the endpoint\'s name.')
  name: string

  @description('Id of the resource that is reached.')
  id: string

  @description('Which of the resource\'s endpoints.')
  group: 'blob' | 'queue' | 'table' | 'vault' | 'sites' | 'scheduler'
}

module endpoints 'private-endpoint.bicep' = [
  for target in targets: {
    params: {
      name: 'pep-${prefix}-${target.name}'
      location: location
      tags: tags
      subnetId: subnetId
      targetId: target.id
      group: target.group
      zoneId: zoneIds[?target.group] ?? ''
      writesName: writesNames
    }
  }
]
