// Unusual reads of secrets as incidents of Microsoft Sentinel, whose rules look back fourteen days. Deploy it in the resource group of the
// workspace.

@description('What the name of the rule is made of.')
@minLength(1)
param prefix string

@description('Name of the workspace, with Sentinel on.')
@minLength(4)
@maxLength(63)
param workspaceName string

@description('Object ids (principal ids) of the identities of the app. Their reads of secrets are not unusual.')
@minLength(1)
param identityIds string[]

@description('Object ids of callers that may read a secret at any time.')
param knownReaderIds string[] = []

@description('Whether the rule runs.')
param enabled bool = true

@description('What a query says in braces, and what stands for it.')
var replacements = {
  '{identities}': join(identityIds, ',')
  '{known}': join(knownReaderIds, ',')
  '{before}': '14d'
}

resource workspace 'Microsoft.OperationalInsights/workspaces@2026-03-01' existing = {
  name: workspaceName
}

resource rule 'Microsoft.SecurityInsights/alertRules@2025-09-01' = {
  name: guid(workspace.id, prefix, 'unusual-reads')
  scope: workspace
  kind: 'Scheduled'
  properties: {
    displayName: 'Pinion ${prefix}: a caller read a secret that it had not read in fourteen days'
    description: 'Find out who the caller is and why it reads the secret. If nobody knows, rotate the secret at once.'
    severity: 'Medium'
    enabled: enabled
    tactics: ['CredentialAccess']
    query: reduce(
      items(replacements),
      loadTextContent('../alerts/unusual-reads.kql'),
      (text, pair) => replace(text, pair.key, pair.value)
    )
    queryFrequency: 'PT1H'
    queryPeriod: 'P14D'
    triggerOperator: 'GreaterThan'
    triggerThreshold: 0
    suppressionEnabled: false
    suppressionDuration: 'PT5H'
    eventGroupingSettings: { aggregationKind: 'AlertPerResult' }
    entityMappings: [
      { entityType: 'Account', fieldMappings: [{ identifier: 'AadUserId', columnName: 'caller' }] }
    ]
  }
}

@description('Resource id of the rule.')
output id string = rule.id
