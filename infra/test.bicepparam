using 'main.bicep'
extends 'base.bicepparam'

import { environments, networkOf } from 'presets.bicep'

@description('What this environment decides.')
var preset = environments.test
param environmentName = 'test'
param network = networkOf(preset.network, base.cloud, base.network)
param zoneRedundant = preset.zoneRedundant
param monitoring = {
  retentionDays: preset.logDays
  emails: filter(split(readEnvironmentVariable('PINION_ALERT_EMAILS', ''), ','), email => !empty(email))
}
param evidence = {
  retentionDays: preset.evidenceDays
  lockedAccount: readEnvironmentVariable('PINION_EVIDENCE_LOCKED', '')
}
param policyEffect = preset.policyEffect
