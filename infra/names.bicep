// The names of the app's own resources, in one place. Abbreviations are those of the Cloud Adoption Framework. The network and the
// monitoring make theirs from the prefix.

@export()
@description('Names of the resources of one deployment.')
type names = {
  @description('What the names have in common: org, app, environment and region.')
  prefix: string

  @description('The Function App.')
  functionApp: string

  @description('Its hosting plan.')
  plan: string

  @description('The identity of the app; a trust zone\'s is this, a hyphen and the zone.')
  identity: string

  @description('The storage account of the app.')
  storage: string

  @description('The storage account of the evidence.')
  evidence: string

  @description('The custom Event Grid topic.')
  topic: string

  @description('The Durable Task Scheduler.')
  scheduler: string

  @description('The new vault.')
  vault: string
}

@export()
@description('The names for an org, app, environment and short region. `unique` (5 characters) makes the storage accounts\' names unique in the world.')
func namesOf(org string, app string, environmentName string, region string, unique string) names => {
  prefix: '${org}-${app}-${environmentName}-${region}'
  functionApp: 'func-${org}-${app}-${environmentName}-${region}'
  plan: 'asp-${org}-${app}-${environmentName}-${region}'
  identity: 'id-${org}-${app}-${environmentName}-${region}'
  storage: '${take('st${org}${app}${environmentName}${region}', 19)}${unique}'
  evidence: '${take('stev${org}${app}${environmentName}${region}', 19)}${unique}'
  topic: 'evgt-${org}-${app}-${environmentName}-${region}'
  scheduler: 'dts-${org}-${app}-${environmentName}-${region}'
  vault: 'kv-${org}-${app}-${environmentName}-${region}'
}

@export()
@description('Whether a text is lower-case letters and digits alone.')
func isPlain(text string) bool =>
  empty(filter(
    map(range(0, length(text)), at => substring(text, at, 1)),
    character => !contains('abcdefghijklmnopqrstuvwxyz0123456789', character)
  ))
