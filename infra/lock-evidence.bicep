// Locks the policy that keeps evidence: a step of its own, for prod, taken once, by a person. Nobody can take it back, Microsoft included.
//
//   az deployment group create -g <group> -f infra/lock-evidence.bicep -p accountName=<name> environmentName=prod confirm=<name again>
//
// Then set evidence.lockedAccount to the name in the parameter file, so that later deployments leave the policy locked.

@description('Name of the evidence account, as the deployment named it.')
@minLength(3)
@maxLength(24)
param accountName string

@description('The environment of the account. Only prod is locked: elsewhere a locked account would outlive what it was made for.')
@allowed(['prod'])
param environmentName string

@description('The name of the account again.')
@minLength(3)
@maxLength(24)
param confirm string

@description('The account that is locked, once the name was given twice.')
var confirmed = confirm == accountName
  ? accountName
  : fail('confirm: expected ${accountName}, the name of the account whose policy is locked for ever.')

resource account 'Microsoft.Storage/storageAccounts@2026-06-01' existing = {
  name: confirmed
}

@description('What the account has now. Everything stays but the lock.')
var now = account.properties

module locked 'modules/evidence-account.bicep' = {
  params: {
    name: confirmed
    location: account.location
    tags: account.?tags ?? {}
    access: now.?publicNetworkAccess == 'Disabled' ? 'private' : 'public'
    sku: account.sku.name
    retentionDays: account.tags.?environment == environmentName
      ? now.immutableStorageWithVersioning.immutabilityPolicy.immutabilityPeriodSinceCreationInDays
      : fail('environmentName: ${accountName} is not tagged environment=${environmentName}, so it is not locked.')
    locked: true
  }
}

@description('Id of the account whose policy is locked.')
output id string = locked.outputs.id
