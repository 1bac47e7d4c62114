// lami in one subscription: the function app, what it may read, where it keeps what it knows, and the events
// that reach it. Deployed by `azd up`; the order is storage and app, then the code, then the events, because
// Event Grid only accepts a function that exists.
targetScope = 'subscription'

@minLength(1)
@maxLength(32)
@description('Name of the azd environment; names the resource group, and makes the other names unique.')
param environmentName string

@minLength(1)
@description('Region of the function app and its storage; it must offer Flex Consumption.')
@metadata({ azd: { type: 'location' } })
param location string

@secure()
@minLength(24)
@description('The key that the API and the page demand.')
@metadata({ azd: { type: 'generate', config: { length: 40, noSpecial: true } } })
param apiKey string

@secure()
@description('Teams Workflows webhook that alerts go to; empty for none.')
param teamsWebhookUrl string = ''

@description('Microsoft Graph, where lami may ask it, as https://graph.microsoft.com; empty for not at all. It takes Directory.Read.All, which an administrator grants (docs/reference.md).')
param graphEndpoint string = ''

@description('Whether the code is deployed, so that events can be sent to it; azure.yaml sets it after the deployment.')
param deliverEvents bool = false

@description('A subscription has at most one system topic: the one that stands already, or empty to create it.')
param existingSystemTopicName string = ''

@description('Resource group of the system topic that stands already.')
param existingSystemTopicResourceGroup string = ''

var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-lami-${environmentName}'
  location: location
  tags: tags
}

module storage 'storage.bicep' = {
  name: 'lami-storage'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
  }
}

module app 'app.bicep' = {
  name: 'lami-app'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    storageName: storage.outputs.name
    packageContainerName: storage.outputs.packageContainerName
    tableName: storage.outputs.tableName
    apiKey: apiKey
    teamsWebhookUrl: teamsWebhookUrl
    graphEndpoint: graphEndpoint
  }
}

module grants 'grants.bicep' = {
  name: 'lami-grants'
  scope: group
  params: {
    principalId: app.outputs.principalId
    storageName: storage.outputs.name
    insightsName: app.outputs.insightsName
  }
}

module reader 'reader.bicep' = {
  name: 'lami-reader'
  params: {
    environmentName: environmentName
    principalId: app.outputs.principalId
  }
}

module events 'events.bicep' = if (deliverEvents) {
  name: 'lami-events'
  scope: resourceGroup(empty(existingSystemTopicName) ? group.name : existingSystemTopicResourceGroup)
  params: {
    tags: tags
    existingSystemTopicName: existingSystemTopicName
    functionId: '${app.outputs.id}/functions/events'
    deadLetterStorageId: storage.outputs.deadLetterId
    deadLetterContainerName: storage.outputs.deadLetterContainerName
  }
}

output AZURE_RESOURCE_GROUP string = group.name
output LAMI_FUNCTION_APP string = app.outputs.name
output LAMI_PUBLIC_URL string = app.outputs.url
