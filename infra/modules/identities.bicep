import { identity as identityType, zone as zoneType } from '../types.bicep'

// The identity of the app, and one for each trust zone. A zone's identity is all that works in the vaults of that zone, so that who takes
// over one zone's rights has none in another.

@description('Name of the app\'s identity. A zone\'s is this, a hyphen and the zone.')
@minLength(3)
@maxLength(128)
param name string

@description('Region of the identities.')
param location string

@description('Tags of the identities.')
param tags { *: string }

@description('Names of the trust zones.')
param zones string[]

resource app 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

resource ofZone 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = [
  for zone in zones: {
    name: '${name}-${zone}'
    location: location
    tags: tags
  }
]

@description('The identity of the app.')
output app identityType = {
  id: app.id
  clientId: app.properties.clientId
  principalId: app.properties.principalId
}

@description('The trust zones with their identities, in the order of the parameter.')
output zones zoneType[] = [
  for (zone, at) in zones: {
    name: zone
    id: ofZone[at].id
    clientId: ofZone[at].properties.clientId
    principalId: ofZone[at].properties.principalId
  }
]
