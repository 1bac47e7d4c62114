// Two storage accounts: lami's own, which no key opens, and the one for events that could not be delivered.

param location string
param tags object
param token string

// The function host's locks, the deployed package, and the table of books.
resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: 'stlami${token}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: {
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }

  resource blobs 'blobServices' = {
    name: 'default'

    resource package 'containers' = {
      name: 'package'
    }
  }

  resource tables 'tableServices' = {
    name: 'default'

    resource lami 'tables' = {
      name: 'lami'
    }
  }
}

// A subscription's system topic cannot have an identity, so Event Grid writes dead letters with an account key.
// Hence an account of its own: its key opens nothing but them.
// Assumption: the system topic of a subscription, at location global, still cannot have a managed identity.
resource deadLetters 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: 'stlamidl${token}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: {
    allowSharedKeyAccess: true
    allowBlobPublicAccess: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }

  resource blobs 'blobServices' = {
    name: 'default'

    resource undelivered 'containers' = {
      name: 'undelivered'
    }
  }
}

output name string = account.name
output packageContainerName string = account::blobs::package.name
output tableName string = account::tables::lami.name
output deadLetterId string = deadLetters.id
output deadLetterContainerName string = deadLetters::blobs::undelivered.name
