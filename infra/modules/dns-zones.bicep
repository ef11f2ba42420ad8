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

@description('The names of the cloud, as Azure documents them.')
var known = loadJsonContent('../dns-zones.json')[cloud]
@description('Unconfirmed: whether another cloud has Durable Task Scheduler with private endpoints, and under which name.')
var schedulerZone = !scheduler
  ? ''
  : known.?scheduler ?? fail('The private DNS zone of Durable Task Scheduler is not known in ${cloud}: choose durableBackend AzureStorage, or give network.zones of source existing.')
@description('Names of the zones, in the order in which their ids are given back.')
var names = [
  known.blob
  known.queue
  known.table
  known.vault
  known.sites
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
