// One new private DNS zone, linked to every network that must find what it names.

@description('Name of the zone, such as privatelink.blob.core.windows.net.')
param name string

@description('Tags of every resource that is made here.')
param tags { *: string } = {}

@description('Resource ids of the virtual networks to link.')
@minLength(1)
param networkIds string[]

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  name: name
  location: 'global'
  tags: tags
}

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for networkId in networkIds: {
    parent: zone
    // The hash keeps two networks of one name, from two subscriptions, apart.
    name: 'link-${uniqueString(networkId)}'
    location: 'global'
    tags: tags
    properties: {
      #disable-next-line use-resource-id-functions // It is an id, of the parameter's list.
      virtualNetwork: { id: networkId }
      registrationEnabled: false
    }
  }
]

@description('Resource id of the zone.')
output id string = zone.id
