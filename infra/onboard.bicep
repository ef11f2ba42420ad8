import {
  deadLetter as deadLetterType
  delivery as deliveryType
  grant
  groupOf
  principals as principalsType
  roleIdOf
  tags as tagsType
} from 'onboard/types.bicep'
import { eventHub as eventHubType } from 'modules/monitoring-types.bicep'

// A vault and what its objects' rotations touch: events to the app, and for its identities the smallest roles at the smallest scopes.
// By somebody who may assign roles at all of them. `npm run pinion -- onboard` writes the parameters from a policy.

targetScope = 'subscription'

@description('Name of the vault, which is in this subscription.')
@minLength(3)
@maxLength(24)
param vaultName string

@description('Name of the vault\'s resource group.')
@minLength(1)
@maxLength(90)
param vaultResourceGroup string

@description('Object ids of the identities that work here: `app`, and those of trust zones by their client ids.')
param principals principalsType

@description('Every role that the policy\'s objects need, and where.')
param grants grant[]

@description('Where the vault\'s events go.')
param delivery deliveryType

@description('Where events go that could not be delivered.')
param deadLetter deadLetterType

@description('ARM id of the system topic that the vault has already: it may have one only. Empty: one is made. Its identity must be system-assigned: az eventgrid system-topic update --identity systemassigned.')
param existingTopic string = ''

@description('Name of the event subscription: the Function App\'s, AZURE_FUNCTION_APP_NAME of main.bicep. Each Pinion that watches this vault has its own.')
@minLength(3)
@maxLength(64)
param subscriptionName string

@description('Whether the topic gets its rights at the queue and the container of dead letters here, by somebody who may assign roles in Pinion\'s storage account. False: Pinion\'s operator deploys onboard/senders.bicep with the output topicPrincipalId.')
param assignSenders bool = true

@description('Whether the app is reached over public endpoints. When `private`, events go by queue.')
@allowed(['public', 'private'])
param network string

@description('ARM ids of action groups to call when Event Grid gives up on an event of the vault; PINION_ACTION_GROUP_IDS of main.bicep. Empty: no alert at the topic.')
param actionGroupIds string[] = []

@description('ARM id of the Log Analytics workspace that gets the vault\'s audit log; PINION_WORKSPACE_ID of main.bicep. Empty: the vault\'s diagnostics stay as they are.')
param workspaceId string = ''

@description('An event hub that gets a copy of the vault\'s diagnostics, such as the one a SIEM reads. It must be in the vault\'s region. Absent: the workspace alone.')
param eventHub eventHubType?

@description('Tags of a system topic that is made.')
param tags tagsType = {}

@description('Every custom role.')
var definitions = loadJsonContent('roles.json').roles
@description('The delivery, where the network allows it.')
var delivered = delivery.by == 'webhook' && network == 'private'
  ? fail('delivery: a webhook must be reachable from the internet; with network = private deliver by queue.')
  : delivery.by == 'queue' && toLower(delivery.storageId) != toLower(deadLetter.storageId)
      ? fail('deadLetter: expected the storage account of the queue, ${delivery.storageId}.')
      : delivery

@description('Key of the role that finds topics: the one that is given at a whole subscription, since a topic may be in any group of it.')
var topicsRole = 'find-topics'
@description('Whether a grant is that one.')
func isTopics(one grant) bool => one.role == 'find-topics' && length(split(one.scope, '/')) == 3
@description('The grants, each with whose it is and where. What is wrong with one is told before anything is deployed.')
var checked = map(grants, one => {
  role: contains(definitions, one.role)
    ? one.role
    : fail('grants: infra/roles.json has no role ${one.role}. Write the parameters again: npm run pinion -- onboard.')
  scope: startsWith(toLower(one.scope), '/subscriptions/') && (contains(toLower(one.scope), '/resourcegroups/') || isTopics(one))
    ? one.scope
    : fail('grants: ${one.scope} is no ARM id of a resource or a resource group; ${topicsRole} alone is given at a subscription.')
  principalId: principals[?toLower(one.?identity ?? 'app')] ?? fail('principals: the identity ${one.?identity ?? 'app'} is missing. Give its object id.')
  subscriptionId: toLower(split(one.scope, '/')[?2] ?? '')
  group: groupOf(one.scope)
})
@description('The subscriptions that need role definitions.')
var subscriptions = union(map(checked, one => one.subscriptionId), [toLower(subscription().subscriptionId)])
@description('The resource groups with assignments: one deployment in each.')
var groups = filter(union(map(checked, one => one.group), []), group => length(split(group, '/')) == 5)
@description('What is assigned at a whole subscription.')
var atSubscriptions = filter(checked, one => length(split(one.scope, '/')) == 3)
@description('Key of the role that the doctor reads the system topic with.')
var doctorRole = 'read-events'

module roles 'onboard/roles.bicep' = [
  for id in subscriptions: {
    scope: subscription(id)
    params: {
      keys: union(
        map(filter(checked, one => one.subscriptionId == id), one => one.role),
        id == toLower(subscription().subscriptionId) ? [doctorRole] : []
      )
    }
  }
]

module assignments 'onboard/role-assignments.json' = [
  for group in groups: {
    scope: resourceGroup(split(group, '/')[2], split(group, '/')[4])
    params: {
      assignments: map(filter(checked, one => one.group == group && toLower(one.scope) != group), one => {
        scope: one.scope
        principalId: one.principalId
        roleId: roleIdOf(one.subscriptionId, one.role)
      })
      atGroup: map(filter(checked, one => toLower(one.scope) == group), one => {
        principalId: one.principalId
        roleId: roleIdOf(one.subscriptionId, one.role)
      })
    }
    dependsOn: [roles]
  }
]

module subscriptionAssignments 'onboard/subscription-assignments.bicep' = [
  for id in union(map(atSubscriptions, one => one.subscriptionId), []): {
    scope: subscription(id)
    params: {
      assignments: map(filter(atSubscriptions, one => one.subscriptionId == id), one => {
        principalId: one.principalId
        roleId: roleIdOf(id, one.role)
      })
    }
    dependsOn: [roles]
  }
]

@description('The system topic that there is, or the one that is made.')
var topicId = empty(existingTopic)
  ? resourceId(
      subscription().subscriptionId,
      vaultResourceGroup,
      'Microsoft.EventGrid/systemTopics',
      'egst-${vaultName}'
    )
  : existingTopic

resource vault 'Microsoft.KeyVault/vaults@2026-05-15' existing = {
  name: vaultName
  scope: resourceGroup(vaultResourceGroup)
}

module events 'onboard/events.bicep' = {
  scope: resourceGroup(split(topicId, '/')[2], split(topicId, '/')[4])
  params: {
    vaultId: vault.id
    location: vault.location
    topicName: last(split(topicId, '/'))
    makeTopic: empty(existingTopic)
    subscriptionName: subscriptionName
    delivery: delivered
    deadLetter: deadLetter
    assignSenders: assignSenders
    readerRoleId: roleIdOf(subscription().subscriptionId, doctorRole)
    readerPrincipalId: principals.app
    tags: tags
  }
  dependsOn: [roles]
}

module eventAlerts 'modules/event-alerts.bicep' = if (!empty(actionGroupIds)) {
  scope: resourceGroup(split(topicId, '/')[2], split(topicId, '/')[4])
  params: {
    systemTopicName: last(split(topicId, '/'))
    subscriptionName: subscriptionName
    tags: tags
    actionGroupIds: actionGroupIds
  }
  dependsOn: [events]
}

@description('The parts of the authorization rule\'s id, in lower case.')
var rule = split(toLower(eventHub.?authorizationRuleId ?? ''), '/')
@description('The event hub, where it is one that diagnostics can go to.')
var copied = eventHub == null
  ? null
  : empty(workspaceId)
      ? fail('eventHub: it gets a copy of what the workspace gets. Give workspaceId too.')
      : rule[?6] == 'microsoft.eventhub' && rule[?9] == 'authorizationrules'
          ? eventHub
          : fail('eventHub: ${eventHub!.authorizationRuleId} is no authorization rule of an Event Hubs namespace: give its ARM id, .../namespaces/<name>/authorizationRules/<name>.')

module diagnostics 'modules/vault-diagnostics.bicep' = if (!empty(workspaceId) || copied != null) {
  scope: resourceGroup(vaultResourceGroup)
  params: {
    vaultName: vaultName
    workspaceId: workspaceId
    workspaceName: last(split(workspaceId, '/'))
    eventHub: copied
  }
}

@description('Object id of the system topic\'s identity. It sends to the queue and writes dead letters.')
output topicPrincipalId string = events.outputs.topicPrincipalId
