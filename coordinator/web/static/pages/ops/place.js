/**
 * Where somebody is on this page. All of it stands in the query, so that a link shows the same to
 * whoever opens it; the key never does.
 */

/**
 * @typedef {"overview" | "uploads" | "upload" | "jobs" | "health" | "audit" | "tenants"} ViewName
 * @typedef {Record<string, string | null | undefined>} Params
 */

/** @type {readonly ViewName[]} */
const NAMED = ["uploads", "jobs", "health", "audit", "tenants"];

/**
 * @param {URLSearchParams} query
 * @returns {ViewName}
 */
export function viewOf(query) {
  if (query.has("upload")) return "upload";
  const named = NAMED.find((name) => name === query.get("view"));
  return named ?? "overview";
}

/**
 * @param {ViewName} view
 * @param {Params} [params] those that are null, undefined or empty are left out
 * @returns {string}
 */
export function linkTo(view, params = {}) {
  const query = new URLSearchParams();
  if (view !== "overview" && view !== "upload") query.set("view", view);
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, value);
  }
  const text = query.toString();
  return text === "" ? "/ops" : `/ops?${text}`;
}

/**
 * @param {string} uploadId
 * @returns {string}
 */
export function linkToUpload(uploadId) {
  return linkTo("upload", { upload: uploadId });
}

/**
 * The same place with some parameters changed.
 *
 * @param {URLSearchParams} query
 * @param {Params} changes
 * @returns {string}
 */
export function changed(query, changes) {
  const all = { ...Object.fromEntries(query), ...changes };
  const { view: _view, ...params } = all;
  return linkTo(viewOf(query), params);
}
