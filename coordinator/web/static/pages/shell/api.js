/**
 * Requests to the service with the credential of this tab, and its refusals as `Problem`.
 */

import { readRefusal } from "../../js/problems.js";

/** @typedef {Awaited<ReturnType<typeof readRefusal>>} Refusal */

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
  /** @param {Pick<Refusal, "status" | "code" | "detail"> & Partial<Refusal>} refusal */
  constructor(refusal) {
    super(refusal.detail);
    this.name = "Problem";
    this.refusal = refusal;
    this.status = refusal.status;
    /** Stable: docs/errors.md; `unreachable` is this page's own. */
    this.code = refusal.code;
    /** For people. */
    this.detail = refusal.detail;
  }
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
  throw new Problem(await readRefusal(response));
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
