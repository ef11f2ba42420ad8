// The workbook of the operators: `infra/workbook.json`, in which each query is named by its file. The text of the file takes its place here.

@description('What the workbook is told apart by, and shown as: "Pinion <prefix>".')
@minLength(1)
param prefix string

@description('Region of the workbook.')
param location string

@description('Tags of every resource that is made here.')
param tags { *: string } = {}

@description('Resource id of the workspace that it reads.')
@minLength(1)
param workspaceId string

@description('Name of the function app: its lines carry it as AppRoleName.')
@minLength(1)
param functionAppName string

@description('Object ids (principal ids) of the identities of the app. Their calls are told apart from those of others.')
@minLength(1)
param identityIds string[]

@description('Object ids of callers that may read a secret at any time, as the alerts know them.')
param knownReaderIds string[] = []

@description('What a query says in braces, and what stands for it.')
var replacements = {
  '{app}': functionAppName
  '{identities}': join(identityIds, ',')
  '{known}': join(knownReaderIds, ',')
  '{before}': '14d'
}

@description('The queries by the name of their file.')
var queries = {
  'workbook/overdue.kql': loadTextContent('../workbook/overdue.kql')
  'workbook/due.kql': loadTextContent('../workbook/due.kql')
  'workbook/sweeps.kql': loadTextContent('../workbook/sweeps.kql')
  'workbook/rotations-by-outcome.kql': loadTextContent('../workbook/rotations-by-outcome.kql')
  'workbook/unfinished-rotations.kql': loadTextContent('../workbook/unfinished-rotations.kql')
  'workbook/held-rotations.kql': loadTextContent('../workbook/held-rotations.kql')
  'alerts/pins-drifted.kql': loadTextContent('../alerts/pins-drifted.kql')
  'workbook/faults-by-code.kql': loadTextContent('../workbook/faults-by-code.kql')
  'workbook/events-handled.kql': loadTextContent('../workbook/events-handled.kql')
  'workbook/vault-calls.kql': loadTextContent('../workbook/vault-calls.kql')
  'alerts/unusual-reads.kql': loadTextContent('../alerts/unusual-reads.kql')
}

@description('The workbook with the names of files.')
var source = loadJsonContent('../workbook.json')

@description('The items, with the text of each query.')
var filled = map(
  source.items,
  item =>
    item.type != 3
      ? item
      : {
          ...item
          content: {
            ...item.content
            query: reduce(
              items(replacements),
              queries[item.content.query],
              (text, pair) => replace(text, pair.key, pair.value)
            )
          }
        }
)

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'pinion', prefix)
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Pinion ${prefix}'
    category: 'workbook'
    version: source.version
    sourceId: workspaceId
    serializedData: string({ ...source, items: filled, fallbackResourceIds: [workspaceId] })
  }
}

@description('Resource id of the workbook.')
output id string = workbook.id
