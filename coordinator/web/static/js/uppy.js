/**
 * An uploader for @uppy/core 6: Uppy's Dashboard in front, these checksums, parallel chunks and
 * resume behind it. It imports nothing of Uppy, so that it serves with any bundler, and none.
 */

import { UploadError } from "./problems.js";
import { Uploads } from "./uploads.js";

/**
 * @typedef {import("./opening.js").SessionRequest & { meta: Record<string, unknown> }} UppySessionRequest
 *
 * @typedef {object} OwnUppyOptions
 * @property {string} [id] by default `Coordinator`
 * @property {(request: UppySessionRequest) => Promise<import("./opening.js").Session> | import("./opening.js").Session} session
 *   as everywhere, and told the file's `meta`, too
 *
 * @typedef {OwnUppyOptions & Omit<import("./uploads.js").UploadsOptions, "session" | "autoStart">} UppyOptions
 *
 * @typedef {any} Uppy of @uppy/core
 * @typedef {any} UppyFile
 */

/** `uppy.use(CoordinatorUploader, { session })` */
export default class CoordinatorUploader {
  static VERSION = "0.1.0";

  type = "uploader";
  VERSION = CoordinatorUploader.VERSION;
  defaultLocale = { strings: {} };
  /** @type {Map<string, import("./upload.js").Upload>} */
  #uploads = new Map();
  /** @type {[string, (...details: any[]) => void][]} */
  #listeners = [];
  #queue;

  /**
   * @param {Uppy} uppy
   * @param {UppyOptions} opts
   */
  constructor(uppy, opts) {
    this.uppy = uppy;
    this.opts = opts;
    this.id = opts.id ?? "Coordinator";
    // Each file asks by a session of its own, which knows its meta.
    this.#queue = new Uploads({ ...opts, session: (request) => opts.session({ ...request, meta: {} }) });
  }

  install() {
    this.#setResumable(true);
    this.uppy.addUploader(this.#upload);
    this.#hear("upload-pause", (/** @type {UppyFile} */ file, /** @type {boolean} */ isPaused) => {
      const upload = this.#uploads.get(file?.id);
      if (isPaused) upload?.pause();
      else if (upload?.state === "paused") upload.resume();
    });
    this.#hear("pause-all", () => {
      for (const upload of this.#uploads.values()) upload.pause();
    });
    this.#hear("resume-all", () => {
      for (const upload of this.#uploads.values()) if (upload.state === "paused") upload.resume();
    });
    this.#hear("file-removed", (/** @type {UppyFile} */ file) => this.#drop(file.id));
    this.#hear("cancel-all", () => {
      for (const id of [...this.#uploads.keys()]) this.#drop(id);
    });
  }

  uninstall() {
    this.#setResumable(false);
    this.uppy.removeUploader(this.#upload);
    for (const [type, listener] of this.#listeners.splice(0)) this.uppy.off(type, listener);
    // What is under way can be gone on with later; nothing is given up at the service.
    for (const upload of this.#uploads.values()) upload.pause();
    this.#uploads.clear();
    this.#queue.budget.close();
  }

  /** Uppy calls these of every plugin; an uploader shows nothing. */
  update() {}

  afterUpdate() {}

  i18nInit() {}

  /** @param {string} key */
  i18n(key) {
    return key;
  }

  /** @param {string} key */
  i18nArray(key) {
    return [key];
  }

  /** @returns {never} */
  addTarget() {
    throw new Error("An uploader has no place for other plugins.");
  }

  getPluginState() {
    return this.uppy.getState().plugins?.[this.id] ?? {};
  }

  /** @param {Record<string, unknown>} [update] */
  setPluginState(update) {
    const { plugins } = this.uppy.getState();
    this.uppy.setState({ plugins: { ...plugins, [this.id]: { ...plugins[this.id], ...update } } });
  }

  /** @param {Partial<UppyOptions>} [options] for files that are added afterwards */
  setOptions(options) {
    this.opts = { ...this.opts, ...options };
    this.setPluginState();
  }

  #upload = async (/** @type {string[]} */ ids) => {
    const files = this.uppy.getFilesByIds(ids)
      .filter((/** @type {UppyFile} */ file) => !file.error && !file.progress.uploadComplete);
    this.uppy.emit("upload-start", files.filter((/** @type {UppyFile} */ file) => !file.progress.uploadStarted || !file.isRestored));
    await Promise.all(files.map((/** @type {UppyFile} */ file) => this.#see(file)));
  };

  /** Resolves when the file is over, however it ended: Uppy is told by its own events. */
  async #see(/** @type {UppyFile} */ file) {
    if (file.isRemote) {
      this.#failed(file.id, new UploadError("file-unreadable", "Files of other services are not in this browser."));
      return;
    }
    const known = this.#uploads.get(file.id);
    if (known !== undefined && known.state !== "cancelled") {
      // A retry: what arrived before is not sent again.
      const over = ended(known);
      this.#queue.retry(known);
      await over;
      return;
    }
    const [upload] = await this.#queue.add([{ file: named(file), path: file.meta?.relativePath || file.name }], {
      session: (request) => this.opts.session({ ...request, meta: { ...this.uppy.getFile(file.id)?.meta } }),
    });
    this.#uploads.set(file.id, upload);
    this.#connect(file.id, upload);
    if (this.uppy.getFile(file.id) === undefined) this.#drop(file.id);
    if (upload.error === null) await ended(upload);
  }

  #connect(/** @type {string} */ id, /** @type {import("./upload.js").Upload} */ upload) {
    upload.on("progress", ({ uploadedBytes, totalBytes }) => {
      const file = this.uppy.getFile(id);
      if (file === undefined || upload.state === "failed" || upload.state === "cancelled") return;
      this.uppy.emit("upload-progress", file, {
        uploadStarted: file.progress.uploadStarted ?? Date.now(), bytesUploaded: uploadedBytes, bytesTotal: totalBytes,
      });
    });
    upload.on("completed", ({ result }) => {
      this.uppy.emit("upload-success", this.uppy.getFile(id), { status: 200, body: result });
    });
    upload.on("failed", ({ error }) => this.#failed(id, error));
    if (upload.error !== null) this.#failed(id, upload.error);
    upload.on("warning", ({ error }) => this.uppy.log(`[Coordinator] ${error.code}: ${error.detail}`, "warning"));
  }

  #failed(/** @type {string} */ id, /** @type {UploadError} */ error) {
    const { name, message, advice } = error;
    this.uppy.emit("upload-error", this.uppy.getFile(id), { name, message, details: advice, code: error.code });
  }

  #drop(/** @type {string} */ id) {
    const upload = this.#uploads.get(id);
    this.#uploads.delete(id);
    if (upload === undefined) return;
    this.#queue.remove(upload).catch((error) => this.uppy.log(error, "warning"));
  }

  #hear(/** @type {string} */ type, /** @type {(...details: any[]) => void} */ listener) {
    this.#listeners.push([type, listener]);
    this.uppy.on(type, listener);
  }

  #setResumable(/** @type {boolean} */ resumableUploads) {
    const { capabilities } = this.uppy.getState();
    this.uppy.setState({ capabilities: { ...capabilities, resumableUploads } });
  }
}

export { CoordinatorUploader };

/** @returns {Promise<void>} */
function ended(/** @type {import("./upload.js").Upload} */ upload) {
  return new Promise((resolve) => {
    for (const type of ["completed", "failed", "cancelled"]) upload.addEventListener(type, () => resolve(), { once: true });
  });
}

/**
 * Uppy lets files be renamed, and edited ones are Blobs. Neither copies a byte here.
 *
 * @param {UppyFile} file
 * @returns {File}
 */
function named({ data, name, type }) {
  if (data instanceof File && data.name === name) return data;
  return new File([data], name, { type: type || data.type, lastModified: data.lastModified });
}
