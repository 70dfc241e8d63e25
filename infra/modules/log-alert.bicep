// One alert on a query over Application Insights: too many rows or, with `measure`, too large a value in that column.
param name string
param location string
param tags object
param insightsId string
param title string
param query string
@description('Column that is compared; empty: the number of rows.')
param measure string = ''
@allowed(['GreaterThan', 'LessThan'])
param operator string = 'GreaterThan'
param threshold int
@allowed(['PT5M', 'PT15M', 'PT1H'])
param every string
@allowed(['PT15M', 'PT1H', 'PT3H'])
param window string
@minValue(0)
@maxValue(4)
param severity int
param actionGroupId string

resource alert 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: name
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: title
    enabled: true
    severity: severity
    scopes: [insightsId]
    evaluationFrequency: every
    windowSize: window
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: query
          metricMeasureColumn: empty(measure) ? null : measure
          timeAggregation: empty(measure) ? 'Count' : 'Maximum'
          operator: operator
          threshold: threshold
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    actions: { actionGroups: [actionGroupId] }
  }
}
