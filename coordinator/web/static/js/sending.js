/**
 * The engine: hashes ahead, signs in batches, sends several chunks at once, reports lazily.
 *
 * Rule: all that has to outlive a pause stands in `Facts`; what a run holds dies with it, and the
 * next one begins from the facts.
 */

import { conflict, sliceOf } from "./chunks.js";
import { Delivery } from "./delivering.js";
import { unreadable, UploadError } from "./problems.js";
import { Reports } from "./reporting.js";
import { batchToSign, mostToSign, readSigned, windowOf } from "./signing.js";

/**
 * @typedef {import("./signing.js").Ticket} Ticket
 * @typedef {import("./chunks.js").Facts} Facts
 * @typedef {import("./chunks.js").Tools} Tools
 */

/** One run over the missing chunks of one upload. */
export class Sending {
  /** @type {number[]} */
  #toHash = [];
  /** @type {number[]} digest known, no URL */
  #hashed = [];
  /** @type {Ticket[]} URL, no lane */
  #ready = [];
  #hashing = 0;
  #isSigning = false;
  #batches = 0;
  #lifetimeMs = 3_600_000;
  #end = new AbortController();
  /** @type {Set<Promise<void>>} */
  #tasks = new Set();
  /** @type {unknown} */
  #failure;
  #wake = () => {};

  /**
   * @param {import("./opening.js").NamedBlob} file
   * @param {Facts} facts
   * @param {Tools} tools
   */
  constructor(file, facts, tools) {
    this.file = file;
    this.facts = facts;
    this.tools = tools;
    this.window = windowOf({ chunkSize: facts.chunkSize, lanes: tools.budget.lanes.max, memory: tools.budget.memory });
    this.reports = new Reports(tools.service, facts.uploadId, tools.clock);
    this.delivery = new Delivery(file, facts, tools, {
      signal: this.#end.signal,
      digest: (index) => this.#digest(index),
      onFree: () => this.#wake(),
    });
  }

  /**
   * Send all chunks that S3 does not have. Returns when all are there; throws what ended it, with
   * nothing left running.
   *
   * @param {AbortSignal} signal
   */
  async run(signal) {
    const { facts, tools } = this;
    signal.throwIfAborted();
    for (let index = 0; index < facts.totalChunks; index += 1) {
      if (facts.uploaded.has(index)) continue;
      (facts.digests[index] === undefined ? this.#toHash : this.#hashed).push(index);
    }
    tools.meter.speed.restart();
    const stop = () => this.#fail(signal.reason);
    signal.addEventListener("abort", stop);
    try {
      while (this.#failure === undefined && facts.uploaded.size < facts.totalChunks) {
        const changed = new Promise((resolve) => {
          this.#wake = () => resolve(undefined);
        });
        this.#pump();
        await changed;
      }
    } finally {
      signal.removeEventListener("abort", stop);
      this.#end.abort(this.#failure ?? new DOMException("Done.", "AbortError"));
      await Promise.all(this.#tasks);
      await this.reports.stop({ isDone: this.#failure === undefined });
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  #pump() {
    const { budget } = this.tools;
    const most = Math.max(1, Math.min(budget.hashers.count + 1, Math.floor(budget.memory / Math.max(1, this.facts.chunkSize))));
    while (this.#toHash.length > 0 && this.#hashing < most && this.#ahead() < this.window) {
      this.#do(this.#hash(/** @type {number} */ (this.#toHash.shift())));
    }
    this.#sign();
    while (this.#ready.length > 0 && this.delivery.asking < budget.lanes.max) {
      this.#do(this.#send(/** @type {Ticket} */ (this.#ready.shift())));
    }
  }

  #ahead() {
    return this.#hashing + this.#hashed.length + this.#ready.length + this.delivery.asking + this.delivery.waiting;
  }

  /** Run beside; what it throws ends the run. */
  #do(/** @type {Promise<void>} */ task) {
    const settled = task
      .catch((error) => this.#fail(error))
      .finally(() => {
        this.#tasks.delete(settled);
        this.#wake();
      });
    this.#tasks.add(settled);
  }

  #fail(/** @type {unknown} */ error) {
    this.#failure ??= error;
    this.#end.abort(this.#failure);
    this.#wake();
  }

  async #hash(/** @type {number} */ index) {
    this.#hashing += 1;
    try {
      this.#tell(index, "hashing", 0, 0);
      this.facts.digests[index] = await this.#digest(index);
      this.tools.meter.hashed(this.sizeOf(index));
      this.#hashed.push(index);
    } finally {
      this.#hashing -= 1;
    }
  }

  async #digest(/** @type {number} */ index) {
    try {
      return await this.tools.budget.hashers.hash(sliceOf(this.file, index, this.facts.chunkSize), this.#end.signal);
    } catch (error) {
      this.#end.signal.throwIfAborted();
      throw unreadable(error, { wasRead: this.facts.digests.length > 0, chunkIndex: index, name: this.file.name });
    }
  }

  #sign() {
    if (this.#isSigning || this.#hashed.length === 0) return;
    const { budget, meter } = this.tools;
    const lanes = budget.lanes.limit;
    const { asking, sending } = this.delivery;
    const count = batchToSign({
      hashed: this.#hashed.length,
      ready: this.#ready.length + asking - sending,
      sending,
      lanes,
      batches: this.#batches,
      total: this.facts.totalChunks,
      window: this.window,
      isLast: this.#toHash.length === 0 && this.#hashing === 0,
      most: mostToSign({
        bytesPerSecond: meter.speed.bytesPerSecond, lifetimeMs: this.#lifetimeMs, chunkSize: this.facts.chunkSize, lanes,
      }),
    });
    if (count === 0) return;
    this.#isSigning = true;
    this.#batches += 1;
    this.#do(this.#signBatch(this.#hashed.splice(0, count)).finally(() => {
      this.#isSigning = false;
    }));
  }

  async #signBatch(/** @type {number[]} */ indexes) {
    const { facts, tools } = this;
    const asked = indexes.map((index) => ({ index, digest: /** @type {string} */ (facts.digests[index]) }));
    const askedAt = tools.clock.now();
    let answer;
    try {
      answer = await tools.service.sign(facts.uploadId, asked, { force: facts.force, signal: this.#end.signal });
    } catch (error) {
      if (error instanceof UploadError && error.code === "digest-conflict") throw conflict(error, facts, this.file.name);
      throw error;
    }
    const { tickets, present, lifetimeMs } = readSigned(answer, asked, askedAt, (index) => this.sizeOf(index));
    facts.isProven = true;
    if (tickets.length > 0) this.#lifetimeMs = lifetimeMs;
    for (const index of present) this.#stored(index, 0, { isReported: true });
    this.delivery.signed(tickets);
    this.#ready.push(...tickets);
  }

  async #send(/** @type {Ticket} */ ticket) {
    const { index, attempt } = ticket;
    const next = await this.delivery.attempt(ticket);
    if (next === "stored") this.#stored(index, attempt);
    else if (next === "sign") this.#hashed.unshift(index);
    else this.#ready.unshift({ ...ticket, attempt: attempt + 1 });
  }

  #stored(/** @type {number} */ index, /** @type {number} */ attempt, { isReported = false } = {}) {
    this.facts.uploaded.add(index);
    this.tools.meter.arrived(index, this.sizeOf(index));
    this.delivery.wentWell();
    if (!isReported) this.reports.add(index);
    this.#tell(index, "uploaded", this.sizeOf(index), attempt);
  }

  #tell(
    /** @type {number} */ chunkIndex, /** @type {import("./chunks.js").ChunkChange["state"]} */ state, /** @type {number} */ uploadedBytes,
    /** @type {number} */ attempt,
  ) {
    this.tools.onChunk({ chunkIndex, state, uploadedBytes, attempt: attempt + 1 });
  }

  /** @param {number} index */
  sizeOf(index) {
    return sliceOf(this.file, index, this.facts.chunkSize).size;
  }
}
