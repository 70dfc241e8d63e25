// Everything Zava needs in one resource group, in one of two sizes. No registry modules, so that every line can be
// checked without the network. docs/deployment.md explains the parameters, the roles and the cost.
targetScope = 'subscription'

metadata description = 'Zava: a remote MCP server on Azure Functions, over one PostgreSQL database shared by many tenants.'

@minLength(1)
@maxLength(24)
@description('Name of the azd environment; every resource name is made from it.')
param environmentName string
@metadata({ azd: { type: 'location' } })
@description('Region. It must offer Flex Consumption, PostgreSQL flexible server and text-embedding-3-small.')
param location string
@description('Object id of whoever deploys: administrator of PostgreSQL, and keeper of the secrets in the vault.')
param principalId string
@description('What that object is. A pipeline deploys as a service principal.')
@allowed(['User', 'ServicePrincipal', 'Group'])
param principalType string = 'User'
@description('small: about 20 USD a month. production: private network, a standby in another zone, a pooler, one warm instance.')
@allowed(['small', 'production'])
param profile string = 'small'
@description('Client id of the app registration in Entra ID. Empty: only tokens of the operator\'s key pair are accepted.')
param authEntraClientId string = ''
@description('Full names of the scopes clients ask for, space separated. Empty: Zava\'s own short names.')
param authScopes string = ''
@description('Browser origins that may call, comma separated.')
param allowedOrigins string = ''
@description('A Redis that shares cached answers between instances. Its address goes into the vault and nowhere else.')
param redis bool = false
@description('Who gets alerts and budget mails. Empty: neither alerts nor a budget.')
param alertEmail string = ''
@description('Monthly budget in the currency of the subscription; it informs, it stops nothing.')
@minValue(1)
param monthlyBudget int = 50
@description('First day of the month in which the budget begins; it cannot be changed afterwards.')
param budgetStart string = utcNow('yyyy-MM-01')
@description('Days back to which the database can be restored.')
@minValue(7)
@maxValue(35)
param backupRetentionDays int = 14
@description('Name of the database server. Empty: made from the environment\'s. After a restore it is the copy\'s name.')
param databaseServer string = ''
@description('Copies of the backups in the paired region. Can only be chosen when the server is made.')
@allowed(['Enabled', 'Disabled'])
param geoRedundantBackup string = profile == 'production' ? 'Enabled' : 'Disabled'

var production = profile == 'production'
var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }
var databaseName = 'zava'

// The connection budget, in one place (docs/scaling.md; tests/infra/test_connection_budget.py):
// (maximumInstances + alwaysReady + 1 for the timer) x (readerPool + appPool) <= what the database or its pooler admits.
// 40 instances are the least the platform has been seen to accept. The logins' own limits stop a fleet that has grown
// past its maximum, as fleets have been seen to do, before it takes the administrator's connections too.
var size = production
  ? {
      maximumInstances: 100
      alwaysReady: 1
      readerPool: 6
      appPool: 2
      callsInFlight: 2
      postgresPort: 6432
      readerConnectionLimit: 60
      appConnectionLimit: 60
      connectionsAlert: 96
      embeddingCapacity: 120
      dailyLogGb: 5
      alertEvery: 'PT5M'
      availabilityEvery: 300
    }
  : {
      maximumInstances: 40
      alwaysReady: 0
      readerPool: 2
      appPool: 1
      callsInFlight: 1
      postgresPort: 5432
      readerConnectionLimit: 82
      appConnectionLimit: 41
      connectionsAlert: 98
      embeddingCapacity: 30
      dailyLogGb: 1
      alertEvery: 'PT15M'
      availabilityEvery: 900
    }

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module identities 'modules/identities.bicep' = {
  name: 'identities'
  scope: group
  params: { token: token, location: location, tags: tags }
}

module network 'modules/network.bicep' = if (production) {
  name: 'network'
  scope: group
  params: { name: 'vnet-${token}', location: location, tags: tags }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: { token: token, location: location, tags: tags, dailyLogGb: size.dailyLogGb }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'st${token}'
    location: location
    tags: tags
    private: production
    workspaceId: monitoring.outputs.workspaceId
  }
}

module keyVault 'modules/key-vault.bicep' = {
  name: 'key-vault'
  scope: group
  params: {
    name: 'kv-${token}'
    location: location
    tags: tags
    private: production
    purgeProtection: production
    workspaceId: monitoring.outputs.workspaceId
  }
}

module postgres 'modules/postgres.bicep' = {
  name: 'postgres'
  scope: group
  params: {
    name: empty(databaseServer) ? 'psql-${token}' : databaseServer
    location: location
    tags: tags
    production: production
    administratorId: principalId
    administratorType: principalType
    databaseName: databaseName
    backupRetentionDays: backupRetentionDays
    geoRedundantBackup: geoRedundantBackup
    workspaceId: monitoring.outputs.workspaceId
  }
}

module openai 'modules/openai.bicep' = {
  name: 'openai'
  scope: group
  params: {
    name: 'oai-${token}'
    location: location
    tags: tags
    private: production
    capacity: size.embeddingCapacity
    workspaceId: monitoring.outputs.workspaceId
  }
}

module sharedCache 'modules/redis.bicep' = if (redis) {
  name: 'redis'
  scope: group
  params: {
    name: 'redis-${token}'
    location: location
    tags: tags
    private: production
    keyVaultName: keyVault.outputs.name
    workspaceId: monitoring.outputs.workspaceId
  }
}

module roles 'modules/roles.bicep' = {
  name: 'roles'
  scope: group
  params: {
    appPrincipalId: identities.outputs.appPrincipalId
    deployerId: principalId
    deployerType: principalType
    storageName: storage.outputs.name
    keyVaultName: keyVault.outputs.name
    openAiName: openai.outputs.name
    insightsName: monitoring.outputs.insightsName
  }
}

module privateNetwork 'modules/private-endpoints.bicep' = if (production) {
  name: 'private-endpoints'
  scope: group
  params: {
    location: location
    tags: tags
    networkId: network!.outputs.id
    subnetId: network!.outputs.endpointSubnetId
    storageId: storage.outputs.id
    keyVaultId: keyVault.outputs.id
    postgresId: postgres.outputs.id
    postgresName: postgres.outputs.name
    openAiId: openai.outputs.id
    redisId: redis ? sharedCache!.outputs.id : ''
  }
}

module app 'modules/function-app.bicep' = {
  name: 'function-app'
  scope: group
  dependsOn: [roles, privateNetwork, sharedCache]
  params: {
    token: token
    location: location
    tags: tags
    appIdentityId: identities.outputs.appId
    appClientId: identities.outputs.appClientId
    readerIdentityId: identities.outputs.readerId
    readerClientId: identities.outputs.readerClientId
    storageName: storage.outputs.name
    packageContainer: storage.outputs.packageContainer
    insightsConnectionString: monitoring.outputs.connectionString
    keyVaultUrl: keyVault.outputs.url
    subnetId: production ? network!.outputs.appSubnetId : ''
    maximumInstances: size.maximumInstances
    alwaysReady: size.alwaysReady
    postgresHost: postgres.outputs.host
    postgresPort: size.postgresPort
    databaseName: databaseName
    readerPool: size.readerPool
    appPool: size.appPool
    callsInFlight: size.callsInFlight
    openAiEndpoint: openai.outputs.endpoint
    embeddingDeployment: openai.outputs.embeddingDeployment
    authEntraClientId: authEntraClientId
    authScopes: authScopes
    allowedOrigins: allowedOrigins
    workspaceId: monitoring.outputs.workspaceId
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  scope: group
  params: { location: location, tags: tags, insightsId: monitoring.outputs.insightsId }
}

module alerts 'modules/alerts.bicep' = if (!empty(alertEmail)) {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: tags
    email: alertEmail
    insightsId: monitoring.outputs.insightsId
    postgresId: postgres.outputs.id
    openAiId: openai.outputs.id
    healthUrl: '${app.outputs.url}/health/ready'
    pooled: production
    connectionsAlert: size.connectionsAlert
    alertEvery: size.alertEvery
    availabilityEvery: size.availabilityEvery
  }
}

module budget 'modules/budget.bicep' = if (!empty(alertEmail)) {
  name: 'budget'
  scope: group
  params: { amount: monthlyBudget, startDate: budgetStart, email: alertEmail }
}

output AZURE_RESOURCE_GROUP string = group.name
output AZURE_LOCATION string = location
output AZURE_TENANT_ID string = tenant().tenantId
output AZURE_KEY_VAULT_NAME string = keyVault.outputs.name
output AZURE_KEY_VAULT_URL string = keyVault.outputs.url
output AZURE_OPENAI_ENDPOINT string = openai.outputs.endpoint
output EMBEDDING_MODEL_DEPLOYMENT_NAME string = openai.outputs.embeddingDeployment
output POSTGRES_HOST string = postgres.outputs.host
output POSTGRES_SERVER_NAME string = postgres.outputs.name
output POSTGRES_DATABASE string = databaseName
output POSTGRES_ADMIN_USER string = postgres.outputs.administratorName
output POSTGRES_READER_CONNECTION_LIMIT int = size.readerConnectionLimit
output POSTGRES_APP_CONNECTION_LIMIT int = size.appConnectionLimit
output APP_IDENTITY_OBJECT_ID string = identities.outputs.appPrincipalId
output READER_IDENTITY_OBJECT_ID string = identities.outputs.readerPrincipalId
output SERVICE_MCP_NAME string = app.outputs.name
output SERVICE_MCP_ENDPOINT_URL string = '${app.outputs.url}/mcp'
output PRIVATE_NETWORKING bool = production
