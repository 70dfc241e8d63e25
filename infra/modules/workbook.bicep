// One page with the questions an operator asks, over Application Insights.
param location string
param tags object
param insightsId string

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(insightsId, 'operations')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Zava operations'
    category: 'workbook'
    sourceId: insightsId
    serializedData: loadTextContent('../workbook.json')
  }
}
