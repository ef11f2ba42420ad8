targetScope = 'subscription'

// Azure Policy: what a vault and its objects must have, as one initiative of built-in definitions and one of ours for SKUs.

@description('What every name is made of.')
@minLength(1)
param prefix string

@description('What a violation does. `Audit` reports it, `Deny` refuses the write, `Disabled` assigns and does nothing.')
@allowed(['Audit', 'Deny', 'Disabled'])
param effect string = 'Audit'

@description('Name of the resource group that the initiative is assigned to. Empty: to the subscription.')
param resourceGroupName string = ''

@description('Whether vaults are meant to be private: without it the rules on public access report and never refuse.')
param private bool = false
