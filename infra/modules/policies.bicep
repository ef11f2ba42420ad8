targetScope = 'subscription'

// Azure Policy: what vaults and what lies in them must have, as one initiative of built-in definitions (`infra/policies.json`) and one of
// ours for SKUs (`infra/policy-skus.json`). Made in the subscription, assigned to it or to one resource group.

@description('What every name is made of.')
@minLength(1)
@maxLength(50)
param prefix string

@description('What a violation does. `Audit` reports it, `Deny` refuses the write where that does no harm, `Disabled` does nothing.')
@allowed(['Audit', 'Deny', 'Disabled'])
param effect string = 'Audit'

@description('Name of the resource group that the initiative is assigned to. Empty: the whole subscription.')
@maxLength(90)
param resourceGroupName string = ''

@description('Whether vaults are meant to be private. Otherwise the rules on networks report at most: they would refuse the vault of a public deployment.')
param isPrivate bool = false

@description('Days that a secret or a key may live. Every `validity` of the policy must be within it; 60 days is what Pinion writes on what it stages.')
@minValue(60)
param maximumValidityDays int = 365

@description('Months that a certificate may live.')
@minValue(1)
param maximumValidityMonths int = 12

@description('Days before its end when an object is reported. Fewer than the `rotateBefore` of the policy, or every rotation in time is reported.')
@minValue(1)
param daysBeforeExpiration int = 14

@description('SKUs that a vault may have.')
param vaultSkus ('standard' | 'premium')[] = ['standard', 'premium']

@description('SKUs that a storage account may have. By default those that outlive the loss of a zone.')
param storageSkus string[] = ['Standard_ZRS', 'Standard_GZRS', 'Standard_RAGZRS']

@description('SKUs that a plan may have: Flex Consumption, Elastic Premium, Premium v3.')
param planSkus string[] = ['FC1', 'EP1', 'EP2', 'EP3', 'P0v3', 'P1v3', 'P2v3', 'P3v3']

@description('References of `infra/policies.json` to leave out: what the cloud is not known to have (plans.bicep).')
param omit string[] = []

@description('What the initiative is shown as.')
var title = 'Pinion ${prefix}: vaults, and what lies in them'

@description('What the definitions ask for, by the name that their parameters give it in `infra/policies.json`.')
var values = {
  maximumValidityDays: maximumValidityDays
  maximumValidityMonths: maximumValidityMonths
  daysBeforeExpiration: daysBeforeExpiration
}

@description('The built-in definitions that are used.')
var builtIn = filter(
  loadJsonContent('../policies.json').definitions,
  definition => !contains(omit, definition.reference)
)

@description('The definition of ours.')
var skusSource = loadJsonContent('../policy-skus.json')

resource skus 'Microsoft.Authorization/policyDefinitions@2026-07-01' = {
  name: 'pinion-skus-${prefix}'
  properties: {
    displayName: 'Pinion ${prefix}: vaults, storage accounts and plans should have an allowed SKU'
    description: 'The SKU decides whether keys are kept in an HSM, and whether records and evidence outlive a zone.'
    policyType: 'Custom'
    mode: skusSource.mode
    metadata: { category: 'Pinion' }
    parameters: skusSource.parameters
    policyRule: skusSource.policyRule
  }
}

resource initiative 'Microsoft.Authorization/policySetDefinitions@2026-07-01' = {
  name: 'pinion-${prefix}'
  properties: {
    displayName: title
    description: 'What vaults and their objects must have so that they can be rotated in time and turned back.'
    policyType: 'Custom'
    metadata: { category: 'Pinion' }
    policyDefinitions: [
      ...map(builtIn, definition => {
        policyDefinitionReferenceId: definition.reference
        policyDefinitionId: tenantResourceId('Microsoft.Authorization/policyDefinitions', definition.id)
        parameters: {
          '${definition.effectParameter}': {
            value: effect == 'Deny' && definition.deniesOnlyWhenPrivate && !isPrivate
              ? definition.effects.Audit
              : definition.effects[effect]
          }
          ...mapValues(definition.parameters, name => { value: values[name] })
        }
      })
      {
        policyDefinitionReferenceId: 'skus'
        policyDefinitionId: skus.id
        parameters: {
          effect: { value: effect }
          vaultSkus: { value: vaultSkus }
          storageSkus: { value: storageSkus }
          planSkus: { value: planSkus }
        }
      }
    ]
  }
}

@description('What a refused writer reads, by definition.')
var messages = [
  { message: 'The initiative "Pinion ${prefix}" asks for it: see docs/deploy.md.' }
  ...map(builtIn, definition => { message: definition.why, policyDefinitionReferenceId: definition.reference })
]

resource assignment 'Microsoft.Authorization/policyAssignments@2026-07-01' = if (empty(resourceGroupName)) {
  name: 'pinion-${uniqueString(prefix)}'
  properties: {
    displayName: title
    policyDefinitionId: initiative.id
    enforcementMode: 'Default'
    nonComplianceMessages: messages
  }
}

module groupAssignment 'policy-assignment.bicep' = if (!empty(resourceGroupName)) {
  // Azure looks at the scope whether or not the condition holds: it must be a name.
  scope: resourceGroup(empty(resourceGroupName) ? 'none' : resourceGroupName)
  params: {
    name: 'pinion-${uniqueString(prefix)}'
    displayName: title
    initiativeId: initiative.id
    messages: messages
  }
}

@description('Resource id of the initiative, for further assignments: to the resource groups of onboarded vaults.')
output initiativeId string = initiative.id
