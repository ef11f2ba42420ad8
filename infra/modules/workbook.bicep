// The workbook of the operators.

@description('What the name is made of.')
@minLength(1)
param prefix string

@description('Region of the workbook.')
param location string

@description('Tags of every resource that is made here.')
param tags { *: string } = {}

@description('Resource id of the workspace that it reads.')
param workspaceId string

@description('Name of the function app: its lines carry it as AppRoleName.')
param functionAppName string

@description('Object ids (principal ids) of the identities of the app. Their reads of secrets are not unusual.')
param identityIds string[]
