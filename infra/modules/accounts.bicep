import { names as namesType } from '../names.bicep'
import { access as accessType, evidence as evidenceType } from '../types.bicep'

// Both storage accounts: the app's own, and the one of the evidence.

@description('Names of all resources.')
param names namesType

@description('Region of the accounts.')
param location string

@description('Tags of the accounts.')
param tags { *: string }

@description('Whether the accounts are reached from public addresses.')
param access accessType

@description('Whether each write is kept in three zones of the region.')
param zoneRedundant bool

@description('How long evidence is kept from change.')
param evidence evidenceType

module storage 'storage.bicep' = {
  params: {
    name: names.storage
    location: location
    tags: tags
    access: access
    zoneRedundant: zoneRedundant
    identityName: names.identity
  }
}

module evidenceStorage 'evidence.bicep' = {
  params: {
    name: names.evidence
    location: location
    tags: tags
    prefix: names.prefix
    access: access
    zoneRedundant: zoneRedundant
    retentionDays: evidence.retentionDays
    locked: evidence.lockedAccount == names.evidence
    identityName: names.identity
  }
}

@description('Id of the app\'s account.')
output storageId string = storage.outputs.id

@description('Id of the evidence account.')
output evidenceId string = evidenceStorage.outputs.id
