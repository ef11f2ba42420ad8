// What a deployment may say of its network. `main.bicep` takes a `network`; the modules of the network share the rest.

@export()
@description('How the app, its storage and its vault are reached: over public endpoints, or over private endpoints alone.')
@discriminator('access')
type network = publicNetwork | privateNetwork

@export()
@description('Every endpoint is public. Identities still decide who gets in.')
type publicNetwork = {
  @description('The switch. `public` takes no further field.')
  access: 'public'
}

@export()
@description('Nothing is reached from the internet: private endpoints inwards, virtual network integration outwards.')
type privateNetwork = {
  @description('The switch. Delivery of events must be by queue, and deployments must come from a machine inside the network.')
  access: 'private'
  @description('Where the app and the private endpoints live.')
  subnets: subnets
  @description('Where the names of the private endpoints are kept.')
  zones: zones
}

@export()
@description('Subnets that the deployment makes, or ones that the network team made beforehand.')
@discriminator('source')
type subnets = newSubnets | existingSubnets

@export()
@description('A virtual network of its own, with both subnets and their network security groups.')
type newSubnets = {
  @description('The switch: made by the deployment.')
  source: 'new'
  @description('Address range of the virtual network in CIDR form, such as 10.80.0.0/24. At least a /26: it is cut in two, and the app takes the first half. It must not overlap a network that will be peered.')
  @minLength(9)
  @maxLength(18)
  addressPrefix: string
  @description('Addresses of the DNS servers of the network, such as forwarders in a hub. Absent: those of Azure, which know the linked zones.')
  dnsServers: string[]?
  @description('Resource id of a route table for the subnet of the app, such as one that leads to a firewall.')
  routeTableId: string?
  @description('Resource id of a NAT gateway for the subnet of the app, so that targets see one fixed address.')
  natGatewayId: string?
}

@export()
@description('Two subnets of one virtual network, or of two that are peered, in any resource group or subscription of the tenant. Their network security groups and routes stay as they are.')
type existingSubnets = {
  @description('The switch: made beforehand.')
  source: 'existing'
  @description('Resource id of the subnet that the app sends from, empty and at least a /27. Delegated to Microsoft.App/environments for Flex Consumption, and then without an underscore in its name; to Microsoft.Web/serverFarms for every other plan.')
  @minLength(1)
  integrationSubnetId: string
  @description('Resource id of the subnet that takes the private endpoints: no delegation, six free addresses or more.')
  @minLength(1)
  endpointsSubnetId: string
}

@export()
@description('Private DNS zones that the deployment makes, ones that a hub has, or none because a policy of the landing zone writes the names.')
@discriminator('source')
type zones = newZones | existingZones | policyZones

@export()
@description('Private DNS zones in the resource group of the deployment, linked to the virtual network of the subnets. A virtual network can be linked to only one zone of a name, so this fails where a hub has linked it already.')
type newZones = {
  @description('The switch: made by the deployment.')
  source: 'new'
  @description('Resource ids of further virtual networks to link, such as the one of the deploying machine.')
  linkedNetworkIds: string[]?
}

@export()
@description('Private DNS zones that exist, in any resource group or subscription. They are not linked: whoever owns them has linked the network. The deployer needs Microsoft.Network/privateDnsZones/join/action at each.')
type existingZones = {
  @description('The switch: made beforehand.')
  source: 'existing'
  @description('Resource id of each zone.')
  ids: zoneIds
}

@export()
@description('The private endpoints get no zone from the deployment. An Azure Policy of the landing zone (deploy if not exists) writes their names into the zones of a hub.')
type policyZones = {
  @description('The switch: left to a policy.')
  source: 'policy'
}

@export()
@description('Resource id of the private DNS zone for each kind of private endpoint.')
type zoneIds = {
  @description('Such as .../privateDnsZones/privatelink.blob.core.windows.net')
  blob: string
  @description('Such as .../privateDnsZones/privatelink.queue.core.windows.net')
  queue: string
  @description('Such as .../privateDnsZones/privatelink.table.core.windows.net')
  table: string
  @description('Such as .../privateDnsZones/privatelink.vaultcore.azure.net')
  vault: string
  @description('Such as .../privateDnsZones/privatelink.azurewebsites.net')
  sites: string
  @description('Such as .../privateDnsZones/privatelink.durabletask.io. Needed with Durable Task Scheduler alone.')
  scheduler: string?
}

@export()
@description('The kinds of private endpoint: the group id that the resource gives its endpoint.')
type endpointGroup = 'blob' | 'queue' | 'table' | 'vault' | 'sites' | 'scheduler'

@export()
@description('The plan of the app. It decides which service the subnet of the app is delegated to.')
type plan = 'FlexConsumption' | 'ElasticPremium' | 'Dedicated'

@export()
@description('The cloud that is deployed to. It decides the names of hosts and zones.')
type cloud = 'AzureCloud' | 'AzureUSGovernment' | 'AzureChinaCloud'
