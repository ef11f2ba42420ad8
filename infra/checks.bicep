import { authentication, evidence, newVault } from 'types.bicep'
import { isPlain, names } from 'names.bicep'
import { lacks, plan } from 'plans.bicep'
import { network } from 'modules/network-types.bicep'

// What is wrong with the parameters of main.bicep together. Each sentence begins with the name of the parameter.

@export()
@description('What the checks look at.')
type asked = {
  @description('The parameter org.')
  org: string

  @description('The parameter app.')
  app: string

  @description('The parameter environmentName.')
  environmentName: string

  @description('The parameter location.')
  location: string

  @description('Its short name; empty where regions.json has none.')
  region: string

  @description('The names made from them.')
  names: names

  @description('The parameter cloud, and what it lacks.')
  cloud: string

  @description('What that cloud lacks.')
  lacks: lacks

  @description('The parameter plan.')
  plan: string

  @description('What that plan can do.')
  planFacts: plan

  @description('The parameter durableBackend.')
  durableBackend: string

  @description('The parameter network.')
  network: network

  @description('The parameter authentication.')
  authentication: authentication

  @description('The parameter delivery.')
  delivery: string

  @description('The parameter zones.')
  zones: string[]

  @description('The parameter topic.')
  topic: bool

  @description('The parameter newVault.')
  newVault: newVault?

  @description('The parameter evidence.')
  evidence: evidence
}

@description('A sentence where something is wrong, else nothing.')
func unless(right bool, sentence string) string[] => right ? [] : [sentence]

@description('Whether a text has the form of a GUID.')
func isGuid(text string) bool =>
  length(text) == 36 && isPlain(replace(toLower(text), '-', '')) && join(
    map(split(text, '-'), part => string(length(part))),
    '-'
  ) == '8-4-4-4-12'

@export()
@description('All that is wrong, as sentences.')
func faultsOf(it asked) string[] =>
  flatten([
    unless(isPlain(it.org), 'org: expected lower-case letters and digits alone: names are made from it.')
    unless(isPlain(it.app), 'app: expected lower-case letters and digits alone: names are made from it.')
    unless(
      isPlain(it.environmentName),
      'environmentName: expected lower-case letters and digits alone: names are made from it.'
    )
    unless(
      !empty(it.region),
      'location: infra/regions.json has no short name for ${it.location}: add it there, names are made from it.'
    )
    unless(
      empty(it.?newVault) || length(it.names.vault) <= 24,
      'newVault: the vault would be called ${it.names.vault}, ${length(it.names.vault)} characters; 24 is the most: shorten org, app or environmentName.'
    )
    unless(
      !contains(it.lacks.plans, it.plan),
      'plan: ${it.cloud} has no ${it.plan} that we know of: choose ElasticPremium or Dedicated, or take it off the list in infra/plans.bicep.'
    )
    unless(
      it.planFacts.authentication,
      'plan: ${it.plan} has no App Service authentication, which keeps callers without a token out: choose ElasticPremium or Dedicated.'
    )
    unless(
      !contains(it.lacks.durableBackends, it.durableBackend),
      'durableBackend: ${it.cloud} has no ${it.durableBackend} that we know of: choose AzureStorage, or take it off the list in infra/plans.bicep.'
    )
    unless(isGuid(it.authentication.clientId), 'authentication: expected a GUID as clientId, the Entra application\'s.')
    unless(
      empty(it.authentication.?tenantId) || isGuid(it.authentication.?tenantId ?? ''),
      'authentication: expected a GUID as tenantId.'
    )
    unless(
      it.delivery != 'webhook' || it.network.access == 'public',
      'delivery: Event Grid cannot call an app whose network is private: choose queue.'
    )
    unless(
      !it.topic || it.network.access == 'public',
      'topic: the custom topic would be public while network is private: choose false.'
    )
    unless(
      it.network.?subnets.?source != 'existing' || contains(it.network.?subnets.?integrationSubnetId ?? '', '/subnets/'),
      'network: subnets.integrationSubnetId is not the id of a subnet.'
    )
    unless(
      it.network.?subnets.?source != 'existing' || contains(it.network.?subnets.?endpointsSubnetId ?? '', '/subnets/'),
      'network: subnets.endpointsSubnetId is not the id of a subnet.'
    )
    unless(
      empty(filter(
        map(items(it.network.?zones.?ids ?? {}), one => one.value),
        id => !startsWith(toLower(id), '/subscriptions/') || !contains(toLower(id), '/privatednszones/')
      )),
      'network: zones.ids are not all ids of private DNS zones; PINION_DNS_ZONES is the id of a resource group, or policy.'
    )
    unless(
      empty(filter(it.network.?zones.?linkedNetworkIds ?? [], id => !contains(toLower(id), '/virtualnetworks/'))),
      'network: zones.linkedNetworkIds are not all ids of virtual networks.'
    )
    unless(
      length(union(it.zones, it.zones)) == length(it.zones) && empty(filter(
        it.zones,
        zone => !isPlain(replace(zone, '-', '')) || empty(zone)
      )),
      'zones: expected different names of lower-case letters, digits and hyphens.'
    )
    unless(
      empty(it.evidence.lockedAccount) || it.evidence.lockedAccount == it.names.evidence,
      'evidence: lockedAccount is ${it.evidence.lockedAccount}, but this deployment\'s account is ${it.names.evidence}: leave it empty until lock-evidence.bicep has run.'
    )
  ])
