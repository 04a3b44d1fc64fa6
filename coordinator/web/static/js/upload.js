/**
 * One file on its way: what a page starts, pauses, watches and cancels.
 *
 * Rule: a run is ended by its signal alone; what the next run needs stands in the facts.
 */

import { Budget } from "./budget.js";
import { explained } from "./completing.js";
import { Driving } from "./driving.js";
import { Emitter } from "./events.js";
import { UploadError } from "./problems.js";
import { Meter } from "./progress.js";
import { putByXhr } from "./putting.js";
import { forget, remember } from "./remembered.js";
import { Service } from "./service.js";

/**
 * @typedef {"new" | "preparing" | "proving" | "uploading" | "paused" | "offline" | "completing"
 *   | "completed" | "failed" | "cancelled"} State
 * @typedef {import("./completing.js").Result} Result
 * @typedef {import("./opening.js").NamedBlob} NamedBlob
 *
 * @typedef {object} Seams what tests put in place of the browser's own
 * @property {import("./service.js").Fetch} [fetch]
 * @property {import("./putting.js").Put} [put]
 *
 * @typedef {object} OwnOptions
 * @property {import("./opening.js").SessionCall} session the page's call to its own backend
 * @property {string} [endpoint] the coordinator's address; by default the page's own origin
 * @property {string} [resumeKey] by default made from name, size, time and path
 * @property {import("./remembered.js").Entry} [resume] an open upload, from `openUploads`
 * @property {string} [path] the file's place in its folder
 * @property {FileSystemFileHandle} [handle] kept, so that the file need not be chosen again
 * @property {boolean} [remember] keep it in IndexedDB until it is over; by default true
 * @property {Budget} [budget] shared by several uploads
 * @property {number} [stallSeconds] a chunk that moves nothing for so long is sent again; 30
 * @property {number} [patienceSeconds] servers that answer with errors only are given up then; 300
 * @property {Seams} [seams]
 *
 * @typedef {OwnOptions & import("./budget.js").BudgetOptions} UploadOptions
 */

const TELL_MS = 100;
const REMEMBER_MS = 2_000;
const GONE = new Set(["upload-not-found", "upload-expired", "upload-failed", "checksum-mismatch"]);
const AT_WORK = new Set(["preparing", "proving", "uploading", "completing"]);

/** The upload of one file. `start` it; it goes on until it is completed, paused, failed or cancelled. */
export class Upload extends Emitter {
  /** @type {State} */
  #state = "new";
  /** @type {State} */
  #work = "preparing";
  /** @type {PromiseWithResolvers_<Result> | null} */
  #outcome = null;
  #end = new AbortController();
  /** @type {Promise<void>} */
  #running = Promise.resolve();
  #toldAt = Number.NEGATIVE_INFINITY;
  /** @type {unknown} */
  #teller = null;
  #rememberedAt = Number.NEGATIVE_INFINITY;
  #startedAt = "";
  #unlisten = () => {};
  /** @type {Promise<void>} */
  #keeping = Promise.resolve();
  #options;
  #ownsBudget;
  #meter;
  #tools;
  #driving;

  /**
   * @param {NamedBlob} file
   * @param {UploadOptions} options
   */
  constructor(file, options) {
    super(["completed", "failed", "cancelled"]);
    if (!(file instanceof Blob) || typeof file.name !== "string") throw new TypeError("Upload needs a File, or a Blob with a name.");
    if (typeof options?.session !== "function") throw new TypeError("Upload needs a `session`: a call to the page's backend.");
    this.file = file;
    this.endpoint = (options.endpoint ?? globalThis.location.origin).replace(/\/+$/, "");
    this.path = options.path ?? options.resume?.path ?? (file.webkitRelativePath || file.name);
    /** @type {UploadError | null} */
    this.error = null;
    /** @type {Result | null} */
    this.result = null;
    this.#options = options;
    this.#ownsBudget = options.budget === undefined;
    const budget = options.budget ?? new Budget(options);
    this.#meter = new Meter({ totalBytes: file.size, now: budget.clock.now });
    this.#tools = this.#toolsWith(budget);
    const { path, endpoint } = this;
    const wish = { session: options.session, endpoint, path, resumeKey: options.resumeKey ?? null, resume: options.resume };
    this.#driving = new Driving(file, wish, this.#tools, {
      at: (work) => this.#at(work),
      begun: () => {
        this.#startedAt ||= options.resume?.startedAt ?? new Date().toISOString();
        this.#remember();
        this.#progressed();
      },
    });
  }

  get state() {
    return this.#state;
  }

  /** The same as the last `progress` event told. */
  get progress() {
    return this.#meter.look();
  }

  /** Null until it is open. */
  get uploadId() {
    return this.#meter.uploadId;
  }

  /** The same for the same file; null until it was made. */
  get resumeKey() {
    return this.#driving.resumeKey;
  }

  /**
   * Begin, or go on after a failure. Asked again meanwhile, it returns the same promise.
   *
   * @returns {Promise<Result>} rejects with an UploadError; events tell the same
   */
  start() {
    if (this.#outcome !== null && this.#state !== "failed" && this.#state !== "cancelled") return this.#outcome.promise;
    this.#outcome = withResolvers();
    // Whoever listens to events need not catch this, too.
    this.#outcome.promise.catch(() => {});
    this.error = null;
    this.#go();
    return this.#outcome.promise;
  }

  /** Stop sending. Chunks that are under way are sent again afterwards. */
  pause() {
    if (!this.#isAtWork() && this.#state !== "new") return;
    this.#end.abort(new DOMException("Paused.", "AbortError"));
    this.#become("paused");
  }

  /** Go on after `pause`, or after a failure. */
  resume() {
    if (this.#state === "paused" && this.#outcome !== null) this.#go();
    else if (this.#state === "paused" || this.#state === "failed") this.start();
  }

  /**
   * Give it up, here and at the service.
   *
   * @returns {Promise<boolean>} false if it was completed before that
   */
  async cancel() {
    if (this.#state === "completed") return false;
    if (this.#state === "cancelled") return true;
    this.#end.abort(new DOMException("Cancelled.", "AbortError"));
    const error = new UploadError("cancelled", "The upload was cancelled.");
    this.#finish("cancelled", { error });
    this.#outcome?.reject(error);
    await this.#running;
    this.#forget();
    return this.#driving.abort();
  }

  /**
   * Hash every chunk that is there already, and not only a sample, before anything more is sent.
   * Another file ends the upload with `another-file`.
   */
  proveAll() {
    this.#driving.provesAll = true;
    if (!this.#isAtWork()) return;
    this.pause();
    this.resume();
  }

  /** @returns {import("./chunks.js").Tools} */
  #toolsWith(/** @type {Budget} */ budget) {
    const { seams, stallSeconds = 30, patienceSeconds = 300 } = this.#options;
    const { clock, connection } = budget;
    const patienceMs = 1000 * patienceSeconds;
    const warn = (/** @type {UploadError} */ error) => this.emit("warning", { error });
    const service = new Service({
      endpoint: this.endpoint,
      fetch: seams?.fetch ?? ((...request) => fetch(...request)),
      clock,
      connection,
      patienceMs,
      warn,
      renew: (signal) => this.#driving.renew(signal),
    });
    return {
      service, budget, clock, connection, patienceMs, warn,
      meter: this.#meter,
      put: seams?.put ?? putByXhr,
      stallMs: 1000 * stallSeconds,
      onChunk: (change) => {
        this.emit("chunk", change);
        this.#progressed();
      },
    };
  }

  #go() {
    this.#end = new AbortController();
    const { signal } = this.#end;
    this.#unlisten();
    this.#unlisten = this.#tools.connection.listen(() => this.#show());
    this.#work = this.#driving.facts === null ? "preparing" : "uploading";
    this.#show();
    this.#running = this.#running.then(() => this.#runToEnd(signal));
  }

  async #runToEnd(/** @type {AbortSignal} */ signal) {
    try {
      signal.throwIfAborted();
      const result = await this.#driving.run(signal);
      signal.throwIfAborted();
      this.result = result;
      this.#forget();
      this.#finish("completed", { result });
      this.#outcome?.resolve(result);
    } catch (thrown) {
      if (signal.aborted) return;
      const error = explained(thrown);
      const known = error instanceof UploadError ? error
        : new UploadError("internal", "The page's own code failed.", { cause: error, retryable: false });
      if (GONE.has(known.code)) this.#forget();
      this.error = known;
      this.#finish("failed", { error: known });
      this.#outcome?.reject(known);
    }
  }

  #isAtWork() {
    return AT_WORK.has(this.#state) || this.#state === "offline";
  }

  #at(/** @type {State} */ work) {
    this.#work = work;
    this.#show();
  }

  #show() {
    if (this.#end.signal.aborted) return;
    this.#become(this.#tools.connection.isDown ? "offline" : this.#work);
  }

  #become(/** @type {State} */ state) {
    if (state === this.#state) return;
    this.#state = state;
    this.emit("state", { state });
  }

  #finish(/** @type {"completed" | "failed" | "cancelled"} */ state, /** @type {object} */ detail) {
    this.#unlisten();
    if (this.#ownsBudget) this.#tools.budget.close();
    this.#tell();
    this.#end.abort(new DOMException("Over.", "AbortError"));
    this.#become(state);
    this.emit(state, detail);
  }

  #progressed() {
    const { clock } = this.#tools;
    const wait = this.#toldAt + TELL_MS - clock.now();
    if (wait <= 0) this.#tell();
    else this.#teller ??= clock.setTimeout(() => this.#tell(), wait);
  }

  #tell() {
    const { clock } = this.#tools;
    clock.clearTimeout(this.#teller);
    this.#teller = null;
    this.#toldAt = clock.now();
    this.emit("progress", this.#meter.look());
    if (this.#toldAt - this.#rememberedAt >= REMEMBER_MS && this.#isAtWork()) this.#remember();
  }

  #remember() {
    if (this.#options.remember === false || !this.#driving.isOpen || this.uploadId === null) return;
    this.#rememberedAt = this.#tools.clock.now();
    const { file, uploadId } = this;
    const entry = {
      endpoint: this.endpoint,
      uploadId,
      resumeKey: /** @type {string} */ (this.resumeKey),
      fileName: file.name,
      fileSize: file.size,
      fileType: file.type,
      lastModified: file.lastModified ?? null,
      path: this.path,
      startedAt: this.#startedAt,
      uploadedBytes: this.#meter.look().uploadedBytes,
      ...(this.#options.handle && { handle: this.#options.handle }),
    };
    this.#keep(() => remember(entry));
  }

  #forget() {
    const { endpoint, uploadId } = this;
    if (uploadId !== null) this.#keep(() => forget({ endpoint, uploadId }));
  }

  /** One after the other: what is forgotten stays forgotten. */
  #keep(/** @type {() => Promise<void>} */ write) {
    this.#keeping = this.#keeping.then(write);
  }
}

/**
 * @template T
 * @typedef {{ promise: Promise<T>, resolve: (value: T) => void, reject: (error: unknown) => void }} PromiseWithResolvers_
 */

/**
 * @template T
 * @returns {PromiseWithResolvers_<T>}
 */
function withResolvers() {
  /** @type {any} */
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
}
