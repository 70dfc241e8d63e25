// The database server: Entra ID only, TLS only, one extension. Private endpoints rather than an injected network,
// because public access can be opened for the deployment and closed again only on such a server.
param name string
param location string
param tags object
@description('General Purpose with the built-in pooler and a standby in another zone, without public access.')
param production bool
param administratorId string
@allowed(['User', 'ServicePrincipal', 'Group'])
param administratorType string
param databaseName string
param backupRetentionDays int
@allowed(['Enabled', 'Disabled'])
param geoRedundantBackup string
param workspaceId string

var administratorName = 'deployer-${uniqueString(administratorId)}'
// 15 of them are the platform's own. The burstable server is given more than its default of 50, because a fleet at the
// platform's minimum of 40 instances needs 123; it takes a restart, which the deployment's hook does.
var maxConnections = production ? 859 : 175
var parameters = concat(
  [
    { name: 'azure.extensions', value: 'VECTOR' }
    { name: 'require_secure_transport', value: 'ON' }
    { name: 'ssl_min_protocol_version', value: 'TLSv1.2' }
    { name: 'idle_in_transaction_session_timeout', value: '60000' }
    // A failed statement is a tenant's SQL: its text and its values stay out of the log.
    { name: 'log_min_error_statement', value: 'panic' }
    { name: 'log_parameter_max_length', value: '0' }
    { name: 'log_parameter_max_length_on_error', value: '0' }
    { name: 'log_error_verbosity', value: 'terse' }
    { name: 'log_disconnections', value: 'on' }
    { name: 'max_connections', value: string(maxConnections) }
  ],
  production
    ? [
        { name: 'pgbouncer.enabled', value: 'true' }
        { name: 'pgbouncer.pool_mode', value: 'transaction' }
        { name: 'pgbouncer.default_pool_size', value: '50' }
        { name: 'pgbouncer.max_client_conn', value: '5000' }
        // The app prepares statements, and the pooler has to carry them over from one server connection to the next.
        { name: 'pgbouncer.max_prepared_statements', value: '200' }
        { name: 'metrics.pgbouncer_diagnostics', value: 'on' }
      ]
    : []
)

resource server 'Microsoft.DBforPostgreSQL/flexibleServers@2025-08-01' = {
  name: name
  location: location
  tags: tags
  sku: production
    ? { name: 'Standard_D2ds_v5', tier: 'GeneralPurpose' }
    : { name: 'Standard_B1ms', tier: 'Burstable' }
  properties: {
    version: '17'
    authConfig: { activeDirectoryAuth: 'Enabled', passwordAuth: 'Disabled', tenantId: tenant().tenantId }
    storage: { storageSizeGB: production ? 128 : 32, autoGrow: 'Enabled' }
    backup: { backupRetentionDays: backupRetentionDays, geoRedundantBackup: geoRedundantBackup }
    highAvailability: { mode: production ? 'ZoneRedundant' : 'Disabled' }
    network: { publicNetworkAccess: production ? 'Disabled' : 'Enabled' }
    maintenanceWindow: { customWindow: 'Enabled', dayOfWeek: 0, startHour: 3, startMinute: 0 }
  }
}

// One after another from here on: the server refuses changes that come together (ServerIsBusy).
resource administrator 'Microsoft.DBforPostgreSQL/flexibleServers/administrators@2025-08-01' = {
  parent: server
  name: administratorId
  properties: { principalName: administratorName, principalType: administratorType, tenantId: tenant().tenantId }
}

// Without a private network the function app comes from any of Azure's addresses. Such a caller still needs a token of
// one of the two identities.
resource azureServices 'Microsoft.DBforPostgreSQL/flexibleServers/firewallRules@2025-08-01' = if (!production) {
  parent: server
  name: 'azure-services'
  properties: { startIpAddress: '0.0.0.0', endIpAddress: '0.0.0.0' }
  dependsOn: [administrator]
}

resource database 'Microsoft.DBforPostgreSQL/flexibleServers/databases@2025-08-01' = {
  parent: server
  name: databaseName
  properties: { charset: 'UTF8', collation: 'en_US.utf8' }
  dependsOn: [administrator, azureServices]
}

@batchSize(1)
resource parameter 'Microsoft.DBforPostgreSQL/flexibleServers/configurations@2025-08-01' = [
  for setting in parameters: {
    parent: server
    name: setting.name
    properties: { value: setting.value, source: 'user-override' }
    dependsOn: [database]
  }
]

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'logs'
  scope: server
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'PostgreSQLLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
  dependsOn: [parameter]
}

output id string = server.id
output name string = server.name
output host string = server.properties.fullyQualifiedDomainName
output administratorName string = administratorName
