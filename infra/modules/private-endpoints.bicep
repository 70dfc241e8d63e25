// A private endpoint, with its name in DNS, for each service the function app uses.
param location string
param tags object
param networkId string
param subnetId string
param storageId string
param keyVaultId string
param postgresId string
param postgresName string
param openAiId string
@description('Empty: there is no Redis.')
param redisId string

module blob 'private-endpoint.bicep' = {
  name: 'endpoint-blob'
  params: {
    name: 'blob'
    location: location
    tags: tags
    networkId: networkId
    subnetId: subnetId
    targetId: storageId
    targetGroup: 'blob'
    zoneName: 'privatelink.blob.${environment().suffixes.storage}'
  }
}

module table 'private-endpoint.bicep' = {
  name: 'endpoint-table'
  params: {
    name: 'table'
    location: location
    tags: tags
    networkId: networkId
    subnetId: subnetId
    targetId: storageId
    targetGroup: 'table'
    zoneName: 'privatelink.table.${environment().suffixes.storage}'
  }
}

module vault 'private-endpoint.bicep' = {
  name: 'endpoint-vault'
  params: {
    name: 'vault'
    location: location
    tags: tags
    networkId: networkId
    subnetId: subnetId
    targetId: keyVaultId
    targetGroup: 'vault'
    zoneName: 'privatelink.vaultcore.azure.net'
  }
}

module postgres 'private-endpoint.bicep' = {
  name: 'endpoint-postgres'
  params: {
    name: postgresName // its own, because an endpoint cannot be turned to another server
    location: location
    tags: tags
    networkId: networkId
    subnetId: subnetId
    targetId: postgresId
    targetGroup: 'postgresqlServer'
    zoneName: 'privatelink.postgres.database.azure.com'
  }
}

module openai 'private-endpoint.bicep' = {
  name: 'endpoint-openai'
  params: {
    name: 'openai'
    location: location
    tags: tags
    networkId: networkId
    subnetId: subnetId
    targetId: openAiId
    targetGroup: 'account'
    zoneName: 'privatelink.openai.azure.com'
  }
}

module redis 'private-endpoint.bicep' = if (!empty(redisId)) {
  name: 'endpoint-redis'
  params: {
    name: 'redis'
    location: location
    tags: tags
    networkId: networkId
    subnetId: subnetId
    targetId: redisId
    targetGroup: 'redisEnterprise'
    zoneName: 'privatelink.redis.azure.net'
  }
}
