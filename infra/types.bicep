import { eventHub } from 'modules/monitoring-types.bicep'

// The types of main.bicep's parameters. The network's are in modules/network-types.bicep, with the names of plans and clouds.

@export()
@description('Where orchestrations are kept. The package must hold the host.json that goes with it: node scripts/build.mjs --backend.')
type durableBackendName = 'AzureStorage' | 'DurableTaskScheduler'

@export()
@description('Who may reach the resources: everybody with the right token, or private endpoints alone.')
type access = 'public' | 'private'

@export()
@description('The Entra application that App Service authentication accepts tokens for. npm run entra makes it.')
type authentication = {
  @description('Client id (application id) of the Entra application, a GUID.')
  @minLength(36)
  @maxLength(36)
  clientId: string

  @description('Id of the tenant that the application and its callers are in, a GUID. Default: the tenant of the deployment.')
  @minLength(36)
  @maxLength(36)
  tenantId: string?
}

@export()
@description('A new Key Vault for objects that Pinion rotates.')
type newVault = {
  @description('Who answers for the vault: a team or a mail address. A tag.')
  @minLength(2)
  @maxLength(256)
  owner: string

  @description('How secret its objects are. A tag.')
  dataClassification: 'internal' | 'confidential' | 'restricted'

  @description('Who pays. A tag.')
  @minLength(1)
  @maxLength(256)
  costCenter: string

  @description('standard, or premium for keys in a hardware security module.')
  sku: 'standard' | 'premium'
}

@export()
@description('What is kept of logs, and who hears of alerts.')
type monitoring = {
  @description('Days that Log Analytics keeps its data.')
  @minValue(30)
  @maxValue(730)
  retentionDays: int

  @description('Mail addresses that alerts go to; none: alerts show in the portal only.')
  emails: string[]

  @description('An event hub that diagnostics go to as well.')
  eventHub: eventHub?

  @description('Ids of action groups that alerts call as well: a chat, a pager, a ticket system.')
  actionGroupIds: string[]?

  @description('Object ids of callers that may read a secret at any time, such as a nightly backup: their reads are never unusual.')
  knownReaderIds: string[]?

  @description('Hours of failing after which a step of a rotation counts as stuck; absent: 6.')
  @minValue(1)
  @maxValue(36)
  stuckAfterHours: int?

  @description('A Log Analytics workspace that exists and takes all of it; absent: one is made.')
  workspace: workspace?
}

@export()
@description('A Log Analytics workspace that exists, such as one that a whole organisation shares.')
type workspace = {
  @description('Id of the workspace, in any subscription of the tenant.')
  @minLength(1)
  id: string

  @description('Whether Microsoft Sentinel is on in it: then unusual reads of secrets are incidents there, looked for over fourteen days.')
  sentinel: bool
}

@export()
@description('How long evidence cannot be changed.')
type evidence = {
  @description('Days that a record can be neither overwritten nor deleted, by nobody. Unlocked, an owner of the account can shorten it; locked, it can only grow.')
  @minValue(1)
  @maxValue(146000)
  retentionDays: int

  @description('Name of the evidence account after lock-evidence.bicep has locked it; empty before. A deployment with another value here would ask Azure to unlock, which it refuses.')
  lockedAccount: string
}

@export()
@description('A user-assigned identity, as others need to know it.')
type identity = {
  @description('Id of the resource.')
  id: string

  @description('Client id (application id), which an SDK asks for.')
  clientId: string

  @description('Object id of its service principal, which roles are assigned to.')
  principalId: string
}

@export()
@description('A trust zone of the policy and the identity that works in it.')
type zone = {
  @description('The name of the zone.')
  name: string

  @description('Id of the identity.')
  id: string

  @description('Client id of the identity: vaults.<name>.identity in the policy.')
  clientId: string

  @description('Object id of its service principal, which roles are assigned to.')
  principalId: string
}
