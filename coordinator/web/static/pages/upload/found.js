/**
 * Uploads of earlier visits that are not over: each waits for its file, or for a permission to read it.
 */

import { forget, openUploads } from "../../js/coordinator.js";
import { ask, confirmed, formatAgo, formatBytes, h, icon, Problem } from "../shell.js";
import { chooseFiles } from "./choosing.js";

/**
 * @typedef {import("../../js/remembered.js").Entry} Entry
 * @typedef {import("../../js/dropped.js").FoundFile} FoundFile
 *
 * @typedef {object} FoundOptions
 * @property {(file: FoundFile, entry: Entry) => void} onFile go on with this file
 * @property {(text: string) => void} say
 * @property {(uploadId: string) => boolean} isHere whether this page has it in its list
 */

const LOCKS = "coordinator.upload.";

/**
 * Hold an upload for as long as this page has it, so that other tabs do not offer to go on with it.
 *
 * @param {string} uploadId
 * @param {Promise<unknown>} until
 */
export function hold(uploadId, until) {
  navigator.locks?.request(LOCKS + uploadId, { ifAvailable: true }, async (lock) => {
    if (lock !== null) await until;
  });
}

/** @returns {Promise<Set<string>>} ids of uploads that some tab is at */
async function heldElsewhere() {
  const { held = [] } = (await navigator.locks?.query()) ?? {};
  return new Set(held.map(({ name = "" }) => name).filter((name) => name.startsWith(LOCKS)).map((name) => name.slice(LOCKS.length)));
}

/** The list of them; hidden while there is none. */
export class FoundUploads {
  /** @type {Map<string, { entry: Entry, row: HTMLElement }>} */
  #offered = new Map();
  #list = h("ul", { class: "found-list", role: "list" });
  #input = h("input", { type: "file", id: "found-file", class: "unseen", tabIndex: -1, "aria-hidden": "true" });
  /** @type {Entry | null} */
  #asked = null;
  #options;

  /** @param {FoundOptions} options */
  constructor(options) {
    this.#options = options;
    this.element = h("section", { class: "card found", "aria-labelledby": "found-title", hidden: true },
      h("h2", { id: "found-title" }, "Not finished yet"),
      h("p", { class: "soft small" },
        "These uploads of an earlier visit are still open. Choose the same file, or drop it anywhere here, and only what is missing is sent."),
      this.#list, this.#input);
    this.#input.addEventListener("change", () => {
      const file = this.#input.files?.[0];
      this.#input.value = "";
      if (file !== undefined && this.#asked !== null) this.#take({ file, path: this.#asked.path }, this.#asked);
    });
  }

  /**
   * Look for them. Those that this tab or another is at are not offered.
   *
   * @returns {Promise<number>} how many there are
   */
  async look() {
    const busy = await heldElsewhere();
    for (const entry of await openUploads()) {
      const { uploadId } = entry;
      if (busy.has(uploadId) || this.#offered.has(uploadId) || this.#options.isHere(uploadId)) continue;
      const row = this.#rowOf(entry);
      this.#offered.set(uploadId, { entry, row });
      this.#list.append(row);
    }
    this.element.hidden = this.#offered.size === 0;
    return this.#offered.size;
  }

  /**
   * Find the upload that a file belongs to, by all that can be told without reading it.
   *
   * @param {FoundFile} found
   * @returns {Entry | null} null for none, or if there are several and none has its path
   */
  match({ file, path }) {
    const alike = [...this.#offered.values()].map(({ entry }) => entry).filter(
      ({ fileName, fileSize, lastModified }) => fileName === file.name && fileSize === file.size && lastModified === file.lastModified);
    return alike.find((entry) => entry.path === path) ?? (alike.length === 1 ? alike[0] : null);
  }

  /** It is being gone on with, or gone. */
  withdraw(/** @type {Entry} */ { uploadId }) {
    const offered = this.#offered.get(uploadId);
    if (offered === undefined) return;
    const hadFocus = offered.row.contains(document.activeElement);
    this.#offered.delete(uploadId);
    offered.row.remove();
    this.element.hidden = this.#offered.size === 0;
    if (hadFocus) document.querySelector("main")?.focus();
  }

  #rowOf(/** @type {Entry} */ entry) {
    const { fileName, fileSize, uploadedBytes, startedAt, handle } = entry;
    const share = fileSize === 0 ? 0 : Math.min(100, Math.floor((100 * uploadedBytes) / fileSize));
    const bar = h("div", { class: "track", "aria-hidden": "true" });
    bar.style.backgroundImage = `linear-gradient(90deg, var(--chunk-there) 0 ${share}%, var(--chunk-missing) ${share}% 100%)`;
    const go = handle === undefined
      ? h("button", { class: "button", type: "button", on: { click: () => this.#choose(entry) } }, icon("file"), "Choose the file")
      : h("button", { class: "button", type: "button", on: { click: () => this.#reopen(entry, handle) } }, icon("play"), "Continue");
    const drop = h("button", { class: "quiet", type: "button", on: { click: () => this.#discard(entry) } }, "Discard");
    for (const button of [go, drop]) button.setAttribute("aria-label", `${button.textContent}: ${fileName}`);
    return h("li", { class: "found-row" },
      h("div", { class: "upload-name" },
        h("h3", null, h("bdi", null, fileName)),
        h("p", { class: "soft small figures" },
          `${formatBytes(uploadedBytes)} of ${formatBytes(fileSize)} are there · begun ${formatAgo(startedAt)}`)),
      h("div", { class: "found-buttons" }, go, drop),
      bar);
  }

  #choose(/** @type {Entry} */ entry) {
    this.#asked = entry;
    chooseFiles({
      isOne: true,
      input: this.#input,
      onChosen: (source) => this.#take(/** @type {FoundFile} */ ([.../** @type {Iterable<any>} */ (source)][0]), entry),
    });
  }

  /** Only a click may ask for the permission that ended with the last visit. */
  async #reopen(/** @type {Entry} */ entry, /** @type {any} */ handle) {
    if ((await handle.requestPermission?.({ mode: "read" })) === "denied") {
      this.#options.say(`The browser may not read ${entry.fileName}. Choose the file instead.`);
      this.#choose(entry);
      return;
    }
    try {
      this.#take({ file: await handle.getFile(), path: entry.path, handle }, entry);
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      this.#options.say(`${entry.fileName} is not where it was. Choose the file instead.`);
      this.#choose(entry);
    }
  }

  #take(/** @type {FoundFile} */ file, /** @type {Entry} */ entry) {
    this.#asked = null;
    this.withdraw(entry);
    this.#options.onFile(file, entry);
  }

  async #discard(/** @type {Entry} */ entry) {
    const { fileName, uploadId, uploadedBytes } = entry;
    const isSure = await confirmed({
      title: "Discard this upload?",
      text: `What is there of ${fileName} (${formatBytes(uploadedBytes)}) is removed. Your own file stays as it is.`,
      yes: "Discard it",
      no: "Keep it",
    });
    if (!isSure) return;
    try {
      await ask(`/api/uploads/${encodeURIComponent(uploadId)}`, { method: "DELETE" });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      // What is gone or over there is forgotten here, too.
      if (!["upload-not-found", "wrong-phase"].includes(error.code)) {
        this.#options.say(`It could not be discarded. ${error.detail}`);
        return;
      }
    }
    await forget({ uploadId });
    this.withdraw(entry);
    this.#options.say(`${fileName} was discarded.`);
  }
}
