/**
 * App settings that the platform reads and the deployment sets. Pinion reads none of them, but for the two that tell which identity the host
 * opens its storage with (they are compared with AZURE_CLIENT_ID). No value is a secret.
 */
export const platformSettingNames = [
  "AzureWebJobsStorage__credential",
  "AzureWebJobsStorage__clientId",
  "APPLICATIONINSIGHTS_CONNECTION_STRING",
  "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
  "DURABLE_TASK_SCHEDULER_CONNECTION_STRING",
  "TASKHUB_NAME",
  "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID",
  "FUNCTIONS_EXTENSION_VERSION",
  "FUNCTIONS_WORKER_RUNTIME",
  "WEBSITE_RUN_FROM_PACKAGE",
  "WEBSITE_RUN_FROM_PACKAGE_BLOB_MI_RESOURCE_ID",
] as const;
