using 'main.bicep'
extends 'base.bicepparam'

import { environments } from 'presets.bicep'

@description('What this environment decides.')
var preset = environments.test
param environmentName = 'test'
param network = preset.network
param zoneRedundant = preset.zoneRedundant
param monitoring = {
  retentionDays: preset.retentionDays
  emails: filter(split(readEnvironmentVariable('PINION_ALERT_EMAILS', ''), ','), email => !empty(email))
}
param evidence = preset.evidence
param policyEffect = preset.policyEffect
