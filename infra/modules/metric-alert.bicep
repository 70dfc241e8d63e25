// One alert on one metric of one resource, looked at every five minutes over fifteen.
param name string
param tags object
param scopeId string
param namespace string
param metric string
@allowed(['Average', 'Maximum', 'Total'])
param aggregation string
param threshold int
@minValue(0)
@maxValue(4)
param severity int
param actionGroupId string

resource alert 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: name
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    severity: severity
    scopes: [scopeId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: metric
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: namespace
          metricName: metric
          operator: 'GreaterThan'
          threshold: threshold
          timeAggregation: aggregation
        }
      ]
    }
    actions: [{ actionGroupId: actionGroupId }]
  }
}
