import { authentication as authenticationType } from '../types.bicep'

// App Service authentication: nobody without a token of the tenant for the Entra application reaches the app, whatever keys they hold. So
// the host's own endpoints (/admin, /runtime/webhooks/durabletask) are closed to the outside as well. Who may have a token is decided in
// Entra: the application's service principal requires an assignment, and app roles say what a caller may do.

@description('Name of the Function App.')
@minLength(2)
@maxLength(60)
param functionAppName string

@description('The Entra application.')
param authentication authenticationType

@description('Whether Event Grid calls the app: then its path is open to callers without a token. They need the system key of the extension.')
param webhook bool

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: functionAppName

  resource settings 'config' = {
    name: 'authsettingsV2'
    properties: {
      platform: { enabled: true, runtimeVersion: '~1' }
      globalValidation: {
        requireAuthentication: true
        unauthenticatedClientAction: 'Return401'
        // Public keys, for everybody who checks a signature. That a star stands for the rest of the path is what the product's team has said
        // (azure-docs, issue 86514); no document does.
        // In Event Grid's path both spellings are in use, and whether capitals matter here is unconfirmed.
        excludedPaths: [
          '/api/jwks/*'
          ...(webhook ? ['/runtime/webhooks/eventgrid', '/runtime/webhooks/EventGrid'] : [])
        ]
      }
      httpSettings: { requireHttps: true }
      identityProviders: {
        azureActiveDirectory: {
          enabled: true
          registration: {
            clientId: authentication.clientId
            // Not every cloud ends the address of its login with a slash.
            openIdIssuer: uri(
              environment().authentication.loginEndpoint,
              '${authentication.?tenantId ?? tenant().tenantId}/v2.0'
            )
            // Not a secret: the name of the setting that holds the client id of the identity which the application trusts in place of one.
            clientSecretSettingName: 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'
          }
          validation: {
            // A token of version 2 names the application by its id, one of version 1 by its URI.
            allowedAudiences: [authentication.clientId, 'api://${authentication.clientId}']
          }
        }
      }
      // Nothing here signs people in and calls others for them, so no token is kept.
      login: { tokenStore: { enabled: false } }
    }
  }
}

@description('Paths that are open to callers without a token.')
output excludedPaths string[] = app::settings.properties.globalValidation.excludedPaths
