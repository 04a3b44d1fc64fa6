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
import { Memory } from "./remembered.js";
import { Service } from "./service.js";
import { deferred } from "./waiting.js";

/**
 * @typedef {"new" | "preparing" | "proving" | "uploading" | "paused" | "offline" | "completing"
 *   | "completed" | "failed" | "cancelled"} State
 * @typedef {import("./completing.js").Result} Result
 * @typedef {import("./opening.js").NamedBlob} NamedBlob
 *
 * @typedef {object} UploadEvents what each event's `detail` is
 * @property {{ state: State }} state
 * @property {import("./progress.js").Progress} progress ten times a second at most
 * @property {import("./chunks.js").ChunkChange} chunk
 * @property {{ error: UploadError }} warning tried again by itself; nothing to do
 * @property {{ result: Result }} completed
 * @property {{ error: UploadError }} failed
 * @property {{ error: UploadError }} cancelled
 */

const TELL_MS = 100;
const REMEMBER_MS = 2_000;
const GONE = new Set(["upload-not-found", "upload-expired", "upload-failed", "checksum-mismatch"]);
const AT_WORK = new Set(["preparing", "proving", "uploading", "completing", "offline"]);

/**
 * The upload of one file. `start` it; it goes on until it is completed, paused, failed or cancelled.
 *
 * @extends {Emitter<UploadEvents>}
 */
export class Upload extends Emitter {
  /** @type {State} */
  #state = "new";
  /** @type {State} */
  #work = "preparing";
  /** @type {import("./waiting.js").Deferred<Result> | null} */
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
  #memory = new Memory();
  #options;
  #ownsBudget;
  #meter;
  #tools;
  #driving;
  /** @type {UploadError | null} */
  error = null;
  /** @type {Result | null} */
  result = null;

  /**
   * @param {NamedBlob} file
   * @param {import("./options.js").UploadOptions} options
   */
  constructor(file, options) {
    super(["completed", "failed", "cancelled"]);
    if (!(file instanceof Blob) || typeof file.name !== "string") throw new TypeError("Upload needs a File, or a Blob with a name.");
    if (typeof options?.session !== "function") throw new TypeError("Upload needs a `session`: a call to the page's backend.");
    this.file = file;
    this.endpoint = (options.endpoint ?? globalThis.location.origin).replace(/\/+$/, "");
    this.path = options.path ?? options.resume?.path ?? (file.webkitRelativePath || file.name);
    this.#options = options;
    this.#ownsBudget = options.budget === undefined;
    const budget = options.budget ?? new Budget(options);
    this.#meter = new Meter({ totalBytes: file.size, now: budget.clock.now });
    this.#tools = this.#toolsWith(budget);
    const { session, resume, resumeKey = null } = options;
    this.#driving = new Driving(file, { session, resume, resumeKey, endpoint: this.endpoint, path: this.path }, this.#tools, {
      at: (work) => this.#at(work),
      begun: () => {
        this.#startedAt ||= resume?.startedAt ?? new Date().toISOString();
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
    this.#outcome = deferred();
    // Whoever listens to events need not catch this, too.
    this.#outcome.promise.catch(() => {});
    this.error = null;
    this.#go();
    return this.#outcome.promise;
  }

  /** Stop sending. Chunks that are under way are sent again afterwards. */
  pause() {
    if (!AT_WORK.has(this.#state) && this.#state !== "new") return;
    this.#end.abort(new DOMException("Paused.", "AbortError"));
    this.#become("paused");
    this.#meter.speed.restart();
    this.#tell();
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
    return this.#driving.abort();
  }

  /**
   * Hash every chunk that is there already, and not only a sample, before anything more is sent.
   * Another file ends the upload with `another-file`.
   */
  proveAll() {
    this.#driving.provesAll = true;
    if (!AT_WORK.has(this.#state)) return;
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
      this.#finish("completed", { result });
      this.#outcome?.resolve(result);
    } catch (thrown) {
      if (signal.aborted) return;
      const error = explained(thrown);
      const known = error instanceof UploadError ? error
        : new UploadError("internal", "The page's own code failed.", { cause: error, retryable: false });
      this.error = known;
      this.#finish("failed", { error: known });
      this.#outcome?.reject(known);
    }
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

  /**
   * @template {"completed" | "failed" | "cancelled"} End
   * @param {End} state
   * @param {UploadEvents[End]} detail
   */
  #finish(state, detail) {
    this.#unlisten();
    if (this.#ownsBudget) this.#tools.budget.close();
    this.#tell();
    this.#end.abort(new DOMException("Over.", "AbortError"));
    this.#become(state);
    // Not before: what is told last may be remembered.
    if (state !== "failed" || GONE.has(/** @type {UploadError} */ (this.error).code)) this.#forget();
    this.emit(state, detail);
  }

  #progressed() {
    const wait = this.#toldAt + TELL_MS - this.#tools.clock.now();
    if (wait <= 0) this.#tell();
    else this.#teller ??= this.#tools.clock.setTimeout(() => this.#tell(), wait);
  }

  #tell() {
    const { clock } = this.#tools;
    clock.clearTimeout(this.#teller);
    this.#teller = null;
    this.#toldAt = clock.now();
    this.emit("progress", this.#meter.look());
    if (this.#toldAt - this.#rememberedAt >= REMEMBER_MS && AT_WORK.has(this.#state)) this.#remember();
  }

  #remember() {
    if (this.#options.remember === false || !this.#driving.isOpen || this.uploadId === null) return;
    this.#rememberedAt = this.#tools.clock.now();
    const { file, uploadId } = this;
    this.#memory.remember({
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
    });
  }

  #forget() {
    const { endpoint, uploadId } = this;
    if (uploadId !== null) this.#memory.forget({ endpoint, uploadId });
  }
}
