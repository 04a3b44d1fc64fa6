/**
 * The list of all uploads of this page, with what can be done for all of them at once.
 */

import { UploadError } from "../../js/coordinator.js";
import { announce, confirmed, formatBytes, formatCount, h, icon, plural, setAttribute, setText } from "../shell.js";
import { Figures, paintSoon } from "./frames.js";
import { percentOf, progressText } from "./progress-text.js";
import { Row } from "./row.js";
import { adviceOf } from "./words.js";

/**
 * @typedef {import("../../js/coordinator.js").Upload} Upload
 * @typedef {import("../../js/coordinator.js").Uploads} Uploads
 * @typedef {import("./row.js").Group} Group
 * @typedef {Group | "all"} Show
 */

/** @type {{ group: Show, name: string }[]} */
const FILTERS = [
  { group: "all", name: "All" },
  { group: "active", name: "Uploading" },
  { group: "waiting", name: "Waiting" },
  { group: "failed", name: "Failed" },
  { group: "done", name: "Done" },
];
const FILTERS_FROM = 6;
const OVER = new Set(["completed", "failed", "cancelled"]);

export class UploadList {
  /** @type {Map<Upload, Row>} */
  #rows = new Map();
  #uploads;
  #text = new Figures(this);
  #toldQuarter = 0;
  #list = h("ol", { class: "uploads", role: "list", "data-show": "all" });
  #title = h("h2", { id: "uploads-title", tabIndex: -1 });
  #figures = h("p", { class: "figures soft small" });
  #track = h("div", { class: "track whole", role: "progressbar", "aria-label": "All files", "aria-valuemin": "0", "aria-valuemax": "100" });
  #pause = h("button", { class: "button", type: "button", on: { click: () => this.#pauseOrResume() } });
  #retry = h("button", { class: "button", type: "button", on: { click: () => this.#retryAll() } }, icon("retry"), "Retry failed");
  #cancel = h("button", { class: "quiet", type: "button", on: { click: () => this.#cancelAll() } }, "Cancel all");
  #clear = h("button", { class: "quiet", type: "button", on: { click: () => this.#clearDone() } }, "Clear finished");
  #filters = h("fieldset", { class: "filters", hidden: true }, h("legend", { class: "unseen" }, "Show"));
  /** @type {Map<Show, HTMLElement>} */
  #counts = new Map();
  #nothing = h("p", { class: "soft nothing", hidden: true }, "None of the files is in this state.");
  #actions;
  #onRemoved;
  #surroundings;

  /**
   * @param {Uploads} uploads
   * @param {Pick<import("./row.js").RowActions, "chooseAgain"> & { onRemoved: () => void }} actions
   * @param {Omit<import("./result.js").Surroundings, "isAlone">} surroundings
   */
  constructor(uploads, { chooseAgain, onRemoved }, surroundings) {
    this.#uploads = uploads;
    this.#onRemoved = onRemoved;
    this.#surroundings = { ...surroundings, isAlone: () => this.#rows.size <= 3 };
    this.#actions = {
      chooseAgain,
      retry: (/** @type {Upload} */ upload) => this.#retryOne(upload),
      cancel: (/** @type {Upload} */ upload) => this.#cancelOne(upload),
      remove: (/** @type {Upload} */ upload) => this.remove(upload),
    };
    for (const { group, name } of FILTERS) this.#filters.append(this.#filter(group, name));
    this.element = h("section", { class: "list", "aria-labelledby": "uploads-title", hidden: true },
      h("div", { class: "list-head" },
        h("div", { class: "list-sum" }, this.#title, this.#figures),
        h("div", { class: "list-buttons" }, this.#pause, this.#retry, this.#cancel, this.#clear),
        this.#track),
      this.#filters, this.#list, this.#nothing);
    uploads.on("state", ({ upload, state }) => this.#changed(upload, state));
    uploads.on("progress", () => paintSoon(this));
    uploads.on("done", (done) => this.#done(done));
  }

  /** @param {Upload[]} added */
  add(added) {
    for (const upload of added) {
      const row = new Row(upload, this.#actions, this.#surroundings);
      this.#rows.set(upload, row);
    }
    this.#list.append(...added.map((upload) => /** @type {Row} */ (this.#rows.get(upload)).element));
    this.#toldQuarter = 0;
    announce(added.length === 1 ? `Added ${added[0].file.name}.` : `Added ${formatCount(added.length)} files.`, "added");
    this.#paintNow();
  }

  /** @param {Upload} upload */
  remove(upload) {
    const row = this.#rows.get(upload);
    if (row === undefined) return;
    const next = row.element.nextElementSibling ?? row.element.previousElementSibling;
    const hadFocus = row.element.contains(document.activeElement);
    row.close();
    row.element.remove();
    this.#rows.delete(upload);
    this.#uploads.remove(upload);
    this.#paintNow();
    if (hadFocus) /** @type {HTMLElement} */ (next ?? document.querySelector("main")).focus();
    this.#onRemoved();
  }

  paint() {
    const { progress } = this.#uploads;
    const { files } = progress;
    const over = files.completed + files.failed + files.cancelled;
    const open = files.total - over;
    const percent = percentOf(progress);
    document.title = open > 0 ? `${percent} % · Upload · Coordinator` : "Upload · Coordinator";
    setAttribute(this.#track, "aria-valuenow", String(percent));
    this.#track.style.backgroundSize = `${percent}% 100%`;
    this.#track.hidden = files.total < 2 || open === 0;
    if (!this.#text.isTime) return;
    this.element.hidden = files.total === 0;
    setText(this.#title, titleOf(files));
    setText(this.#figures, open > 0 ? progressText(progress, { isMoving: !this.#isStill }) : this.#sumOfDone());
    document.body.toggleAttribute("data-busy", files.total > 0);
    this.#showButtons(files, open);
    this.#showCounts(files);
  }

  #paintNow() {
    this.#text.hurry();
    this.paint();
  }

  get #isAllPaused() {
    return this.#uploads.isPaused || this.#all(new Set(["paused"]));
  }

  /** Nothing moves, so that there is no speed to tell. */
  get #isStill() {
    return this.#uploads.isPaused || this.#all(new Set(["paused", "offline"]));
  }

  /** Whether there are uploads under way, all of them in these states. */
  #all(/** @type {Set<string>} */ states) {
    const begun = [...this.#rows.keys()].filter(({ state }) => !OVER.has(state) && state !== "new");
    return begun.length > 0 && begun.every(({ state }) => states.has(state));
  }

  #sumOfDone() {
    let bytes = 0;
    for (const { state, file } of this.#rows.keys()) if (state === "completed") bytes += file.size;
    return bytes === 0 ? "" : `${formatBytes(bytes)} in all`;
  }

  #showButtons(/** @type {any} */ files, /** @type {number} */ open) {
    const isPaused = this.#isAllPaused;
    const text = isPaused ? "Resume all" : "Pause all";
    if (this.#pause.textContent !== text) this.#pause.replaceChildren(icon(isPaused ? "play" : "pause"), text);
    show(this.#pause, open > 0, this.#title);
    show(this.#retry, files.failed > 0, this.#title);
    show(this.#cancel, open > 0, this.#title);
    show(this.#clear, files.completed + files.cancelled > 0, this.#title);
  }

  #showCounts(/** @type {any} */ files) {
    this.#filters.hidden = files.total < FILTERS_FROM;
    /** @type {Record<string, number>} */
    const counts = { all: this.#rows.size, active: 0, waiting: 0, failed: 0, done: 0 };
    for (const row of this.#rows.values()) counts[row.group] += 1;
    for (const [group, element] of this.#counts) setText(element, formatCount(counts[group]));
    const shown = this.#list.dataset.show ?? "all";
    if (this.#filters.hidden && shown !== "all") this.#list.dataset.show = "all";
    this.#nothing.hidden = counts[shown] > 0 || counts.all === 0;
  }

  #filter(/** @type {Show} */ group, /** @type {string} */ name) {
    const count = h("span", { class: "figures soft" });
    this.#counts.set(group, count);
    const input = h("input", { type: "radio", name: "show", value: group, checked: group === "all" });
    input.addEventListener("change", () => {
      this.#list.dataset.show = group;
      this.#paintNow();
    });
    return h("label", { class: "filter" }, input, h("span", null, name, " ", count));
  }

  #changed(/** @type {Upload} */ upload, /** @type {string} */ state) {
    const { name } = upload.file;
    if (state === "completed" && this.#rows.size === 1) announce(`${name} is uploaded and proven.`, "far");
    if (state === "failed") this.#tellFailure(upload);
    if (state === "offline") announce("There is no connection. The upload goes on by itself when it is back.", "offline");
    this.#tellQuarters();
    paintSoon(this);
  }

  #tellFailure(/** @type {Upload} */ { file, error }) {
    const failed = [...this.#rows.keys()].filter(({ state }) => state === "failed").length;
    announce(failed > 1 ? `${plural(failed, "file")} failed.` : `${file.name} failed. ${error === null ? "" : `${error.detail} ${adviceOf(error)}`}`, "failed");
  }

  /** A quarter, a half, three quarters: more would be chatter. */
  #tellQuarters() {
    const quarter = Math.floor(percentOf(this.#uploads.progress) / 25);
    if (quarter <= this.#toldQuarter || quarter === 4) return;
    this.#toldQuarter = quarter;
    announce(`${quarter * 25} percent uploaded.`, "far");
  }

  #done(/** @type {{ completed: number, failed: number }} */ { completed, failed }) {
    if (this.#rows.size > 1) {
      announce(`All done: ${plural(completed, "file")} uploaded and proven${failed > 0 ? `, ${formatCount(failed)} failed` : ""}.`, "far");
    }
    this.#paintNow();
  }

  #pauseOrResume() {
    if (this.#isAllPaused) this.#uploads.resume();
    else this.#uploads.pause();
    this.#paintNow();
  }

  #retryOne(/** @type {Upload} */ upload) {
    this.#rows.get(upload)?.queued();
    this.#uploads.retry(upload);
  }

  #retryAll() {
    for (const [upload, row] of this.#rows) if (upload.state === "failed") row.queued();
    this.#uploads.retry();
    this.#paintNow();
  }

  /** Nothing was sent, nothing is lost; otherwise a slip of the hand would cost hours. */
  async #cancelOne(/** @type {Upload} */ upload) {
    const isSure = upload.progress.uploadedBytes === 0 || await confirmed({
      title: "Cancel this upload?",
      text: `What is there of ${upload.file.name} is removed. Your own file stays as it is.`,
      yes: "Cancel it",
      no: "Go on",
    });
    if (!isSure) return;
    if (upload.state === "new") this.remove(upload);
    else await this.#givenUp(upload.cancel());
  }

  async #cancelAll() {
    const open = [...this.#rows.keys()].filter(({ state }) => !OVER.has(state)).length;
    const isSure = await confirmed({
      title: `Cancel ${plural(open, "upload")}?`,
      text: "What is there of them is removed. Files that are done stay, and so do your own.",
      yes: "Cancel all",
      no: "Go on",
    });
    if (isSure) await this.#givenUp(this.#uploads.cancel());
    this.#paintNow();
  }

  /** Here it is over in any case; what the service still has of it ends with its time. */
  async #givenUp(/** @type {Promise<unknown>} */ cancelling) {
    try {
      await cancelling;
      announce("Cancelled.", "far");
    } catch (error) {
      if (!(error instanceof UploadError)) throw error;
      announce(`Cancelled here. The service could not be told: ${error.detail}`, "far");
    }
  }

  #clearDone() {
    for (const upload of [...this.#rows.keys()]) {
      if (upload.state === "completed" || upload.state === "cancelled") this.remove(upload);
    }
  }
}

/** What disappears with the focus on it hands the focus on. */
function show(/** @type {HTMLElement} */ button, /** @type {boolean} */ isShown, /** @type {HTMLElement} */ otherwise) {
  if (button.hidden === !isShown) return;
  const hadFocus = button === document.activeElement;
  button.hidden = !isShown;
  if (hadFocus && !isShown) otherwise.focus();
}

function titleOf(/** @type {any} */ { total, completed, failed, cancelled }) {
  const open = total - completed - failed - cancelled;
  const parts = [total === completed ? `${plural(total, "file")} uploaded` : `${formatCount(completed)} of ${plural(total, "file")} uploaded`];
  if (failed > 0) parts.push(`${formatCount(failed)} failed`);
  if (cancelled > 0) parts.push(`${formatCount(cancelled)} cancelled`);
  return open === total && total === 1 ? "1\u00a0file" : parts.join(" · ");
}
