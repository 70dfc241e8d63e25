// The function app on Flex Consumption. It signs in everywhere as one of its two identities; no setting holds a key.
param token string
param location string
param tags object
param appIdentityId string
param appClientId string
param readerIdentityId string
param readerClientId string
param storageName string
param packageContainer string
param insightsConnectionString string
param keyVaultUrl string
@description('Subnet the app stands in; empty: none.')
param subnetId string
param maximumInstances int
param alwaysReady int
param postgresHost string
param postgresPort int
param databaseName string
param readerPool int
param appPool int
param callsInFlight int
param openAiEndpoint string
param embeddingDeployment string
param authEntraClientId string
param authScopes string
param allowedOrigins string
param workspaceId string

resource storage 'Microsoft.Storage/storageAccounts@2025-08-01' existing = { name: storageName }

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: 'plan-${token}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  name: 'func-mcp-${token}'
  location: location
  tags: union(tags, { 'azd-service-name': 'mcp' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${appIdentityId}': {}, '${readerIdentityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: appIdentityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: { minTlsVersion: '1.2', http20Enabled: true, ftpsState: 'Disabled' }
    functionAppConfig: {
      runtime: { name: 'python', version: '3.13' }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${packageContainer}'
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: appIdentityId }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: 2048
        maximumInstanceCount: maximumInstances
        alwaysReady: alwaysReady > 0 ? [{ name: 'http', instanceCount: alwaysReady }] : []
        triggers: { http: { perInstanceConcurrency: 16 } } // Python's default is 1: an instance for every call under way
      }
    }
  }

  resource settings 'config' = {
    name: 'appsettings'
    properties: union(
      {
        AzureWebJobsStorage__blobServiceUri: storage.properties.primaryEndpoints.blob
        AzureWebJobsStorage__tableServiceUri: storage.properties.primaryEndpoints.table
        AzureWebJobsStorage__credential: 'managedidentity'
        AzureWebJobsStorage__clientId: appClientId
        AzureWebJobsDisableHomepage: 'true'
        APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
        APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${appClientId};Authorization=AAD'
        AZURE_CLIENT_ID: appClientId
        AZURE_READER_CLIENT_ID: readerClientId
        AZURE_KEY_VAULT_URL: keyVaultUrl
        POSTGRES_HOST: postgresHost
        POSTGRES_PORT: string(postgresPort)
        POSTGRES_DATABASE: databaseName
        POSTGRES_AUTH: 'entra'
        POSTGRES_SSLMODE: 'verify-full'
        POSTGRES_READER_POOL_MAX: string(readerPool)
        POSTGRES_APP_POOL_MAX: string(appPool)
        CALLS_IN_FLIGHT_PER_PRINCIPAL: string(callsInFlight)
        EMBEDDER: 'azure'
        AZURE_OPENAI_ENDPOINT: openAiEndpoint
        EMBEDDING_MODEL_DEPLOYMENT_NAME: embeddingDeployment
        EMBEDDING_REFRESH_SCHEDULE: '0 0 * * * *'
        MCP_ALLOWED_ORIGINS: allowedOrigins
      },
      empty(authEntraClientId)
        ? {}
        : {
            AUTH_ENTRA_TENANT_ID: tenant().tenantId
            AUTH_ENTRA_CLIENT_ID: authEntraClientId
            AUTH_SCOPES: authScopes
          }
    )
  }
}

resource metrics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'metrics'
  scope: app
  properties: { workspaceId: workspaceId, metrics: [{ category: 'AllMetrics', enabled: true }] }
}

output name string = app.name
output url string = 'https://${app.properties.defaultHostName}'
