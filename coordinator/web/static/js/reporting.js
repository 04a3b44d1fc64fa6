/**
 * Tells the service which chunks have arrived, beside the sending and never in its way.
 *
 * Rule: a report that fails fails nothing; completion asks S3 and not us.
 */

import { UploadError } from "./problems.js";

const FULL = 50;
const MAX = 1_000;
const EVERY_MS = 2_000;
const LAST_MS = 3_000;

/** The reports of one run: every two seconds, or every fifty chunks. */
export class Reports {
  /** @type {Set<number>} */
  #pending = new Set();
  /** @type {Promise<void> | null} */
  #sending = null;
  /** @type {unknown} */
  #timer = null;
  #end = new AbortController();

  /**
   * @param {import("./service.js").Service} service
   * @param {string} uploadId
   * @param {import("./waiting.js").Clock} clock
   */
  constructor(service, uploadId, clock) {
    this.service = service;
    this.uploadId = uploadId;
    this.clock = clock;
  }

  /** @param {number} index */
  add(index) {
    this.#pending.add(index);
    if (this.#pending.size >= FULL) this.#flush();
    else this.#timer ??= this.clock.setTimeout(() => this.#flush(), EVERY_MS);
  }

  /**
   * Send no more. An upload that is done needs no last report; one that was paused tells how far it
   * came, if that works soon.
   *
   * @param {{ isDone: boolean }} how
   */
  async stop({ isDone }) {
    if (isDone) {
      this.#clear();
      this.#end.abort(new DOMException("Done.", "AbortError"));
      await this.#sending;
      return;
    }
    const timer = this.clock.setTimeout(() => this.#end.abort(new DOMException("Too slow.", "AbortError")), LAST_MS);
    await this.#sending;
    this.#flush();
    await this.#sending;
    this.clock.clearTimeout(timer);
  }

  #clear() {
    this.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  #flush() {
    this.#clear();
    if (this.#sending !== null || this.#pending.size === 0 || this.#end.signal.aborted) return;
    const batch = [...this.#pending].slice(0, MAX);
    this.#sending = this.#report(batch).finally(() => {
      this.#sending = null;
      if (this.#pending.size >= FULL) this.#flush();
    });
  }

  async #report(/** @type {number[]} */ batch) {
    for (const index of batch) this.#pending.delete(index);
    try {
      await this.service.report(this.uploadId, batch, this.#end.signal);
    } catch (error) {
      if (!(error instanceof UploadError) && !this.#end.signal.aborted) throw error;
    }
  }
}
