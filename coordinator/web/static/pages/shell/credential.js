/**
 * Who sits in front of the page: an API key, or the token of one upload.
 *
 * Rule: it comes by the fragment, which browsers send to nobody, or by hand; it is kept for this tab
 * only, and stands in no address, no log and no text on the page.
 */

const PLACE = "coordinator.credential";

/**
 * @typedef {object} Credential
 * @property {string} secret `ck_…` or `ut_…`, or a token of the tenant's issuer
 * @property {string | null} uploadId of an upload token
 */

/**
 * Take the credential out of the address, so that no history, bookmark or shared link has it.
 *
 * @returns {Credential | null} null if there was none
 */
export function takeFromAddress() {
  const members = new URLSearchParams(location.hash.slice(1));
  const key = members.get("key");
  const token = members.get("token");
  if (key === null && token === null) return null;
  history.replaceState(history.state, "", location.pathname + location.search);
  if (token !== null) return { secret: token.trim(), uploadId: members.get("upload") };
  return { secret: /** @type {string} */ (key).trim(), uploadId: null };
}

/** @returns {Credential | null} */
export function recall() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(PLACE) ?? "null");
    return typeof kept?.secret === "string" ? { secret: kept.secret, uploadId: kept.uploadId ?? null } : null;
  } catch (error) {
    // Storage that is switched off, or something of another page's: ask again.
    if (error instanceof SyntaxError || error instanceof DOMException) return null;
    throw error;
  }
}

/** @param {Credential | null} credential */
export function keep(credential) {
  try {
    if (credential === null) sessionStorage.removeItem(PLACE);
    else sessionStorage.setItem(PLACE, JSON.stringify(credential));
  } catch (error) {
    // Without storage it is good for this page only, which is enough to upload.
    if (!(error instanceof DOMException)) throw error;
  }
}
