import { access as accessType } from '../types.bicep'

// The storage account of the evidence, apart from the app's, with a policy that keeps every version of every blob for a time. evidence.bicep
// makes it with the policy unlocked; ../lock-evidence.bicep writes it once more with the policy locked.

@description('Name of the account.')
@minLength(3)
@maxLength(24)
param name string

@description('Region of the account.')
param location string

@description('Tags of the account.')
param tags { *: string }

@description('Whether the account is reached from public addresses.')
param access accessType

@description('SKU of the account.')
param sku string

@description('Days that a blob can be neither overwritten nor deleted.')
@minValue(1)
@maxValue(146000)
param retentionDays int

@description('Whether the policy is locked. It can never be unlocked, nor shortened; the account cannot be deleted while it holds a kept blob.')
param locked bool

resource account 'Microsoft.Storage/storageAccounts@2026-06-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: sku }
  properties: {
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    isLocalUserEnabled: false
    publicNetworkAccess: access == 'private' ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: access == 'private' ? 'Deny' : 'Allow'
      bypass: 'None'
    }
    // On the account and not on the container: a container's policy is locked by a call that no template can make.
    immutableStorageWithVersioning: {
      enabled: true
      immutabilityPolicy: {
        immutabilityPeriodSinceCreationInDays: retentionDays
        allowProtectedAppendWrites: false
        state: locked ? 'Locked' : 'Unlocked'
      }
    }
  }

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      // The policy needs versions: it keeps each one.
      isVersioningEnabled: true
      deleteRetentionPolicy: { enabled: true, days: 90 }
      containerDeleteRetentionPolicy: { enabled: true, days: 90 }
    }

    resource evidence 'containers' = {
      name: 'pinion-evidence'
      properties: { publicAccess: 'None' }
    }
  }
}

@description('Id of the account.')
output id string = account.id
