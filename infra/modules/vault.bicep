import { access as accessType, newVault } from '../types.bicep'

// A new vault, as strict as a vault can be: roles instead of access policies, nothing purged before its time, nothing in without a role and,
// when private, from outside the network. Pinion itself has no right here before onboard.bicep has run.

@description('Name of the vault. The names of deleted vaults stay taken for 90 days.')
@minLength(3)
@maxLength(24)
param name string

@description('Region of the vault.')
param location string

@description('Tags of every resource of the deployment.')
param tags { *: string }

@description('Whose vault it is, and how secret.')
param vault newVault

@description('Whether the vault is reached from public addresses.')
param access accessType

resource keyVault 'Microsoft.KeyVault/vaults@2026-05-15' = {
  name: name
  location: location
  tags: {
    ...tags
    owner: vault.owner
    dataClassification: vault.dataClassification
    costCenter: vault.costCenter
  }
  properties: {
    tenantId: tenant().tenantId
    sku: { name: vault.sku, family: 'A' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: true
    enabledForDeployment: false
    enabledForDiskEncryption: false
    enabledForTemplateDeployment: false
    publicNetworkAccess: access == 'private' ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: access == 'private' ? 'Deny' : 'Allow'
      // Services that keep their own data under a key of this vault (SQL, storage, disks) are trusted services, and need it.
      bypass: 'AzureServices'
    }
  }
}

@description('Id of the vault.')
output id string = keyVault.id

@description('Address of the vault, for vaults.<name>.url in the policy.')
output uri string = keyVault.properties.vaultUri
