/**
 * One upload in the list. It paints what has changed and nothing else, at most once a frame.
 */

import { formatBytes, formatCount, h, icon, setAttribute, setText } from "../shell.js";
import { ChunkMap } from "./chunk-map.js";
import { Figures, paintSoon } from "./frames.js";
import { endOf } from "./media-types.js";
import { percentOf, progressText } from "./progress-text.js";
import { ResultView } from "./result.js";
import { adviceOf, ASKS_FOR_FILE, HINTS, STATES, titleOf } from "./words.js";

/**
 * @typedef {import("../../js/coordinator.js").Upload} Upload
 *
 * @typedef {object} RowActions what the buttons do
 * @property {(upload: Upload) => void} retry
 * @property {(upload: Upload) => void} cancel
 * @property {(upload: Upload) => void} remove
 * @property {(upload: Upload) => void} chooseAgain
 *
 * @typedef {"waiting" | "active" | "failed" | "done"} Group
 */

const PAUSABLE = new Set(["preparing", "proving", "uploading", "completing", "offline"]);
const MOVING = new Set(["uploading", "proving"]);
const FAR = new Set(["preparing", "proving", "uploading", "paused", "offline", "failed"]);
const ALTERED = "altered-on-the-way";
const OVER = new Set(["completed", "failed", "cancelled"]);

let count = 0;

export class Row {
  #id = `upload-${(count += 1)}`;
  #shownState = "";
  #text = new Figures(this);
  #isQueued = false;
  /** @type {Map<string, number>} how often what went wrong and was tried again, by code */
  #warnings = new Map();
  #state = h("span", { class: "pill" });
  #figures = h("span", { class: "figures soft small" });
  #warning = h("p", { class: "upload-warning small", hidden: true });
  #track = h("div", { class: "track", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" });
  #problem = h("div", { class: "notice", "data-tone": "bad", hidden: true });
  #main = h("button", { class: "iconic", type: "button" });
  #end = h("button", { class: "iconic", type: "button" });
  #map;
  #actions;
  /** @type {ResultView | null} */
  #result = null;

  /**
   * @param {Upload} upload
   * @param {RowActions} actions
   * @param {import("./result.js").Surroundings} surroundings
   */
  constructor(upload, actions, surroundings) {
    this.upload = upload;
    this.#actions = actions;
    this.surroundings = surroundings;
    this.#map = new ChunkMap(this.#track, upload.file.size);
    const { name, size } = upload.file;
    const folder = upload.path.slice(0, Math.max(0, upload.path.length - name.length));
    this.#track.setAttribute("aria-labelledby", `${this.#id}-name`);
    this.#main.addEventListener("click", () => this.#act());
    this.#end.addEventListener("click", () => (OVER.has(upload.state) ? actions.remove(upload) : actions.cancel(upload)));
    this.element = h("li", { class: "upload", id: this.#id, tabIndex: -1, "aria-labelledby": `${this.#id}-name` },
      h("div", { class: "upload-head" },
        h("span", { class: "upload-kind", "aria-hidden": "true" }, kindOf(name)),
        h("div", { class: "upload-name" },
          h("h3", { id: `${this.#id}-name` }, h("bdi", null, name)),
          h("p", { class: "soft small" }, folder !== "" && h("bdi", null, folder), folder !== "" && " · ", formatBytes(size))),
        h("div", { class: "upload-actions" }, this.#main, this.#end)),
      this.#track,
      h("div", { class: "upload-line" }, this.#state, this.#figures),
      this.#warning, this.#problem);
    upload.on("state", () => {
      this.#isQueued = false;
      this.#text.hurry();
      paintSoon(this);
    });
    upload.on("progress", () => paintSoon(this));
    upload.on("warning", ({ error }) => {
      this.#warnings.set(error.code, (this.#warnings.get(error.code) ?? 0) + 1);
      paintSoon(this);
    });
    upload.on("chunk", (change) => {
      this.#map.plan(upload.progress.chunks.total);
      this.#map.note(change);
    });
    this.paint();
  }

  /** @returns {Group} */
  get group() {
    const { state } = this.upload;
    if (state === "completed") return "done";
    if (this.#isQueued || state === "new") return "waiting";
    return state === "failed" || state === "cancelled" ? "failed" : "active";
  }

  /** It failed, and waits for its turn again: nothing has begun yet, so the upload says nothing. */
  queued() {
    this.#isQueued = true;
    this.#shownState = "";
    this.paint();
  }

  paint() {
    const { upload } = this;
    const state = this.#isQueued ? "new" : upload.state;
    if (state !== this.#shownState) this.#showState(state);
    this.#map.plan(upload.progress.chunks.total);
    if (state !== "completed") this.#map.paint();
    this.#showFigures(state);
  }

  #showState(/** @type {string} */ state) {
    this.#shownState = state;
    const word = STATES[state];
    this.element.dataset.state = state;
    this.element.dataset.group = this.group;
    setAttribute(this.#state, "data-tone", word.tone || null);
    this.#state.replaceChildren(icon(word.icon), word.text);
    this.#track.hidden = state === "cancelled" || state === "new";
    if (state === "completed") this.#track.style.backgroundImage = "";
    this.#showButtons(state);
    this.#showProblem(state);
    if (state === "completed") this.#showResult();
  }

  #showFigures(/** @type {string} */ state) {
    if (!this.#text.isTime) return;
    const { progress } = this.upload;
    const far = percentOf(progress);
    const figures = FAR.has(state) ? progressText(progress, { isMoving: MOVING.has(state) }) : "";
    setText(this.#figures, [figures, HINTS[state] ?? ""].filter((text) => text !== "").join(" · "));
    this.#showWarning(state);
    setAttribute(this.#track, "aria-valuenow", String(state === "completed" ? 100 : far));
    setAttribute(this.#track, "aria-valuetext", `${far} percent, ${STATES[state].text}`);
  }

  /** That bytes were changed on the way is worth knowing afterwards, too. */
  #showWarning(/** @type {string} */ state) {
    const codes = [...this.#warnings.keys()].filter((code) => code === ALTERED || (PAUSABLE.has(state) && state !== "offline"));
    this.#warning.hidden = codes.length === 0;
    if (codes.length === 0) return;
    const texts = codes.map((code) => `${titleOf(code)} (${formatCount(this.#warnings.get(code) ?? 0)}×)`);
    setText(this.#warning, `${texts.join(", ")}. ${state === "completed" ? "S3 refused those bytes, and the right ones were sent again." : "It is tried again by itself."}`);
  }

  #showButtons(/** @type {string} */ state) {
    const { name } = this.upload.file;
    const hadFocus = this.#main === document.activeElement;
    if (PAUSABLE.has(state)) label(this.#main, "pause", `Pause: ${name}`);
    else if (state === "paused") label(this.#main, "play", `Resume: ${name}`);
    else label(this.#main, "retry", `Upload again: ${name}`);
    this.#main.hidden = state === "completed" || state === "new" || state === "failed";
    if (hadFocus && this.#main.hidden) this.element.focus();
    label(this.#end, "cross", `${OVER.has(state) ? "Remove from the list" : "Cancel"}: ${name}`);
  }

  #act() {
    const { upload } = this;
    if (PAUSABLE.has(upload.state)) upload.pause();
    else if (upload.state === "paused") upload.resume();
    else this.#actions.retry(upload);
  }

  #showProblem(/** @type {string} */ state) {
    const { error } = this.upload;
    this.#problem.hidden = state !== "failed" || error === null;
    if (error === null || state !== "failed") return;
    const code = [error.code, error.field, error.requestId].filter((part) => part !== undefined && part !== "").join(" · ");
    this.#problem.replaceChildren(
      h("strong", null, titleOf(error.code)),
      h("p", null, error.detail),
      h("p", null, adviceOf(error)),
      h("div", { class: "problem-foot" }, this.#remedy(error.code), h("span", { class: "mono soft" }, code)));
  }

  #remedy(/** @type {string} */ code) {
    const { upload } = this;
    const asks = ASKS_FOR_FILE.has(code);
    const text = asks ? "Choose the file again" : "Try again";
    const click = () => (asks ? this.#actions.chooseAgain(upload) : this.#actions.retry(upload));
    return h("button", { class: "button", type: "button", "aria-label": `${text}: ${upload.file.name}`, on: { click } },
      icon(asks ? "file" : "retry"), text);
  }

  #showResult() {
    const { result } = this.upload;
    if (result === null || this.#result !== null) return;
    this.#result = new ResultView(result, this.upload.progress.chunks.total, this.surroundings);
    this.element.append(this.#result.element);
  }

  /** Stop following what its jobs do. */
  close() {
    this.#result?.close();
  }
}

/** The name's end, short enough to be read at a glance. */
function kindOf(/** @type {string} */ name) {
  const end = endOf(name);
  return end === "" ? "file" : end.slice(0, end.length > 5 ? 4 : 5);
}

function label(
  /** @type {HTMLButtonElement} */ button, /** @type {import("../shell/dom.js").IconName} */ name, /** @type {string} */ text,
) {
  if (button.getAttribute("aria-label") === text) return;
  button.replaceChildren(icon(name));
  button.setAttribute("aria-label", text);
  button.title = text;
}
