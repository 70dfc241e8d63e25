// What wakes somebody: docs/operations.md says for each alert what to do.
param location string
param tags object
param email string
param insightsId string
param postgresId string
param openAiId string
param healthUrl string
@description('The database stands behind its pooler.')
param pooled bool
@description('Connections of the database beyond which somebody should look: four fifths of what the two logins may have.')
param connectionsAlert int
@allowed(['PT5M', 'PT15M'])
param alertEvery string
@allowed([300, 900])
param availabilityEvery int

var postgresMetrics = 'Microsoft.DBforPostgreSQL/flexibleServers'

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-zava'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'zava'
    enabled: true
    emailReceivers: [{ name: 'operator', emailAddress: email, useCommonAlertSchema: true }]
  }
}

module availability 'availability.bicep' = {
  name: 'alert-availability'
  params: {
    name: 'availability-zava'
    location: location
    tags: tags
    insightsId: insightsId
    url: healthUrl
    every: availabilityEvery
    actionGroupId: group.id
  }
}

module serverErrors 'log-alert.bicep' = {
  name: 'alert-server-errors'
  params: {
    name: 'alert-server-errors'
    location: location
    tags: tags
    insightsId: insightsId
    title: 'Zava answers with 5xx'
    query: loadTextContent('../queries/server-errors.kql')
    threshold: 5
    every: alertEvery
    window: 'PT15M'
    severity: 2
    actionGroupId: group.id
  }
}

module slowCalls 'log-alert.bicep' = {
  name: 'alert-slow-calls'
  params: {
    name: 'alert-slow-calls'
    location: location
    tags: tags
    insightsId: insightsId
    title: 'One call in twenty takes longer than five seconds'
    query: loadTextContent('../queries/slow-calls.kql')
    measure: 'p95'
    threshold: 5000
    every: alertEvery
    window: 'PT15M'
    severity: 3
    actionGroupId: group.id
  }
}

module isolation 'log-alert.bicep' = {
  name: 'alert-isolation'
  params: {
    name: 'alert-isolation'
    location: location
    tags: tags
    insightsId: insightsId
    title: 'Isolation is not proved: tenant data is not served'
    query: loadTextContent('../queries/isolation-refused.kql')
    threshold: 0
    every: alertEvery
    window: 'PT15M'
    severity: 0
    actionGroupId: group.id
  }
}

module signIns 'log-alert.bicep' = {
  name: 'alert-sign-ins'
  params: {
    name: 'alert-sign-ins'
    location: location
    tags: tags
    insightsId: insightsId
    title: 'Many calls are refused for their token'
    query: loadTextContent('../queries/refused-sign-ins.kql')
    measure: 'refused'
    threshold: 100
    every: alertEvery
    window: 'PT15M'
    severity: 2
    actionGroupId: group.id
  }
}

module refreshFailed 'log-alert.bicep' = {
  name: 'alert-refresh-failed'
  params: {
    name: 'alert-refresh-failed'
    location: location
    tags: tags
    insightsId: insightsId
    title: 'The embedding refresh fails'
    query: loadTextContent('../queries/refresh-failed.kql')
    threshold: 0
    every: 'PT1H'
    window: 'PT1H'
    severity: 3
    actionGroupId: group.id
  }
}

module refreshLate 'log-alert.bicep' = {
  name: 'alert-refresh-late'
  params: {
    name: 'alert-refresh-late'
    location: location
    tags: tags
    insightsId: insightsId
    title: 'The embedding refresh has not run for three hours'
    query: loadTextContent('../queries/refresh-runs.kql')
    operator: 'LessThan'
    threshold: 1
    every: 'PT1H'
    window: 'PT3H'
    severity: 3
    actionGroupId: group.id
  }
}

module databaseConnections 'metric-alert.bicep' = {
  name: 'alert-database-connections'
  params: {
    name: 'alert-database-connections'
    tags: tags
    scopeId: postgresId
    namespace: postgresMetrics
    metric: 'active_connections'
    aggregation: 'Maximum'
    threshold: connectionsAlert
    severity: 1
    actionGroupId: group.id
  }
}

module databaseRefusals 'metric-alert.bicep' = {
  name: 'alert-database-refusals'
  params: {
    name: 'alert-database-refusals'
    tags: tags
    scopeId: postgresId
    namespace: postgresMetrics
    metric: 'connections_failed'
    aggregation: 'Total'
    threshold: 10
    severity: 2
    actionGroupId: group.id
  }
}

module databaseProcessor 'metric-alert.bicep' = {
  name: 'alert-database-processor'
  params: {
    name: 'alert-database-processor'
    tags: tags
    scopeId: postgresId
    namespace: postgresMetrics
    metric: 'cpu_percent'
    aggregation: 'Average'
    threshold: 85
    severity: 2
    actionGroupId: group.id
  }
}

module databaseStorage 'metric-alert.bicep' = {
  name: 'alert-database-storage'
  params: {
    name: 'alert-database-storage'
    tags: tags
    scopeId: postgresId
    namespace: postgresMetrics
    metric: 'storage_percent'
    aggregation: 'Maximum'
    threshold: 85
    severity: 2
    actionGroupId: group.id
  }
}

module poolerQueue 'metric-alert.bicep' = if (pooled) {
  name: 'alert-pooler-queue'
  params: {
    name: 'alert-pooler-queue'
    tags: tags
    scopeId: postgresId
    namespace: postgresMetrics
    metric: 'client_connections_waiting'
    aggregation: 'Average'
    threshold: 20
    severity: 2
    actionGroupId: group.id
  }
}

module embeddingErrors 'metric-alert.bicep' = {
  name: 'alert-embedding-errors'
  params: {
    name: 'alert-embedding-errors'
    tags: tags
    scopeId: openAiId
    namespace: 'Microsoft.CognitiveServices/accounts'
    metric: 'ClientErrors'
    aggregation: 'Total'
    threshold: 20
    severity: 3
    actionGroupId: group.id
  }
}
