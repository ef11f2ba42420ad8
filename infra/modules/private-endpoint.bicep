import { endpointGroup } from 'network-types.bicep'

// A private endpoint for one resource, with its name in a private DNS zone.

@description('Name of the private endpoint, such as pep-<prefix>-blob.')
@minLength(2)
@maxLength(64)
param name string

@description('Region of the subnet. The resource behind the endpoint may be in another one.')
param location string

@description('Tags of every resource that is made here.')
param tags { *: string } = {}

@description('Resource id of the subnet that takes the endpoint.')
param subnetId string

@description('Resource id of the storage account, vault, site or scheduler that is reached through it.')
param targetId string

@description('Which of the endpoints of the resource this is.')
param group endpointGroup

@description('Resource id of the private DNS zone that gets the name.')
param zoneId string = ''

@description('Whether its name is written into that zone here. Else a policy of the landing zone does it.')
param writesName bool = true

resource endpoint 'Microsoft.Network/privateEndpoints@2026-03-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    subnet: { id: subnetId }
    customNetworkInterfaceName: '${name}-nic'
    privateLinkServiceConnections: [
      {
        name: group
        properties: {
          privateLinkServiceId: targetId
          groupIds: [group]
        }
      }
    ]
  }

  resource zoneGroup 'privateDnsZoneGroups' = if (writesName) {
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: group
          properties: { privateDnsZoneId: zoneId }
        }
      ]
    }
  }
}

@description('Resource id of the private endpoint.')
output id string = endpoint.id
