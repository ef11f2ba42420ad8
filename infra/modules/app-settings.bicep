import { plan as planName } from 'network-types.bicep'
import { hubName } from 'durable-task-scheduler.bicep'
import { stored } from 'storage.bicep'
import { planFacts } from '../plans.bicep'

// The app settings of the Function App, all of them: a deployment takes away what is not here. docs/settings.md explains Pinion's. None is
// a key, a connection string with a key, or any other secret.

@description('Name of the Function App.')
@minLength(2)
@maxLength(60)
param functionAppName string

@description('Which plan the app runs on.')
param plan planName

@description('Name of the app\'s identity.')
@minLength(3)
param identityName string

@description('Name of the app\'s storage account.')
@minLength(3)
@maxLength(24)
param storageAccountName string

@description('Name of the evidence account.')
@minLength(3)
@maxLength(24)
param evidenceAccountName string

@description('Name of Application Insights.')
param applicationInsightsName string

@description('Name of the Durable Task Scheduler; empty where orchestrations are kept in storage.')
param schedulerName string

@description('Name of the custom topic; empty without one.')
param topicName string

@description('Address of Azure Resource Manager.')
param resourceManagerUrl string

@description('Where the policy is: in the package, or in the storage account.')
param policy 'package' | 'storage'

@description('Whether nothing is rotated, whatever the policy says.')
param observe bool

@description('Whether no rotation starts.')
param stop bool

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

resource topic 'Microsoft.EventGrid/topics@2025-02-15' existing = if (!empty(topicName)) {
  name: topicName
}

resource scheduler 'Microsoft.DurableTask/schedulers@2026-02-01' existing = if (!empty(schedulerName)) {
  name: schedulerName
}

@description('End of the addresses of storage in this cloud.')
var suffix = environment().suffixes.storage
@description('Address of the app\'s blobs.')
var blobs = 'https://${storageAccountName}.blob.${suffix}'

@description('Settings of the Functions host. Flex Consumption knows its runtime and its package by other ways, and refuses these settings.')
var ofPlan = {
  container: {}
  url: {
    FUNCTIONS_EXTENSION_VERSION: '~4'
    FUNCTIONS_WORKER_RUNTIME: 'node'
    // Read with the identity. This plan's own file share would take an account key.
    WEBSITE_RUN_FROM_PACKAGE: '${blobs}/${stored.package}/pinion.zip'
    WEBSITE_RUN_FROM_PACKAGE_BLOB_MI_RESOURCE_ID: identity.id
  }
  zip: {
    FUNCTIONS_EXTENSION_VERSION: '~4'
    FUNCTIONS_WORKER_RUNTIME: 'node'
    WEBSITE_RUN_FROM_PACKAGE: '1'
  }
}[planFacts[plan].package]

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: functionAppName

  resource settings 'config' = {
    name: 'appsettings'
    properties: {
      // Addresses, and not accountName: what is made from a name ends in core.windows.net, which other clouds have not.
      AzureWebJobsStorage__blobServiceUri: blobs
      AzureWebJobsStorage__queueServiceUri: 'https://${storageAccountName}.queue.${suffix}'
      AzureWebJobsStorage__tableServiceUri: 'https://${storageAccountName}.table.${suffix}'
      AzureWebJobsStorage__credential: 'managedidentity'
      AzureWebJobsStorage__clientId: identity.properties.clientId
      APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.properties.clientId};Authorization=AAD'
      AZURE_AUTHORITY_HOST: environment().authentication.loginEndpoint
      AZURE_CLIENT_ID: identity.properties.clientId
      // App Service authentication shows the Entra application a token of this identity where another would show a secret.
      OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: identity.properties.clientId
      PINION_EVENTS_QUEUE: stored.events
      PINION_EVIDENCE__blobServiceUri: 'https://${evidenceAccountName}.blob.${suffix}'
      PINION_OBSERVE: observe ? 'true' : 'false'
      PINION_OPERATOR_ROLE: 'Pinion.Operator'
      PINION_POLICY: policy == 'storage' ? '${blobs}/${stored.policy}/rotations.json' : 'rotations.json'
      PINION_READER_ROLE: 'Pinion.Reader'
      PINION_RESOURCE_MANAGER_URL: resourceManagerUrl
      PINION_STOP: stop ? 'true' : 'false'
      PINION_SWEEP_SCHEDULE: '0 17 * * * *'
      ...(empty(topicName) ? {} : { PINION_TOPIC_ENDPOINT: topic!.properties.endpoint })
      ...(empty(schedulerName)
        ? {}
        : {
            // No secret: an address, and which identity opens it.
            DURABLE_TASK_SCHEDULER_CONNECTION_STRING: 'Endpoint=${scheduler!.properties.endpoint};Authentication=ManagedIdentity;ClientID=${identity.properties.clientId}'
            TASKHUB_NAME: hubName
          })
      ...ofPlan
    }
  }
}
