/** In the server's environment, for the plugin in it: what the server does not load of opencode's catalogue of models. */

/** Where all of the catalogue is; OPENCODE_MODELS_PATH is the part that is loaded. */
export const allModelsVariable = 'KUGETSU_ALL_MODELS'
/**
 * Set where a provider that is configured or logged in to later is to be added to that part: the providers that there was
 * a login to when the server was started, as a JSON list of ids. It has loaded what that login is good for.
 */
export const addModelsVariable = 'KUGETSU_ADD_MODELS'
