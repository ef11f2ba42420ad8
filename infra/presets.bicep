import { network } from 'modules/network-types.bicep'

// What differs between environments. {dev,test,prod}.bicepparam take theirs; main.bicepparam, which azd reads, takes the one that
// PINION_ENVIRONMENT names.

@description('What an environment decides.')
type preset = {
  @description('The parameter network.')
  network: network

  @description('The parameter zoneRedundant.')
  zoneRedundant: bool

  @description('Days that logs are kept.')
  @minValue(30)
  @maxValue(730)
  logDays: int

  @description('Days that evidence is kept from change.')
  @minValue(1)
  @maxValue(146000)
  evidenceDays: int

  @description('The parameter policyEffect.')
  policyEffect: 'Audit' | 'Deny' | 'Disabled' | 'None'
}

@description('Presets by name.')
type presets = {
  @description('The environment that the property names.')
  *: preset
}

@export()
@description('The environments. Every one observes only, until a person sets PINION_OBSERVE to false.')
var environments presets = {
  // Public and cheap.
  dev: {
    network: { access: 'public' }
    zoneRedundant: false
    logDays: 30
    evidenceDays: 1
    policyEffect: 'None'
  }
  // Private as prod, so that what the network breaks is seen here.
  test: {
    network: {
      access: 'private'
      subnets: { source: 'new', addressPrefix: '10.81.0.0/24' }
      zones: { source: 'new' }
    }
    zoneRedundant: false
    logDays: 30
    evidenceDays: 7
    policyEffect: 'Audit'
  }
  prod: {
    network: {
      access: 'private'
      subnets: { source: 'new', addressPrefix: '10.80.0.0/24' }
      zones: { source: 'new' }
    }
    // False in a region without zones, or where Flex Consumption cannot use them.
    zoneRedundant: true
    logDays: 365
    // Seven years.
    evidenceDays: 2555
    policyEffect: 'Audit'
  }
}
