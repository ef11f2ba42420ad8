// Who is told, and of what.

@description('What every name is made of: ag-<prefix>, alert-<prefix>-<rule>.')
@minLength(1)
@maxLength(50)
param prefix string

@description('Region of the rules. It must be the region of the workspace.')
param location string

@description('Tags of every resource that is made here.')
param tags { *: string } = {}

@description('Resource id of the workspace whose logs are read.')
param workspaceId string

@description('Name of the function app: its lines carry it as AppRoleName.')
param functionAppName string

@description('Object ids (principal ids) of the identities of the app. Their reads of secrets are not unusual.')
param identityIds string[]

@description('Addresses that get a mail for each alert.')
param emails string[] = []

@description('Resource ids of further action groups to call: a chat, a pager, a ticket system.')
param actionGroupIds string[] = []

@description('Resource ids of the Event Grid system topics of onboarded vaults. Each gets an alert on events that it gave up on.')
param systemTopicIds string[] = []

@description('Hours after which a rotation that is not over counts as stuck. Longer than the longest `grace` of the policy.')
@minValue(1)
@maxValue(2160)
param stuckAfterHours int = 192

@description('Whether the app has a health check on its plan (health check path set): not on Flex Consumption.')
param healthCheck bool = false

@description('Whether the rules run. False keeps them for a look.')
param enabled bool = true
