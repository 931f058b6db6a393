/** Variables of the server's environment that tell the plugin what the server does not load of opencode's catalogue. */

/** The file with the whole catalogue; OPENCODE_MODELS_PATH names the part to load. */
export const allModelsVariable = 'KUGETSU_ALL_MODELS'
/**
 * Set when providers that are configured or logged in to later are to be added to that part. A JSON list of the ids of the
 * providers with a login at the start of the server: what those logins can use is loaded already.
 */
export const addModelsVariable = 'KUGETSU_ADD_MODELS'
