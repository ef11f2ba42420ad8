import { deadLetter as deadLetterType, delivery as deliveryType, tags as tagsType } from 'types.bicep'

// The events of a vault: its system topic, made or found, and Pinion's subscription. In the resource group of the topic.

@description('ARM id of the vault.')
param vaultId string

@description('Region of the vault, which its topic shares.')
param location string

@description('Name of the system topic.')
@minLength(3)
@maxLength(50)
param topicName string

@description('Whether the topic is made here; a vault may have one only.')
param makeTopic bool

@description('Name of the event subscription.')
param subscriptionName string

@description('Where events go.')
param delivery deliveryType

@description('Where events go that could not be delivered.')
param deadLetter deadLetterType

@description('Name, a GUID, of the role that lets the doctor read the topic and its subscriptions.')
param readerRoleId string

@description('Object id of the app\'s identity, which the doctor runs with.')
param readerPrincipalId string

@description('Tags of a topic that is made.')
param tags tagsType

@description('The built-in role Storage Queue Data Message Sender.')
var queueMessageSender = 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'
@description('The built-in role Storage Blob Data Contributor.')
var blobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'

resource made 'Microsoft.EventGrid/systemTopics@2025-02-15' = if (makeTopic) {
  name: topicName
  location: location
  tags: tags
  // A firewalled storage account lets in the system-assigned identity of a topic, and no other.
  identity: { type: 'SystemAssigned' }
  properties: {
    source: vaultId
    topicType: 'Microsoft.KeyVault.vaults'
  }
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: topicName
}

@description('The container that gets dead letters.')
var deadLetterAt = '${deadLetter.storageId}/blobServices/default/containers/${deadLetter.container}'
@description('The queue, when there is one.')
var queueAt = delivery.by == 'queue' ? '${delivery.storageId}/queueServices/default/queues/${delivery.queue}' : ''

module deadLetterRights 'role-assignments.json' = {
  scope: resourceGroup(split(deadLetterAt, '/')[2], split(deadLetterAt, '/')[4])
  params: {
    assignments: [{ scope: deadLetterAt, principalId: topic.identity.principalId, roleId: blobDataContributor }]
  }
  dependsOn: [made]
}

module queueRights 'role-assignments.json' = if (delivery.by == 'queue') {
  scope: resourceGroup(split(queueAt, '/')[?2] ?? '', split(queueAt, '/')[?4] ?? '')
  params: {
    assignments: [{ scope: queueAt, principalId: topic.identity.principalId, roleId: queueMessageSender }]
  }
  dependsOn: [made]
}

module readerRights 'role-assignments.json' = {
  params: {
    assignments: [{ scope: topic.id, principalId: readerPrincipalId, roleId: readerRoleId }]
  }
  dependsOn: [made]
}

@description('The Event Grid trigger of the app, when it is called.')
var functionId = delivery.by == 'webhook'
  ? resourceId(
      split(delivery.functionAppId, '/')[2],
      split(delivery.functionAppId, '/')[4],
      'Microsoft.Web/sites/functions',
      last(split(delivery.functionAppId, '/')),
      'events-webhook'
    )
  : ''

@description('The identity that delivers.')
var systemAssigned = { type: 'SystemAssigned' }

// Rights take some minutes to reach every part of Azure. Until then deliveries fail and are tried again.
resource subscription 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: subscriptionName
  properties: {
    filter: loadJsonContent('../events.json')
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    retryPolicy: { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 1440 }
    ...(delivery.by == 'queue'
      ? {
          deliveryWithResourceIdentity: {
            identity: systemAssigned
            destination: {
              endpointType: 'StorageQueue'
              properties: { resourceId: delivery.storageId, queueName: delivery.queue }
            }
          }
        }
      : {
          destination: {
            endpointType: 'AzureFunction'
            properties: {
              resourceId: functionId
              maxEventsPerBatch: 1
              preferredBatchSizeInKilobytes: 64
            }
          }
        })
    deadLetterWithResourceIdentity: {
      identity: systemAssigned
      deadLetterDestination: {
        endpointType: 'StorageBlob'
        properties: { resourceId: deadLetter.storageId, blobContainerName: deadLetter.container }
      }
    }
  }
  dependsOn: [made, deadLetterRights, queueRights]
}

@description('Object id of the topic\'s identity, which delivers.')
output topicPrincipalId string = topic.identity.principalId
