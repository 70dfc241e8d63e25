// Azure OpenAI without keys, and one embedding model of a fixed version: a changed one would quietly make the stored
// vectors worthless. docs/operations.md tells what to do before the model retires.
param name string
param location string
param tags object
@description('Reachable through a private endpoint only.')
param private bool
@description('Thousands of tokens a minute.')
param capacity int
param workspaceId string

resource account 'Microsoft.CognitiveServices/accounts@2025-12-01' = {
  name: name
  location: location
  tags: tags
  kind: 'OpenAI'
  sku: { name: 'S0' }
  properties: {
    customSubDomainName: name // sign-in by Entra ID needs a host name of its own
    disableLocalAuth: true
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    networkAcls: { defaultAction: private ? 'Deny' : 'Allow' }
  }

  resource embedding 'deployments' = {
    name: 'text-embedding-3-small'
    sku: { name: 'GlobalStandard', capacity: capacity }
    properties: {
      model: { format: 'OpenAI', name: 'text-embedding-3-small', version: '1' }
      versionUpgradeOption: 'NoAutoUpgrade'
    }
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: account
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'Audit', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

output id string = account.id
output name string = account.name
output endpoint string = account.properties.endpoint
output embeddingDeployment string = account::embedding.name
