// A custom topic that Pinion sends its own events to: Pinion.Rotation.*, CloudEvents, references only. No key opens it.

@description('Name of the topic.')
@minLength(3)
@maxLength(50)
param name string

@description('Region of the topic.')
param location string

@description('Tags of the topic.')
param tags { *: string }

@description('Name of the app\'s identity, in the same resource group.')
@minLength(3)
param identityName string

resource topic 'Microsoft.EventGrid/topics@2025-02-15' = {
  name: name
  location: location
  tags: tags
  properties: {
    inputSchema: 'CloudEventSchemaV1_0'
    disableLocalAuth: true
    minimumTlsVersionAllowed: '1.2'
    publicNetworkAccess: 'Enabled'
  }
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

@description('EventGrid Data Sender: sends events, and nothing else.')
var sender = 'd5a91429-5739-47e2-a06b-3470a27159e7'

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: topic
  name: guid(topic.id, identity.id, sender)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', sender)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    description: 'Pinion: EventGrid Data Sender for the app at its own topic.'
  }
}

@description('Address that events are sent to.')
output endpoint string = topic.properties.endpoint
