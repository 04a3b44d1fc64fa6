/**
 * One chunk's way into S3: an attempt in a lane, and what its outcome asks for.
 */

import { sliceOf } from "./chunks.js";
import { readRetryAfter, unreadable, UploadError } from "./problems.js";
import { judge } from "./putting.js";

/**
 * @typedef {import("./signing.js").Ticket} Ticket
 * @typedef {import("./chunks.js").Tools} Tools
 *
 * @typedef {"stored" | "sign" | "again"} Next what the chunk needs now: nothing, a new URL, another attempt
 */

const MAX_SIGNINGS = 6;
const MAX_ALTERED = 8;

/** Attempts of one run. It counts them, so that the engine knows how many are where. */
export class Delivery {
  /** Chunks that wait for a lane or are in one. */
  asking = 0;
  /** Chunks in a lane. */
  sending = 0;
  /** Chunks that wait before the next attempt. */
  waiting = 0;
  /** @type {Map<number, number>} */
  #signings = new Map();
  #wentWellAt;

  /**
   * @param {import("./opening.js").NamedBlob} file
   * @param {import("./chunks.js").Facts} facts
   * @param {Tools} tools
   * @param {object} run
   * @param {AbortSignal} run.signal
   * @param {(index: number) => Promise<string>} run.digest
   * @param {() => void} run.onFree a lane is free again
   */
  constructor(file, facts, tools, run) {
    this.file = file;
    this.facts = facts;
    this.tools = tools;
    this.run = run;
    this.#wentWellAt = tools.clock.now();
  }

  /** @param {Ticket[]} tickets that a request has just brought */
  signed(tickets) {
    for (const { index } of tickets) this.#signings.set(index, (this.#signings.get(index) ?? 0) + 1);
  }

  /** A chunk has arrived: whatever fails meanwhile is worth another try. */
  wentWell() {
    this.#wentWellAt = this.tools.clock.now();
  }

  /**
   * Try once, and wait as long as the outcome asks for.
   *
   * @param {Ticket} ticket
   * @returns {Promise<Next>}
   * @throws {UploadError} what no repetition mends
   */
  async attempt(ticket) {
    this.asking += 1;
    let outcome;
    try {
      outcome = await this.#inLane(ticket);
    } finally {
      this.asking -= 1;
      if (outcome?.kind !== "answer" || outcome.status !== 200) this.tools.meter.failed(ticket.index);
    }
    if (outcome === null) return "sign";
    this.run.onFree();
    if (outcome.kind === "answer") return this.#answered(ticket, outcome);
    return this.#unanswered(ticket, outcome.kind);
  }

  /** @returns {Promise<import("./putting.js").PutOutcome | null>} null for a URL that has grown old */
  async #inLane(/** @type {Ticket} */ ticket) {
    const { budget, clock, meter, put, stallMs, onChunk } = this.tools;
    const { index, attempt } = ticket;
    const leave = await budget.lanes.acquire(this.run.signal);
    this.sending += 1;
    try {
      if (clock.now() >= ticket.freshUntil) return null;
      const tell = (/** @type {number} */ uploadedBytes) =>
        onChunk({ chunkIndex: index, state: "sending", uploadedBytes, attempt: attempt + 1 });
      tell(0);
      return await put({
        url: ticket.url,
        method: ticket.method,
        headers: ticket.headers,
        body: this.#slice(index),
        signal: this.run.signal,
        stallMs,
        clock,
        mayWaitItsTurn: () => clock.now() - budget.lanes.movedAt < stallMs,
        onProgress: (bytes) => {
          budget.lanes.moved(meter.moving(index, bytes));
          tell(bytes);
        },
      });
    } finally {
      this.sending -= 1;
      leave();
    }
  }

  /** @returns {Promise<Next>} */
  async #answered(
    /** @type {Ticket} */ ticket, /** @type {{ status: number, code: string, retryAfter: string | null }} */ answer,
  ) {
    const { budget, clock, connection, patienceMs } = this.tools;
    const { index } = ticket;
    connection.answered();
    const verdict = judge(answer.status, answer.code);
    if (verdict === "stored") return "stored";
    const refusal = refused(index, answer);
    if (verdict === "refused") throw refusal;
    const retryAfter = readRetryAfter(answer.retryAfter, Date.now());
    if (verdict === "sign-again") return this.#signAgain(ticket, refusal, retryAfter);
    if (verdict === "hash-again") return this.#again(ticket, await this.#altered(ticket, answer.status), retryAfter);
    budget.lanes.failed();
    if (clock.now() - this.#wentWellAt > patienceMs) throw refusal;
    return this.#again(ticket, refusal, retryAfter);
  }

  /** @returns {Promise<Next>} */
  async #signAgain(
    /** @type {Ticket} */ { index, attempt }, /** @type {UploadError} */ refusal, /** @type {number | undefined} */ retryAfter,
  ) {
    const signings = this.#signings.get(index) ?? 1;
    if (signings >= MAX_SIGNINGS) throw refusal;
    this.#warn(refusal, index, attempt);
    // The first time it is old, most likely; a new URL that is refused, too, is another matter.
    if (signings > 1) await this.#wait(signings, retryAfter);
    return "sign";
  }

  /** S3 says that these are other bytes: the file changed, or something on the way changed them. */
  async #altered(/** @type {Ticket} */ { index, digest, attempt }, /** @type {number} */ status) {
    if ((await this.run.digest(index)) !== digest) {
      throw new UploadError("file-changed", `${this.file.name} changed while it was being uploaded.`, { chunkIndex: index });
    }
    const altered = new UploadError("altered-on-the-way", "S3 refused a chunk whose bytes were changed on the way.", {
      chunkIndex: index, status,
    });
    if (attempt + 1 >= MAX_ALTERED) throw altered;
    return altered;
  }

  /** @returns {Promise<Next>} */
  async #unanswered(/** @type {Ticket} */ ticket, /** @type {"network" | "stalled"} */ kind) {
    const { budget, clock, connection, patienceMs, service } = this.tools;
    const { index } = ticket;
    await this.#checkReadable(index);
    connection.failed();
    budget.lanes.failed();
    const isOnline = connection.isOnline();
    const failure = kind === "stalled"
      ? new UploadError("stalled", "A chunk did not move any more.", { chunkIndex: index })
      : new UploadError(isOnline ? "network" : "offline", "S3 cannot be reached.", { chunkIndex: index });
    if (!isOnline) this.wentWell();
    if (clock.now() - this.#wentWellAt > patienceMs) {
      // If it is only S3 that cannot be reached, waiting is of no use.
      if (await service.isReachable(this.run.signal)) throw failure;
      this.wentWell();
    }
    return this.#again(ticket, failure);
  }

  /** A browser calls it a network error, too, if a file changed under the request. */
  async #checkReadable(/** @type {number} */ index) {
    try {
      await this.#slice(index).slice(0, 1).arrayBuffer();
    } catch (error) {
      throw unreadable(error, { wasRead: true, chunkIndex: index, name: this.file.name });
    }
  }

  /** @returns {Promise<Next>} */
  async #again(
    /** @type {Ticket} */ ticket, /** @type {UploadError} */ error, /** @type {number | undefined} */ retryAfter = undefined,
  ) {
    this.#warn(error, ticket.index, ticket.attempt);
    await this.#wait(ticket.attempt, retryAfter);
    return "again";
  }

  async #wait(/** @type {number} */ attempt, /** @type {number | undefined} */ retryAfter) {
    this.waiting += 1;
    try {
      await this.tools.connection.wait(attempt, this.run.signal, retryAfter);
    } finally {
      this.waiting -= 1;
    }
  }

  #warn(/** @type {UploadError} */ error, /** @type {number} */ chunkIndex, /** @type {number} */ attempt) {
    this.tools.warn(error);
    this.tools.onChunk({ chunkIndex, state: "retrying", uploadedBytes: 0, attempt: attempt + 1, error });
  }

  #slice(/** @type {number} */ index) {
    return sliceOf(this.file, index, this.facts.chunkSize);
  }
}

/**
 * @param {number} chunkIndex
 * @param {{ status: number, code: string }} answer
 */
function refused(chunkIndex, { status, code }) {
  const named = code === "" ? `status ${status}` : code;
  return new UploadError("s3-refused", `S3 refused a chunk: ${named}.`, { chunkIndex, status, members: { s3Code: code } });
}
