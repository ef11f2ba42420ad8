// The types of onboard.bicep's parameters, and the id of a custom role.

@export()
@description('One role at one place, as `npm run pinion -- onboard` writes it.')
type grant = {
  @description('Key of the role in infra/roles.json.')
  @minLength(1)
  role: string
  @description('ARM id of the resource, the resource group or the subscription at which it is assigned; in any subscription of the tenant.')
  @minLength(51)
  scope: string
  @description('Whose it is: client id of a trust zone\'s identity, as the policy names it. Default: the app\'s own identity.')
  @minLength(36)
  @maxLength(36)
  identity: string?
}

@export()
@description('Object ids (principal ids) of the identities that work in the vault.')
type principals = {
  @description('The app\'s own identity.')
  @minLength(36)
  @maxLength(36)
  app: string
  @description('The identity of a trust zone, by its client id in lower case.')
  *: string
}

@export()
@description('Where the events of the vault go.')
@discriminator('by')
type delivery = queueDelivery | webhookDelivery

@export()
@description('Into a storage queue, with the identity of the system topic. Works with private networks, and outlives an outage of the app.')
type queueDelivery = {
  @description('The way.')
  by: 'queue'
  @description('ARM id of the app\'s storage account; PINION_EVENTS_STORAGE_ID of main.bicep.')
  @minLength(100)
  storageId: string
  @description('Name of the queue; PINION_EVENTS_QUEUE of main.bicep.')
  @minLength(3)
  @maxLength(63)
  queue: string
}

@export()
@description('Straight to the Event Grid trigger of the app, which must be deployed first and reachable from the internet.')
type webhookDelivery = {
  @description('The way.')
  by: 'webhook'
  @description('ARM id of the Function App; AZURE_FUNCTION_APP_ID of main.bicep.')
  @minLength(90)
  functionAppId: string
}

@export()
@description('Where events go that could not be delivered.')
type deadLetter = {
  @description('ARM id of the storage account.')
  @minLength(100)
  storageId: string
  @description('Name of the container; PINION_DEAD_LETTER_CONTAINER of main.bicep.')
  @minLength(3)
  @maxLength(63)
  container: string
}

@export()
@description('Tags of resources: name and value.')
type tags = {
  @description('The value of the tag that the property names.')
  *: string
}

@export()
@description('The name, a GUID, of a custom role of Pinion in a subscription.')
func roleIdOf(subscriptionId string, key string) string =>
  guid('/subscriptions/${toLower(subscriptionId)}', 'pinion', key)

@export()
@description('The id of the resource group that an ARM id is in, in lower case.')
func groupOf(id string) string => toLower(join(take(split(id, '/'), 5), '/'))
