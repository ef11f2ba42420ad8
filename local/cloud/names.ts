export const subscriptionId = "22222222-2222-4222-8222-222222222222";
export const resourceGroup = "rg-contoso-orders-dev";
/** What ARM ids of the local cloud begin with. */
export const providers = `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}/providers`;
