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

@description('Whether the topic gets its rights at the queue and the container here. False: whoever may assign roles there deploys senders.bicep with its object id.')
param assignSenders bool

@description('Name, a GUID, of the role that lets the doctor read the topic and its subscriptions.')
param readerRoleId string

@description('Object id of the app\'s identity, which the doctor runs with.')
param readerPrincipalId string

@description('Tags of a topic that is made.')
param tags tagsType

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

module senders 'senders.bicep' = if (assignSenders) {
  scope: resourceGroup(split(deadLetter.storageId, '/')[2], split(deadLetter.storageId, '/')[4])
  params: {
    storageId: deadLetter.storageId
    container: deadLetter.container
    queue: delivery.by == 'queue' ? delivery.queue : ''
    topicPrincipalId: topic.identity.principalId
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
  dependsOn: [made, senders]
}

@description('Object id of the topic\'s identity, which delivers.')
output topicPrincipalId string = topic.identity.principalId
