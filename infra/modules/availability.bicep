// Asks /health/ready from outside, as a client would: database, isolation proof and secrets are then in order.
param name string
param location string
param tags object
param insightsId string
param url string
@description('Seconds between two questions of one location; each costs.')
@allowed([300, 900])
param every int
param actionGroupId string

var locations = every == 300
  ? [{ Id: 'us-va-ash-azr' }, { Id: 'emea-nl-ams-azr' }, { Id: 'apac-sg-sin-azr' }]
  : [{ Id: 'us-va-ash-azr' }]

resource test 'Microsoft.Insights/webtests@2022-06-15' = {
  name: name
  location: location
  tags: union(tags, { 'hidden-link:${insightsId}': 'Resource' })
  kind: 'standard'
  properties: {
    SyntheticMonitorId: name
    Name: name
    Kind: 'standard'
    Enabled: true
    Frequency: every
    Timeout: 60
    RetryEnabled: true
    Locations: locations
    Request: { RequestUrl: url, HttpVerb: 'GET', ParseDependentRequests: false, FollowRedirects: false }
    ValidationRules: { ExpectedHttpStatusCode: 200, SSLCheck: true, SSLCertRemainingLifetimeCheck: 7 }
  }
}

resource alert 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'alert-availability'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    severity: 1
    scopes: [test.id, insightsId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT30M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria'
      webTestId: test.id
      componentId: insightsId
      failedLocationCount: every == 300 ? 2 : 1
    }
    actions: [{ actionGroupId: actionGroupId }]
  }
}
