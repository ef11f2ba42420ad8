// What the modules of monitoring share.

@export()
@description('An event hub that gets a copy of the diagnostics, such as the one a SIEM reads.')
type eventHub = {
  @description('Resource id of an authorization rule of the namespace with Send, Listen and Manage. Azure Monitor writes with it: diagnostic settings know no other way.')
  @minLength(1)
  authorizationRuleId: string
  @description('Name of the event hub. It must exist.')
  @minLength(1)
  @maxLength(256)
  name: string
}
