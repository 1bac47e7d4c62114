// What lami may see of the estate: a role of reads only, assigned to the app at the subscription.
targetScope = 'subscription'

param environmentName string
param principalId string

resource role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, 'lami reader', environmentName)
  properties: {
    // A role's name is unique in the whole directory.
    roleName: 'lami reader (${environmentName}, ${take(subscription().subscriptionId, 8)})'
    description: 'Reads role assignments, role definitions, and the identities and workflows of logic apps. Changes nothing.'
    type: 'CustomRole'
    assignableScopes: [subscription().id]
    permissions: [
      {
        actions: [
          'Microsoft.Authorization/roleAssignments/read'
          'Microsoft.Authorization/roleDefinitions/read'
          'Microsoft.Logic/workflows/read'
          'Microsoft.ManagedIdentity/userAssignedIdentities/read'
          'Microsoft.Resources/subscriptions/read'
          'Microsoft.Resources/subscriptions/resourceGroups/read'
          'Microsoft.Web/sites/read'
          'Microsoft.Web/sites/slots/read'
          'Microsoft.Web/sites/slots/workflows/read'
          'Microsoft.Web/sites/workflows/read'
        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
  }
}

resource grant 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(subscription().id, role.id, principalId)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: role.id
  }
}
