/**
 * Requests to the service with the credential of this tab, and its refusals as `Problem`.
 */

/** @type {string | null} */
let secret = null;
/** @type {() => void} */
let onRefused = () => {};

/**
 * Say by what the next requests are authorized, and what to do once that is refused.
 *
 * @param {string | null} newSecret
 * @param {() => void} [refused]
 */
export function authorize(newSecret, refused = onRefused) {
  secret = newSecret;
  onRefused = refused;
}

/** A refusal of the service (RFC 9457), or that it cannot be reached: then `status` is 0. */
export class Problem extends Error {
  /**
   * @param {object} parts
   * @param {number} parts.status
   * @param {string} parts.code stable: docs/errors.md; `unreachable` is this page's own
   * @param {string} parts.detail for people
   * @param {string | null} [parts.field]
   * @param {Record<string, unknown>} [parts.members] what else the problem document says
   * @param {Response | null} [parts.response]
   */
  constructor({ status, code, detail, field = null, members = {}, response = null }) {
    super(detail);
    this.name = "Problem";
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.field = field;
    this.members = members;
    /** Unread only where the refusal was made by `refusalOf`'s caller. */
    this.response = response;
  }
}

/**
 * @param {Response} response
 * @returns {Promise<Problem>}
 */
export async function refusalOf(response) {
  const copy = response.clone();
  /** @type {Record<string, unknown>} */
  let members = {};
  try {
    const read = await response.json();
    if (read !== null && typeof read === "object") members = read;
  } catch (error) {
    // A proxy's page: the status has to say it.
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
  }
  return new Problem({
    status: response.status,
    code: typeof members.code === "string" ? members.code : response.status >= 500 ? "unavailable" : "refused",
    detail: typeof members.detail === "string" ? members.detail : `The service answered with status ${response.status}.`,
    field: typeof members.field === "string" ? members.field : null,
    members,
    response: copy,
  });
}

/**
 * @typedef {object} Options
 * @property {string} [method]
 * @property {unknown} [body] sent as JSON
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal]
 * @property {string} [as] another credential than the tab's
 */

/**
 * Ask the service. A 401 also has the shell ask for another key.
 *
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<Response>} one that is ok
 * @throws {Problem}
 */
export async function ask(path, { method, body, headers = {}, signal, as } = {}) {
  const used = as ?? secret;
  let response;
  try {
    response = await fetch(path, {
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers: {
        Accept: "application/json",
        ...(used === null ? {} : { Authorization: `Bearer ${used}` }),
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal: signal ?? null,
      credentials: "omit",
      cache: "no-store",
    });
  } catch (error) {
    if (error instanceof TypeError) {
      const detail = "The service cannot be reached. Check the connection, then try again.";
      throw new Problem({ status: 0, code: "unreachable", detail });
    }
    throw error;
  }
  if (response.ok) return response;
  if (response.status === 401 && as === undefined && used === secret) onRefused();
  throw await refusalOf(response);
}

/**
 * Ask the service for JSON; null for an answer without a body.
 *
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<any>}
 * @throws {Problem}
 */
export async function call(path, options) {
  const response = await ask(path, options);
  return response.status === 204 || response.headers.get("Content-Length") === "0" ? null : response.json();
}
