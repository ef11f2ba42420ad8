import { cloud as clouds, zoneIds } from 'network-types.bicep'

// New private DNS zones, each linked to every network that must find the private endpoints.

@description('Tags of every resource that is made here.')
param tags { *: string } = {}

@description('The cloud whose names the zones have.')
param cloud clouds

@description('Resource ids of the virtual networks to link.')
@minLength(1)
param networkIds string[]

@description('Whether the zone of Durable Task Scheduler is needed as well.')
param scheduler bool = false

@description('The ends of the names that `environment()` does not have, as Azure documents them for each cloud.')
var suffixes = {
  AzureCloud: { vault: 'vaultcore.azure.net', sites: 'azurewebsites.net' }
  AzureUSGovernment: { vault: 'vaultcore.usgovcloudapi.net', sites: 'azurewebsites.us' }
  AzureChinaCloud: { vault: 'vaultcore.azure.cn', sites: 'chinacloudsites.cn' }
}
@description('The end of the names of storage, without a leading dot.')
var storage = environment().suffixes.storage
@description('Unconfirmed: whether another cloud has Durable Task Scheduler with private endpoints, and under which name.')
var schedulerZone = cloud == 'AzureCloud' || !scheduler
  ? 'privatelink.durabletask.io'
  : fail('The private DNS zone of Durable Task Scheduler is not known in ${cloud}: choose durableBackend AzureStorage, or give network.zones of source existing.')
@description('Names of the zones, in the order in which their ids are given back.')
var names = [
  'privatelink.blob.${storage}'
  'privatelink.queue.${storage}'
  'privatelink.table.${storage}'
  'privatelink.${suffixes[cloud].vault}'
  'privatelink.${suffixes[cloud].sites}'
  ...(scheduler ? [schedulerZone] : [])
]

module zones 'dns-zone.bicep' = [
  for name in names: {
    params: { name: name, tags: tags, networkIds: networkIds }
  }
]

@description('Resource ids of the zones: blob, queue, table, vault, sites, and scheduler where it was asked for.')
output ids zoneIds = {
  blob: zones[0].outputs.id
  queue: zones[1].outputs.id
  table: zones[2].outputs.id
  vault: zones[3].outputs.id
  sites: zones[4].outputs.id
  ...(scheduler ? { scheduler: zones[5].outputs.id } : {})
}
