// The function app on Flex Consumption, with an identity instead of keys, and its logs.

param location string
param tags object
param token string
param storageName string
param packageContainerName string
param tableName string

@secure()
param apiKey string

@secure()
param teamsWebhookUrl string

param graphEndpoint string

var name = 'func-lami-${token}'

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageName
}

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: 'log-lami-${token}'
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: 30
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-lami-${token}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
  }
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: 'plan-lami-${token}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

var settings = [
  { name: 'AzureWebJobsStorage__accountName', value: storage.name }
  { name: 'AzureWebJobsStorage__credential', value: 'managedidentity' }
  { name: 'APPLICATIONINSIGHTS_CONNECTION_STRING', value: insights.properties.ConnectionString }
  { name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING', value: 'Authorization=AAD' }
  { name: 'LAMI_STORE', value: 'https://${storage.name}.table.${environment().suffixes.storage}' }
  { name: 'LAMI_TABLE', value: tableName }
  { name: 'LAMI_SUBSCRIPTIONS', value: subscription().subscriptionId }
  { name: 'LAMI_AUTH', value: 'key' }
  { name: 'LAMI_API_KEY', value: apiKey }
  { name: 'LAMI_PUBLIC_URL', value: 'https://${name}.azurewebsites.net' }
]
var channelSettings = empty(teamsWebhookUrl) ? [] : [
  { name: 'LAMI_TEAMS_WEBHOOK_URL', value: teamsWebhookUrl }
]

var graphSettings = empty(graphEndpoint) ? [] : [
  { name: 'LAMI_GRAPH_ENDPOINT', value: graphEndpoint }
]

resource site 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'lami' })
  kind: 'functionapp,linux'
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: 'https://${storage.name}.blob.${environment().suffixes.storage}/${packageContainerName}'
          authentication: { type: 'SystemAssignedIdentity' }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: 2048
        maximumInstanceCount: 40
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      appSettings: concat(settings, channelSettings, graphSettings)
    }
  }
}

output id string = site.id
output name string = site.name
output insightsName string = insights.name
output principalId string = site.identity.principalId
output url string = 'https://${site.properties.defaultHostName}'
