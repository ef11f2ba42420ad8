using none

// What the parameter files have in common. azd puts its environment's values into the environment variables that are read here
// (`azd env set PINION_ORG acme`); without azd, export them, or set the parameters in your file.

param org = readEnvironmentVariable('PINION_ORG')
param location = readEnvironmentVariable('AZURE_LOCATION')
param cloud = readEnvironmentVariable('PINION_CLOUD', 'AzureCloud')
param plan = readEnvironmentVariable('PINION_PLAN', 'FlexConsumption')
// The name that scripts/build.mjs knows, so that one variable decides template and package.
param durableBackend = readEnvironmentVariable('PINION_BACKEND', 'azure-storage') == 'durable-task-scheduler'
  ? 'DurableTaskScheduler'
  : 'AzureStorage'
param authentication = { clientId: readEnvironmentVariable('PINION_ENTRA_CLIENT_ID') }
param delivery = readEnvironmentVariable('PINION_DELIVERY', 'queue')
// Separated by commas.
param zones = filter(split(readEnvironmentVariable('PINION_TRUST_ZONES', ''), ','), zone => !empty(zone))
param policy = readEnvironmentVariable('PINION_POLICY_IN', 'package')
// What is asked of the network, all by choice: the file of an environment makes its network of it (presets.bicep).
param network = {
  addressPrefix: readEnvironmentVariable('PINION_ADDRESS_PREFIX', '')
  appSubnetId: readEnvironmentVariable('PINION_APP_SUBNET_ID', '')
  endpointsSubnetId: readEnvironmentVariable('PINION_ENDPOINTS_SUBNET_ID', '')
  dnsZones: readEnvironmentVariable('PINION_DNS_ZONES', '')
  linkedNetworks: readEnvironmentVariable('PINION_LINKED_NETWORKS', '')
}
param observe = readEnvironmentVariable('PINION_OBSERVE', 'true') != 'false'
param stop = readEnvironmentVariable('PINION_STOP', 'false') != 'false'
