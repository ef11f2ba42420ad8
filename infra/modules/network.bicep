import { cloud as clouds, network as networks, plan as plans, zoneIds } from 'network-types.bicep'

// The virtual network of a private deployment: a subnet that the app sends from, a subnet for the private endpoints, and the zones
// with their names. Each is made here or exists.

@description('What every name is made of: vnet-<prefix>, nsg-<prefix>-app, nsg-<prefix>-endpoints.')
@minLength(1)
@maxLength(50)
param prefix string

@description('Region of the network. It must be the region of the app.')
param location string

@description('Tags of every resource that is made here.')
param tags { *: string } = {}

@description('Which subnets and zones there are. Must say `private`: a public deployment has no network.')
param network networks

@description('The plan of the app: the subnet is delegated to Microsoft.App/environments for Flex Consumption, else to Microsoft.Web/serverFarms.')
param plan plans

@description('The cloud whose names the zones have.')
param cloud clouds = 'AzureCloud'

@description('Whether the zone of Durable Task Scheduler is needed as well.')
param scheduler bool = false

@description('The subnets that were asked for.')
var subnets = network.access == 'private'
  ? network.subnets
  : fail('Private subnets were asked for, but network.access is public.')
@description('The zones that were asked for.')
var zones = network.access == 'private'
  ? network.zones
  : fail('Private zones were asked for, but network.access is public.')
@description('Whether the virtual network is made here.')
var isNew = subnets.source == 'new'
@description('Address range of the virtual network. Stands for nothing where it exists.')
var range = subnets.source == 'new' ? subnets.addressPrefix : '10.0.0.0/24'
@description('Length of the prefix of each subnet: half of the network.')
var half = int(last(split(range, '/'))) < 27
  ? int(last(split(range, '/'))) + 1
  : fail('network.subnets.addressPrefix is ${range}, too small for two subnets: give a /26 or larger, such as 10.80.0.0/24.')
@description('The service that the subnet of the app is delegated to.')
var delegation = plan == 'FlexConsumption' ? 'Microsoft.App/environments' : 'Microsoft.Web/serverFarms'

// Without a rule of ours: the defaults already keep the internet out, and where the app may call is known to its policy, not to this file.
resource appGroup 'Microsoft.Network/networkSecurityGroups@2026-03-01' = if (isNew) {
  name: 'nsg-${prefix}-app'
  location: location
  tags: tags
}

resource endpointsGroup 'Microsoft.Network/networkSecurityGroups@2026-03-01' = if (isNew) {
  name: 'nsg-${prefix}-endpoints'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'AllowHttpsFromNetwork'
        properties: {
          description: 'This network, its peers and what is connected to them reach the private endpoints over TLS.'
          priority: 100
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: 'VirtualNetwork'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '443'
        }
      }
      {
        name: 'DenyOtherInbound'
        properties: {
          description: 'Nothing else reaches them.'
          priority: 4096
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource virtualNetwork 'Microsoft.Network/virtualNetworks@2026-03-01' = if (isNew) {
  name: 'vnet-${prefix}'
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: [range] }
    dhcpOptions: empty(subnets.?dnsServers) ? null : { dnsServers: subnets.?dnsServers }
    // The subnets are made with their network: made apart, a second deployment would take them away and bring them back.
    subnets: [
      {
        // Flex Consumption refuses a name with an underscore.
        name: 'snet-app'
        properties: {
          addressPrefix: cidrSubnet(range, half, 0)
          networkSecurityGroup: { id: appGroup.id }
          routeTable: !empty(subnets.?routeTableId) ? { id: subnets.?routeTableId } : null
          natGateway: !empty(subnets.?natGatewayId) ? { id: subnets.?natGatewayId } : null
          // The app calls vaults and targets out there; an API of today makes a new subnet private unless it is told.
          defaultOutboundAccess: true
          delegations: [
            {
              name: 'app'
              properties: { serviceName: delegation }
            }
          ]
        }
      }
      {
        name: 'snet-endpoints'
        properties: {
          addressPrefix: cidrSubnet(range, half, 1)
          networkSecurityGroup: { id: endpointsGroup.id }
          // Without this the rules of the security group do not apply to private endpoints.
          privateEndpointNetworkPolicies: 'NetworkSecurityGroupEnabled'
          defaultOutboundAccess: false
        }
      }
    ]
  }

  resource appSubnet 'subnets' existing = { name: 'snet-app' }
  resource endpointsSubnet 'subnets' existing = { name: 'snet-endpoints' }
}

@description('What the ids of existing subnets lack; empty where they are sound.')
var subnetFault = subnets.source == 'new'
  ? ''
  : !contains(subnets.integrationSubnetId, '/subnets/') || !contains(subnets.endpointsSubnetId, '/subnets/')
      ? 'network.subnets: integrationSubnetId and endpointsSubnetId must be resource ids that end in /subnets/<name>.'
      : plan == 'FlexConsumption' && contains(last(split(subnets.integrationSubnetId, '/')), '_')
          ? 'network.subnets.integrationSubnetId: Flex Consumption takes no subnet with an underscore in its name. Make one without.'
          : ''

@description('Resource id of the subnet that the app sends from.')
var integrationSubnetId = subnets.source == 'existing'
  ? (empty(subnetFault) ? subnets.integrationSubnetId : fail(subnetFault))
  : virtualNetwork::appSubnet.id

@description('Resource id of the subnet that takes the private endpoints.')
var endpointsSubnetId = subnets.source == 'existing' ? subnets.endpointsSubnetId : virtualNetwork::endpointsSubnet.id

@description('Resource id of the virtual network that the app sends from: the one that new zones are linked to.')
var networkId = first(split(integrationSubnetId, '/subnets/'))!

module newZones 'dns-zones.bicep' = if (zones.source == 'new') {
  params: {
    tags: tags
    cloud: cloud
    networkIds: union([networkId], zones.?linkedNetworkIds ?? [])
    scheduler: scheduler
  }
}

@description('Resource id of the subnet that the app sends from.')
output integrationSubnetId string = integrationSubnetId

@description('Resource id of the subnet that takes the private endpoints.')
output endpointsSubnetId string = endpointsSubnetId

@description('Resource id of the virtual network.')
output networkId string = networkId

@description('Resource id of the private DNS zone by endpoint group: blob, queue, table, vault, sites, scheduler. Empty where a policy of the landing zone writes the names: `writesName` of a private endpoint is false then.')
output zoneIds zoneIds = zones.source == 'new'
  ? newZones!.outputs.ids
  : {
      blob: zones.?ids.blob ?? ''
      queue: zones.?ids.queue ?? ''
      table: zones.?ids.table ?? ''
      vault: zones.?ids.vault ?? ''
      sites: zones.?ids.sites ?? ''
      scheduler: zones.?ids.?scheduler ?? (scheduler && zones.source == 'existing'
        ? fail('network.zones.ids.scheduler is missing: give the id of privatelink.durabletask.io, or choose durableBackend AzureStorage.')
        : '')
    }
