using 'main.bicep'
extends 'base.bicepparam'

import { environments, networkOf } from 'presets.bicep'

@description('dev, test or prod: the name of azd\'s environment, unless PINION_ENVIRONMENT says another.')
var name = readEnvironmentVariable('PINION_ENVIRONMENT', readEnvironmentVariable('AZURE_ENV_NAME', 'dev'))
@description('What this environment decides.')
var preset = environments[name]
param environmentName = name
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
