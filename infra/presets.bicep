import { cloud as clouds, network, privateNetwork, zoneIds } from 'modules/network-types.bicep'

// What differs between environments. {dev,test,prod}.bicepparam take theirs; main.bicepparam, which azd reads, takes the one that
// PINION_ENVIRONMENT names.

@description('What an environment decides.')
type preset = {
  @description('The parameter network.')
  network: network

  @description('The parameter zoneRedundant.')
  zoneRedundant: bool

  @description('Days that logs are kept.')
  @minValue(30)
  @maxValue(730)
  logDays: int

  @description('Days that evidence is kept from change.')
  @minValue(1)
  @maxValue(146000)
  evidenceDays: int

  @description('The parameter policyEffect.')
  policyEffect: 'Audit' | 'Deny' | 'Disabled' | 'None'
}

@description('Presets by name.')
type presets = {
  @description('The environment that the property names.')
  *: preset
}

@export()
@description('The environments. Every one observes only, until a person sets PINION_OBSERVE to false.')
var environments presets = {
  // Public and cheap.
  dev: {
    network: { access: 'public' }
    zoneRedundant: false
    logDays: 30
    evidenceDays: 1
    policyEffect: 'None'
  }
  // Private as prod, so that what the network breaks is seen here.
  test: {
    network: {
      access: 'private'
      subnets: { source: 'new', addressPrefix: '10.81.0.0/24' }
      zones: { source: 'new' }
    }
    zoneRedundant: false
    logDays: 30
    evidenceDays: 7
    policyEffect: 'Audit'
  }
  prod: {
    network: {
      access: 'private'
      subnets: { source: 'new', addressPrefix: '10.80.0.0/24' }
      zones: { source: 'new' }
    }
    // False in a region without zones, or where Flex Consumption cannot use them.
    zoneRedundant: true
    logDays: 365
    // Seven years.
    evidenceDays: 2555
    policyEffect: 'Audit'
  }
}

@export()
@description('What the environment variables say of the network, texts that may be empty.')
type asked = {
  @description('PINION_ADDRESS_PREFIX: address range of a new network.')
  addressPrefix: string

  @description('PINION_APP_SUBNET_ID: an existing subnet that the app sends from.')
  appSubnetId: string

  @description('PINION_ENDPOINTS_SUBNET_ID: an existing subnet for the private endpoints.')
  endpointsSubnetId: string

  @description('PINION_DNS_ZONES: `policy`, or the id of the resource group that has the zones.')
  dnsZones: string

  @description('PINION_LINKED_NETWORKS: ids of networks to link new zones to, with commas between.')
  linkedNetworks: string
}

@description('Ids of the zones of a cloud in a resource group.')
func zonesIn(group string, cloud clouds) zoneIds =>
  mapValues(
    loadJsonContent('dns-zones.json')[cloud],
    name => '${group}/providers/Microsoft.Network/privateDnsZones/${name}'
  )

@description('A private network of what was asked for; `range` where no address range was.')
func privateNetworkOf(range string, cloud clouds, asked asked) privateNetwork => {
  access: 'private'
  subnets: empty('${asked.appSubnetId}${asked.endpointsSubnetId}')
    ? { source: 'new', addressPrefix: empty(asked.addressPrefix) ? range : asked.addressPrefix }
    : { source: 'existing', integrationSubnetId: asked.appSubnetId, endpointsSubnetId: asked.endpointsSubnetId }
  zones: asked.dnsZones == 'policy'
    ? { source: 'policy' }
    : empty(asked.dnsZones)
        ? { source: 'new', linkedNetworkIds: filter(split(asked.linkedNetworks, ','), id => !empty(id)) }
        : { source: 'existing', ids: zonesIn(asked.dnsZones, cloud) }
}

@export()
@description('The network of an environment with what was asked for. An address range or a subnet makes a public one private.')
func networkOf(preset network, cloud clouds, asked asked) network =>
  preset.access == 'public' && empty('${asked.addressPrefix}${asked.appSubnetId}${asked.endpointsSubnetId}')
    ? preset
    : privateNetworkOf(preset.?subnets.?addressPrefix ?? '', cloud, asked)
