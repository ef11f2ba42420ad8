// An assignment of the initiative to one resource group.

@description('Name of the assignment.')
@minLength(1)
@maxLength(64)
param name string

@description('What it is shown as.')
param displayName string

@description('Resource id of the initiative.')
@minLength(1)
param initiativeId string

@description('What a refused writer reads.')
param messages message[]

@description('A sentence, for one definition of the initiative or for all.')
type message = {
  @description('The sentence.')
  message: string
  @description('The reference of the definition. Absent: all.')
  policyDefinitionReferenceId: string?
}

resource assignment 'Microsoft.Authorization/policyAssignments@2026-07-01' = {
  name: name
  properties: {
    displayName: displayName
    policyDefinitionId: initiativeId
    enforcementMode: 'Default'
    nonComplianceMessages: messages
  }
}

@description('Resource id of the assignment.')
output id string = assignment.id
