/**
 * Requests to the coordinator: repeated while it is away, with a new token when the old one ends.
 */

import { isAbort, UploadError } from "./problems.js";

/**
 * @typedef {import("./waiting.js").Clock} Clock
 * @typedef {import("./waiting.js").Connection} Connection
 * @typedef {typeof globalThis.fetch} Fetch
 * @typedef {{ method: string, path: string, body?: unknown, signal: AbortSignal }} Request_
 */

const TIMEOUT_MS = 60_000;

/** The calls of one upload. */
export class Service {
  /** @type {string | null} */
  #token = null;
  /** @type {Promise<void> | null} */
  #renewal = null;
  #wasReached = false;

  /**
   * @param {object} parts
   * @param {string} parts.endpoint
   * @param {Fetch} parts.fetch
   * @param {Clock} parts.clock
   * @param {Connection} parts.connection
   * @param {(signal: AbortSignal) => Promise<string>} parts.renew returns a new token
   * @param {(error: UploadError) => void} parts.warn hears of failures that are tried again
   * @param {number} parts.patienceMs how long a service that answers with errors is asked again
   */
  constructor({ endpoint, fetch, clock, connection, renew, warn, patienceMs }) {
    this.endpoint = endpoint.replace(/\/+$/, "");
    this.fetch = fetch;
    this.clock = clock;
    this.connection = connection;
    this.renew = renew;
    this.warn = warn;
    this.patienceMs = patienceMs;
  }

  set token(/** @type {string | null} */ token) {
    this.#token = token;
  }

  /**
   * @param {string} uploadId
   * @param {{ index: number, digest: string }[]} chunks
   * @param {{ force: boolean, signal: AbortSignal }} options
   */
  sign(uploadId, chunks, { force, signal }) {
    const body = { uploadId, force, chunks: chunks.map(({ index, digest }) => ({ chunkIndex: index, sha256: digest })) };
    return this.call({ method: "POST", path: "/api/upload/urls", body, signal });
  }

  /**
   * @param {string} uploadId
   * @param {number[]} indexes
   * @param {AbortSignal} signal
   */
  report(uploadId, indexes, signal) {
    const body = { uploadId, chunks: indexes.map((chunkIndex) => ({ chunkIndex })) };
    return this.call({ method: "POST", path: "/api/upload/chunk", body, signal });
  }

  /**
   * @param {string} uploadId
   * @param {AbortSignal} signal
   * @param {{ verify?: boolean }} [options] `verify` asks S3 and not the ledger
   */
  status(uploadId, signal, { verify = false } = {}) {
    const path = `/api/upload/status/${encodeURIComponent(uploadId)}${verify ? "?verify=true" : ""}`;
    return this.call({ method: "GET", path, signal });
  }

  /**
   * @param {string} uploadId
   * @param {AbortSignal} signal
   */
  complete(uploadId, signal) {
    return this.call({ method: "POST", path: "/api/upload/complete", body: { uploadId }, signal });
  }

  /**
   * @param {string} uploadId
   * @param {AbortSignal} signal
   */
  abort(uploadId, signal) {
    return this.call({ method: "DELETE", path: `/api/uploads/${encodeURIComponent(uploadId)}`, signal });
  }

  /**
   * Tell whether the service answers at all, whatever it says.
   *
   * @param {AbortSignal} signal
   */
  async isReachable(signal) {
    try {
      await this.#fetch({ method: "GET", path: "/api/upload/status/none", signal });
      return true;
    } catch (error) {
      if (error instanceof UploadError) return false;
      throw error;
    }
  }

  /**
   * Ask until there is an answer that is no passing failure.
   *
   * @param {Request_} request
   * @returns {Promise<any>} what it said, null for nothing
   */
  async call(request) {
    let renewals = 0;
    let firstFailureAt = Number.NaN;
    for (let attempt = 0; ; attempt += 1) {
      request.signal.throwIfAborted();
      const used = this.#token;
      /** @type {UploadError} */
      let failure;
      try {
        return await this.#once(request);
      } catch (error) {
        if (!(error instanceof UploadError)) throw error;
        failure = error;
      }
      if (failure.status === 401 && renewals < 2) {
        renewals += 1;
        await this.#renewed(used, request.signal);
        continue;
      }
      if (!failure.retryable) throw failure;
      const now = this.clock.now();
      // Without network the clock stands still: uploads wait for days if they must.
      const mayEnd = !["network", "offline"].includes(failure.code) || (!this.#wasReached && this.connection.isOnline());
      if (!mayEnd || Number.isNaN(firstFailureAt)) firstFailureAt = now;
      if (now - firstFailureAt > this.patienceMs) throw failure;
      this.warn(failure);
      await this.connection.wait(attempt, request.signal, failure.retryAfterSeconds);
    }
  }

  async #once(/** @type {Request_} */ request) {
    const response = await this.#fetch(request);
    if (!response.ok) throw await UploadError.from(response);
    if (response.status === 204) return null;
    try {
      return await response.json();
    } catch (error) {
      request.signal.throwIfAborted();
      throw new UploadError("network", "The service's answer broke off.", { cause: error });
    }
  }

  async #fetch(/** @type {Request_} */ { method, path, body, signal }) {
    /** @type {Record<string, string>} */
    const headers = {};
    if (this.#token !== null) headers.Authorization = `Bearer ${this.#token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    try {
      const response = await this.fetch(this.endpoint + path, {
        method, headers, credentials: "omit", cache: "no-store",
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
      this.#wasReached = true;
      this.connection.answered();
      return response;
    } catch (error) {
      signal.throwIfAborted();
      this.connection.failed();
      if (error instanceof TypeError || isAbort(error) || (error instanceof DOMException && error.name === "TimeoutError")) {
        const isOnline = this.connection.isOnline();
        throw new UploadError(isOnline ? "network" : "offline", "The service cannot be reached.", { cause: error });
      }
      throw error;
    }
  }

  /** Fetch one new token for all requests that met the end of the old one. */
  async #renewed(/** @type {string | null} */ used, /** @type {AbortSignal} */ signal) {
    if (this.#token !== used) return;
    this.#renewal ??= this.renew(signal)
      .then((token) => {
        this.#token = token;
      })
      .finally(() => {
        this.#renewal = null;
      });
    await this.#renewal;
  }
}
