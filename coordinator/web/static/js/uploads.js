/**
 * Many files, one queue: hundreds of small ones side by side, large ones a few at a time, all of
 * them within one budget of lanes and hashers.
 */

import { Budget } from "./budget.js";
import { filesOf } from "./dropped.js";
import { Emitter } from "./events.js";
import { Speed } from "./progress.js";
import { Upload } from "./upload.js";

/**
 * @typedef {object} QueueOptions
 * @property {number} [filesAtOnce] by default 8
 * @property {number} [largeFilesAtOnce] of them so many above 64 MiB; by default 2
 * @property {boolean} [autoStart] start what is added; by default true
 *
 * @typedef {QueueOptions & Omit<import("./options.js").UploadOptions, "resume" | "resumeKey" | "path" | "handle">} UploadsOptions
 *
 * @typedef {object} Totals
 * @property {number} uploadedBytes never goes down, unless a file is removed
 * @property {number} totalBytes
 * @property {number} bytesPerSecond
 * @property {number | null} secondsLeft
 * @property {{ total: number, completed: number, failed: number, cancelled: number, waiting: number, running: number }} files
 *
 * @typedef {object} UploadsEvents what each event's `detail` is
 * @property {{ uploads: Upload[] }} added
 * @property {{ upload: Upload, state: import("./upload.js").State }} state
 * @property {Totals} progress
 * @property {{ upload?: Upload, error: import("./problems.js").UploadError }} warning without `upload`: a folder or
 *   file that could not be read
 * @property {{ completed: number, failed: number, cancelled: number }} done nothing is left to do
 */

const LARGE_BYTES = 64 * 1024 * 1024;
const TELL_MS = 200;
const OVER = new Set(["completed", "failed", "cancelled"]);

/**
 * A queue of uploads. `add` files or what was dropped; iterate to get each Upload in order.
 *
 * @extends {Emitter<UploadsEvents>}
 */
export class Uploads extends Emitter {
  /** @type {Upload[]} */
  #uploads = [];
  /** @type {Set<Upload>} waiting for their turn */
  #waiting = new Set();
  /** @type {Set<Upload>} */
  #running = new Set();
  /** @type {Map<Upload, number>} */
  #shown = new Map();
  #isPaused;
  #wasBusy = false;
  /** @type {unknown} */
  #teller = null;
  #options;
  #speed;

  /** @param {UploadsOptions} options */
  constructor(options) {
    super([]);
    if (typeof options?.session !== "function") throw new TypeError("Uploads needs a `session`: a call to the page's backend.");
    this.#options = options;
    this.budget = options.budget ?? new Budget(options);
    this.filesAtOnce = options.filesAtOnce ?? 8;
    this.largeFilesAtOnce = options.largeFilesAtOnce ?? 2;
    this.#isPaused = options.autoStart === false;
    this.#speed = new Speed(this.budget.clock.now);
  }

  get length() {
    return this.#uploads.length;
  }

  get isPaused() {
    return this.#isPaused;
  }

  /** @returns {IterableIterator<Upload>} */
  [Symbol.iterator]() {
    return this.#uploads.values();
  }

  /**
   * Add files, chosen or dropped, with all that is in dropped folders. Call it inside the event that
   * brought them. What cannot be read is told by `warning` events, and the rest is added.
   *
   * @param {import("./dropped.js").Source} source
   * @param {Partial<import("./options.js").OwnOptions>} [options] for these files only
   * @returns {Promise<Upload[]>} each has its `path`
   */
  async add(source, options = {}) {
    const { files, unreadable } = await filesOf(source);
    for (const error of unreadable) this.emit("warning", { error });
    const added = files.map(({ file, ...found }) => {
      const upload = new Upload(file, { ...this.#options, ...options, ...found, budget: this.budget });
      this.#listenTo(upload);
      this.#uploads.push(upload);
      this.#waiting.add(upload);
      return upload;
    });
    if (added.length > 0) {
      this.emit("added", { uploads: added });
      this.#progressed();
      this.#next();
    }
    return added;
  }

  /** Pause all; what waits begins no more. */
  pause() {
    this.#isPaused = true;
    for (const upload of [...this.#running]) upload.pause();
  }

  /** Go on with all that was paused, and with what waits. What has failed needs `retry`. */
  resume() {
    this.#isPaused = false;
    for (const upload of this.#uploads) if (upload.state === "paused") upload.resume();
    this.#next();
  }

  /**
   * Give up one upload, or all that are not over, here and at the service.
   *
   * @param {Upload} [upload]
   */
  async cancel(upload) {
    if (upload !== undefined) {
      await upload.cancel();
      return;
    }
    this.#waiting.clear();
    await Promise.all(this.#uploads.filter(({ state }) => !OVER.has(state)).map((upload) => upload.cancel()));
  }

  /**
   * Try again what failed or was cancelled: one, or without an argument all that failed.
   *
   * @param {Upload} [upload]
   */
  retry(upload) {
    const again = upload === undefined ? this.#uploads.filter(({ state }) => state === "failed") : [upload];
    for (const each of again) if (OVER.has(each.state) && each.state !== "completed") this.#waiting.add(each);
    this.#next();
  }

  /**
   * Take an upload out of the list; one that is not over is given up.
   *
   * @param {Upload} upload
   */
  async remove(upload) {
    this.#uploads = this.#uploads.filter((each) => each !== upload);
    this.#waiting.delete(upload);
    this.#shown.delete(upload);
    this.#progressed();
    if (!OVER.has(upload.state)) await upload.cancel();
    this.#running.delete(upload);
    this.#next();
  }

  /** @returns {Totals} */
  get progress() {
    const files = { total: this.#uploads.length, completed: 0, failed: 0, cancelled: 0, waiting: this.#waiting.size, running: this.#running.size };
    let [uploadedBytes, totalBytes, left] = [0, 0, 0];
    for (const { state, file, progress } of this.#uploads) {
      if (state === "completed" || state === "failed" || state === "cancelled") files[state] += 1;
      uploadedBytes += progress.uploadedBytes;
      totalBytes += file.size;
      if (state !== "failed" && state !== "cancelled") left += file.size - progress.uploadedBytes;
    }
    const bytesPerSecond = this.#running.size === 0 ? 0 : this.#speed.bytesPerSecond;
    const secondsLeft = left === 0 ? 0 : bytesPerSecond > 0 ? Math.ceil(left / bytesPerSecond) : null;
    return { uploadedBytes, totalBytes, bytesPerSecond, secondsLeft, files };
  }

  #listenTo(/** @type {Upload} */ upload) {
    upload.on("state", ({ state }) => this.#changed(upload, state));
    upload.on("warning", ({ error }) => this.emit("warning", { upload, error }));
    upload.on("progress", ({ uploadedBytes }) => {
      this.#speed.moved(Math.max(0, uploadedBytes - (this.#shown.get(upload) ?? 0)));
      this.#shown.set(upload, uploadedBytes);
      this.#progressed();
    });
  }

  #changed(/** @type {Upload} */ upload, /** @type {import("./upload.js").State} */ state) {
    this.emit("state", { upload, state });
    this.#progressed();
    // A paused one gives its place to the next; resumed, it may be one too many for a while.
    if (OVER.has(state) || state === "paused") this.#running.delete(upload);
    else this.#running.add(upload);
    if (state !== "new") this.#waiting.delete(upload);
    this.#next();
  }

  #next() {
    if (this.#isPaused) return;
    for (const upload of [...this.#waiting]) {
      if (this.#running.size >= this.filesAtOnce) break;
      if (!this.#hasRoomFor(upload)) continue;
      this.#waiting.delete(upload);
      this.#running.add(upload);
      this.#wasBusy = true;
      upload.start();
    }
    if (this.#wasBusy && this.#running.size === 0 && this.#waiting.size === 0 && this.#uploads.every(({ state }) => OVER.has(state))) {
      this.#wasBusy = false;
      // Listeners of the last upload's own events come first.
      queueMicrotask(() => this.#done());
    }
  }

  #hasRoomFor(/** @type {Upload} */ { file }) {
    if (file.size <= LARGE_BYTES) return true;
    return [...this.#running].filter((each) => each.file.size > LARGE_BYTES).length < this.largeFilesAtOnce;
  }

  #done() {
    this.#tell();
    this.budget.close();
    const { files } = this.progress;
    this.emit("done", { completed: files.completed, failed: files.failed, cancelled: files.cancelled });
  }

  #progressed() {
    this.#teller ??= this.budget.clock.setTimeout(() => this.#tell(), TELL_MS);
  }

  #tell() {
    this.budget.clock.clearTimeout(this.#teller);
    this.#teller = null;
    this.emit("progress", this.progress);
  }
}
