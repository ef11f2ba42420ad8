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

@export()
@description('An alert rule on a query.')
type rule = {
  @description('Name of the rule and of its query.')
  name: string
  @description('The query, with its braces.')
  query: string
  @description('What it means and what to do first.')
  says: string
  @description('From 0, critical, to 4, verbose.')
  severity: 0 | 1 | 2 | 3 | 4
  @description('How often it is asked, ISO 8601.')
  every: string
  @description('The time that it is asked about, ISO 8601.')
  window: string
  @description('How far the query itself looks, where that is more than the window. Azure allows P2D at most.')
  back: string?
  @description('Columns whose values get an alert each.')
  each: string[]
  @description('How the rows are judged.')
  test: judgement
}

@export()
@description('How the rows of a query are judged: counted, or a column of theirs added up, against a fixed threshold or a learned one.')
type judgement = {
  @description('What is compared.')
  timeAggregation: 'Count' | 'Total'
  @description('The column that is added up.')
  column: string?
  @description('The fixed threshold: more than this is an alert.')
  threshold: int?
  @description('How little off the learned threshold is an alert, instead of a fixed one.')
  sensitivity: 'Low' | 'Medium' | 'High'?
}
