import { judgement, rule } from 'monitoring-types.bicep'

// Who is told, and of what. Each rule's query is a file of `infra/alerts/`, which says what it finds and where it reads it.

@description('What every name is made of: ag-<prefix>, alert-<prefix>-<rule>.')
@minLength(1)
@maxLength(60)
param prefix string

@description('Region of the rules: the one of the workspace, so that no log leaves it.')
param location string

@description('Tags of every resource that is made here.')
param tags { *: string } = {}

@description('Resource id of the workspace whose logs are read.')
@minLength(1)
param workspaceId string

@description('Name of the function app: its lines carry it as AppRoleName.')
@minLength(1)
param functionAppName string

@description('Name of the storage account with the queue of events and the container of dead letters.')
@minLength(1)
param storageAccountName string

@description('Object ids (principal ids) of the identities of the app. Their reads of secrets are not unusual; a 403 to them is an alert.')
@minLength(1)
param identityIds string[]

@description('Object ids of callers that may read a secret at any time, such as a nightly backup. Their first read in two days is no alert.')
param knownReaderIds string[] = []

@description('Addresses that get a mail for each alert.')
param emails string[] = []

@description('Resource ids of action groups to call as well: a chat, a pager, a ticket system.')
param actionGroupIds string[] = []

@description('Hours of failing after which a step of a rotation counts as stuck. An alert looks back two days at most.')
@minValue(1)
@maxValue(36)
param stuckAfterHours int = 6

@description('How long without a finished sweep until the app counts as down. At least twice the schedule of the sweep, which is hourly.')
@allowed(['PT3H', 'PT6H', 'P1D', 'P2D'])
param silentAfter string = 'PT3H'

@description('Resource id of the function app where its plan has a health check; empty on Flex Consumption, which has none.')
param healthCheckedAppId string = ''

@description('Resource id of a workspace that exists and has Microsoft Sentinel on; empty: none. Sentinel looks back fourteen days where rules of Azure Monitor look back two, so unusual reads become an incident there and no alert here.')
param sentinelWorkspaceId string = ''

@description('Whether the rules run. False keeps them for a look.')
param enabled bool = true

@description('What a query says in braces, and what stands for it.')
var replacements = {
  '{app}': functionAppName
  '{storage}': storageAccountName
  '{identities}': join(identityIds, ',')
  '{known}': join(knownReaderIds, ',')
  '{stuckAfter}': '${stuckAfterHours}h'
  '{before}': '2d'
}

@description('How the rows of most rules are judged: one is enough.')
var anyRow judgement = { timeAggregation: 'Count', threshold: 0 }

@description('The rules.')
var rules rule[] = [
  {
    name: 'rotation-failed'
    query: loadTextContent('../alerts/rotation-failed.kql')
    says: 'A rotation ended without a new credential. The current one still works; code says what refused.'
    severity: 1
    every: 'PT15M'
    window: 'PT30M'
    each: ['object', 'rotationId', 'code']
    test: anyRow
  }
  {
    name: 'rotation-stuck'
    query: loadTextContent('../alerts/rotation-stuck.kql')
    says: 'A rotation does not move: it is held for longer than its policy allows, a step keeps failing, or nothing runs it any more (code lost). Both credentials are alive.'
    severity: 1
    every: 'PT1H'
    window: 'PT1H'
    back: 'P2D'
    each: ['object', 'rotationId', 'code']
    test: anyRow
  }
  {
    name: 'object-overdue'
    query: loadTextContent('../alerts/object-overdue.kql')
    says: 'An object is expired or long past its due date.'
    severity: 1
    every: 'PT1H'
    window: 'PT3H'
    each: ['object']
    test: anyRow
  }
  {
    name: 'pins-drifted'
    query: loadTextContent('../alerts/pins-drifted.kql')
    says: 'A consumer is pinned to another version than the current one. Find what re-pinned it and move it before the old credential dies.'
    severity: 1
    every: 'PT1H'
    window: 'PT3H'
    each: ['object', 'consumer']
    test: anyRow
  }
  {
    name: 'app-silent'
    query: loadTextContent('../alerts/app-silent.kql')
    says: 'The app has finished no sweep: it is down, its settings have faults, or its storage is out of reach. GET /api/health tells.'
    severity: 1
    every: 'PT1H'
    window: silentAfter
    each: []
    test: anyRow
  }
  {
    name: 'sweep-blind'
    query: loadTextContent('../alerts/sweep-blind.kql')
    says: 'The last sweep could not read some objects, or the policy has faults: what it does not see is not rotated. GET /api/health lists the faults of the policy; the log of the sweep names each object, with a code.'
    severity: 1
    every: 'PT1H'
    window: 'PT3H'
    each: []
    test: anyRow
  }
  {
    name: 'settings-faulty'
    query: loadTextContent('../alerts/settings-faulty.kql')
    says: 'The app started with faults in its settings and rotates nothing. GET /api/health lists them.'
    severity: 1
    every: 'PT15M'
    window: 'PT30M'
    each: []
    test: anyRow
  }
  {
    name: 'dead-letters'
    query: loadTextContent('../alerts/dead-letters.kql')
    says: 'Event Grid gave up on an event and wrote it to the container dead-letters. The sweep finds what it was about.'
    severity: 2
    every: 'PT1H'
    window: 'PT1H'
    each: []
    test: anyRow
  }
  {
    name: 'poison-messages'
    query: loadTextContent('../alerts/poison-messages.kql')
    says: 'A message could not be handled and lies in the queue pinion-events-poison. The sweep finds what it was about.'
    severity: 2
    every: 'PT15M'
    window: 'PT30M'
    each: []
    test: anyRow
  }
  {
    name: 'vault-forbidden'
    query: loadTextContent('../alerts/vault-forbidden.kql')
    says: 'A vault keeps refusing the app: a role is missing, or the firewall of the vault is shut.'
    severity: 2
    every: 'PT30M'
    window: 'PT3H'
    each: ['vault']
    test: anyRow
  }
  {
    name: 'vault-throttled'
    query: loadTextContent('../alerts/vault-throttled.kql')
    says: 'A vault answers 429. Its limit is shared by all of its callers: find the one that calls too often.'
    severity: 3
    every: 'PT15M'
    window: 'PT30M'
    each: ['vault']
    test: { timeAggregation: 'Total', column: 'calls', threshold: 50 }
  }
  {
    name: 'unusual-reads'
    query: loadTextContent('../alerts/unusual-reads.kql')
    says: 'A caller read a secret that it had not read in the two days before.'
    severity: 3
    every: 'PT1H'
    window: 'PT1H'
    back: 'P2D'
    each: ['vault', 'secret', 'caller']
    test: anyRow
  }
  {
    name: 'many-reads'
    query: loadTextContent('../alerts/many-reads.kql')
    says: 'A caller read a secret far more often than it used to.'
    severity: 3
    every: 'PT1H'
    window: 'PT1H'
    each: ['vault', 'secret', 'caller']
    test: { timeAggregation: 'Total', column: 'reads', sensitivity: 'Low' }
  }
]

resource actionGroup 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(emails)) {
  name: 'ag-${prefix}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'pinion'
    enabled: true
    emailReceivers: [for email in emails: { name: email, emailAddress: email, useCommonAlertSchema: true }]
  }
}

@description('Resource ids of every action group that is called.')
var calledGroupIds = union(empty(emails) ? [] : [actionGroup.id], actionGroupIds)

resource queryRules 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [
  for rule in filter(rules, one => empty(sentinelWorkspaceId) || one.name != 'unusual-reads'): {
    name: 'alert-${prefix}-${rule.name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: 'Pinion: ${rule.name}'
      description: rule.says
      severity: rule.severity
      enabled: enabled
      scopes: [workspaceId]
      evaluationFrequency: rule.every
      windowSize: rule.window
      overrideQueryTimeRange: rule.?back
      autoMitigate: true
      // A workspace may know a table only once its first row has come.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: reduce(items(replacements), rule.query, (text, pair) => replace(text, pair.key, pair.value))
            criterionType: rule.test.?sensitivity != null ? 'DynamicThresholdCriterion' : 'StaticThresholdCriterion'
            timeAggregation: rule.test.timeAggregation
            metricMeasureColumn: rule.test.?column
            operator: 'GreaterThan'
            threshold: rule.test.?threshold
            alertSensitivity: rule.test.?sensitivity
            dimensions: map(rule.each, column => { name: column, operator: 'Include', values: ['*'] })
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: { actionGroups: calledGroupIds }
    }
  }
]

@description('Where the rule of Sentinel goes. Azure looks at the scope of a module whether or not its condition holds: it must always be one.')
var sentinelAt = split(empty(sentinelWorkspaceId) ? resourceGroup().id : sentinelWorkspaceId, '/')

module readsIncident 'sentinel-reads.bicep' = if (!empty(sentinelWorkspaceId)) {
  scope: resourceGroup(sentinelAt[2], sentinelAt[4])
  params: {
    prefix: prefix
    workspaceName: last(split(sentinelWorkspaceId, '/'))
    identityIds: identityIds
    knownReaderIds: knownReaderIds
    enabled: enabled
  }
}

resource healthRule 'Microsoft.Insights/metricAlerts@2026-01-01' = if (!empty(healthCheckedAppId)) {
  name: 'alert-${prefix}-health'
  location: 'global'
  tags: tags
  properties: {
    description: 'The host does not answer on at least half of the instances: it does not start, or its storage is out of reach. The logs of the app say why.'
    severity: 1
    enabled: enabled
    scopes: [healthCheckedAppId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'unhealthy'
          criterionType: 'StaticThresholdCriterion'
          metricName: 'HealthCheckStatus'
          timeAggregation: 'Average'
          operator: 'LessThan'
          threshold: 50
        }
      ]
    }
    actions: map(calledGroupIds, id => { actionGroupId: id })
  }
}

@description('Resource ids of the action groups that the rules call, for rules that are made elsewhere.')
output actionGroupIds string[] = calledGroupIds
