// What the hosting plans and the clouds can do, as data. Facts of 2026-11; their grounds are in docs/adr/0007-infrastructure.md.

@export()
@description('What a hosting plan is and can do.')
type plan = {
  @description('The smallest size that runs Pinion well.')
  sku: sku

  @description('The kind of the plan\'s resource.')
  kind: string

  @description('What the subnet of the app must be delegated to.')
  delegation: string

  @description('How the app gets its package: from a container that the platform reads (Flex Consumption), from a blob by URL, or by zip deployment.')
  package: 'container' | 'url' | 'zip'

  @description('Whether App Service authentication stands before the app. Where it does not, deployments are refused.')
  authentication: bool

  @description('Whether the platform asks instances for their health.')
  healthCheck: bool

  @description('Whether traffic between front end and instance can be encrypted too.')
  endToEndEncryption: bool

  @description('Whether the app itself must be told to stay awake.')
  alwaysOn: bool
}

@description('Size of a plan.')
type sku = {
  @description('Name of the size.')
  name: string

  @description('Tier of the size.')
  tier: string
}

@description('Plans by name.')
type plans = {
  @description('The plan that the property names.')
  *: plan
}

@export()
@description('''
The plans.
- Flex Consumption: the documents of its preview said that App Service authentication let everybody in; those of today no longer list it among what the plan lacks, and samples of 2026 from Microsoft rely on it there. Unconfirmed on a real plan: whoever sees otherwise sets authentication to false, and every deployment to that plan stops with a sentence.
- Elastic Premium: its file share would need an account key, so there is none, and no zip deployment; it runs a package in blob storage.
- End-to-end encryption: Flex Consumption has none, by its documents; on Elastic Premium unconfirmed, so off.
''')
var planFacts plans = {
  FlexConsumption: {
    sku: { name: 'FC1', tier: 'FlexConsumption' }
    kind: 'functionapp'
    delegation: 'Microsoft.App/environments'
    package: 'container'
    authentication: true
    healthCheck: false
    endToEndEncryption: false
    alwaysOn: false
  }
  ElasticPremium: {
    sku: { name: 'EP1', tier: 'ElasticPremium' }
    kind: 'elastic'
    delegation: 'Microsoft.Web/serverFarms'
    package: 'url'
    authentication: true
    healthCheck: true
    endToEndEncryption: false
    alwaysOn: false
  }
  Dedicated: {
    sku: { name: 'P0v3', tier: 'PremiumV3' }
    kind: 'linux'
    delegation: 'Microsoft.Web/serverFarms'
    package: 'zip'
    authentication: true
    healthCheck: true
    endToEndEncryption: true
    alwaysOn: true
  }
}

@export()
@description('What a cloud lacks.')
type lacks = {
  @description('Plans that cannot be had there.')
  plans: string[]

  @description('Durable backends that cannot be had there.')
  durableBackends: string[]

  @description('References of policies.json whose definition is not known to be there.')
  policies: string[]
}

@description('Clouds by name.')
type clouds = {
  @description('The cloud that the property names.')
  *: lacks
}

@export()
@description('''
What clouds lack. Azure Government had no Flex Consumption in June 2026, and announced it for the end of the year. That it and Durable Task Scheduler lack in the others is unconfirmed: take them off the list where `az functionapp list-flexconsumption-locations` and `az provider show -n Microsoft.DurableTask` show them. Of the built-in policies Microsoft's list for Azure Government, or an initiative in it, has all but one; Azure China has no such list: a deployment stops at the id that it lacks.
''')
var cloudFacts clouds = {
  AzureCloud: { plans: [], durableBackends: [], policies: [] }
  AzureUSGovernment: {
    plans: ['FlexConsumption']
    durableBackends: ['DurableTaskScheduler']
    policies: ['vaultRoles']
  }
  AzureChinaCloud: { plans: ['FlexConsumption'], durableBackends: ['DurableTaskScheduler'], policies: [] }
}
