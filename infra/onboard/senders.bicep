// What a vault's system topic may do in the storage account of Pinion: send to the queue, and write dead letters. Part of onboard.bicep;
// with assignSenders = false Pinion's operator deploys it, in the resource group of the account.

@description('ARM id of the storage account: PINION_EVENTS_STORAGE_ID of main.bicep.')
@minLength(100)
param storageId string

@description('Name of the container of dead letters: PINION_DEAD_LETTER_CONTAINER of main.bicep.')
@minLength(3)
@maxLength(63)
param container string

@description('Name of the queue of events: PINION_EVENTS_QUEUE of main.bicep. Empty where events come straight to the app.')
@maxLength(63)
param queue string

@description('Object id of the topic\'s identity: topicPrincipalId of onboard.bicep.')
@minLength(36)
param topicPrincipalId string

@description('The built-in role Storage Queue Data Message Sender.')
var queueMessageSender = 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'
@description('The built-in role Storage Blob Data Contributor.')
var blobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
@description('The container that gets dead letters.')
var containerAt = '${storageId}/blobServices/default/containers/${container}'
@description('The queue.')
var queueAt = '${storageId}/queueServices/default/queues/${queue}'

module rights 'role-assignments.json' = {
  params: {
    assignments: [
      { scope: containerAt, principalId: topicPrincipalId, roleId: blobDataContributor }
      ...(empty(queue) ? [] : [{ scope: queueAt, principalId: topicPrincipalId, roleId: queueMessageSender }])
    ]
  }
}
