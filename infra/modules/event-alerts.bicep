// Alerts on what Event Grid could not deliver, beside the system topic of an onboarded vault: a metric alert must be in the subscription
// of what it watches. onboard.bicep deploys it in the resource group of the topic.

@description('Name of the system topic.')
@minLength(3)
@maxLength(50)
param systemTopicName string

@description('Name of the event subscription: each Pinion hears of its own.')
@minLength(3)
@maxLength(64)
param subscriptionName string

@description('Tags of every resource that is made here.')
param tags { *: string } = {}

@description('Resource ids of the action groups to call, in any subscription of the tenant.')
param actionGroupIds string[]

@description('Whether the rules run.')
param enabled bool = true

@description('The metrics of which one is too many.')
var metrics = [
  {
    name: 'DeadLetteredCount'
    says: 'Event Grid gave up on an event of a vault and wrote it to the dead letters. The sweep finds what it was about.'
  }
  {
    name: 'DroppedEventCount'
    says: 'Event Grid gave up on an event of a vault and could not keep it. The sweep finds what it was about.'
  }
]

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: systemTopicName
}

resource rules 'Microsoft.Insights/metricAlerts@2026-01-01' = [
  for metric in metrics: {
    name: 'alert-${systemTopicName}-${subscriptionName}-${metric.name}'
    location: 'global'
    tags: tags
    properties: {
      description: metric.says
      severity: 2
      enabled: enabled
      scopes: [topic.id]
      evaluationFrequency: 'PT5M'
      windowSize: 'PT15M'
      autoMitigate: true
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            name: metric.name
            criterionType: 'StaticThresholdCriterion'
            metricName: metric.name
            dimensions: [{ name: 'EventSubscriptionName', operator: 'Include', values: [subscriptionName] }]
            timeAggregation: 'Total'
            operator: 'GreaterThan'
            threshold: 0
          }
        ]
      }
      #disable-next-line use-resource-id-functions // They are ids, of the parameter's list.
      actions: map(actionGroupIds, id => { actionGroupId: id })
    }
  }
]
