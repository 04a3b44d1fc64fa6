/**
 * Every chunk of one upload as a cell, up to the 10,000 that there can be. What it shows it also says:
 * counts and ranges as text, and each cell to whoever goes through them by keys.
 */

import { formatBytes, formatCount, h, plural, setAttribute, setText } from "../shell.js";

const HIGHEST = 330;
const SIZES = [26, 20, 16, 13, 11, 9, 7, 6, 5, 4, 3];
const MOST_RANGES = 12;

/** @typedef {"missing" | "there" | "failed" | "proven"} State */
/** @type {readonly State[]} */
const STATES = ["there", "proven", "missing", "failed"];
const NAMES = { missing: "missing", there: "uploaded", failed: "failed", proven: "proven" };

/**
 * @typedef {object} Chunks
 * @property {number} total
 * @property {number} chunkSize
 * @property {number} fileSize
 * @property {number[]} missing
 * @property {number[]} failed the last attempt was reported as failed; they are missing as well
 * @property {boolean} isProven
 */

export class ChunkMap {
  /** @type {Chunks} */
  #chunks = { total: 0, chunkSize: 1, fileSize: 0, missing: [], failed: [], isProven: false };
  /** @type {State[]} */
  #states = [];
  #columns = 1;
  #size = 10;
  #gap = 2;
  #at = -1;
  #canvas = h("canvas", { "aria-hidden": "true" });
  #area;
  #sum = h("p", null);
  #readout = h("p", { class: "plot-readout small" }, "\u00a0");
  #ranges = h("ul", { class: "ranges small soft", role: "list" });
  #legend = h("ul", { class: "legend", role: "list" });

  constructor() {
    this.#area = h("div", {
      class: "map-area", tabIndex: 0, role: "slider", "aria-label": "Chunks", "aria-valuemin": 1,
      on: {
        keydown: (/** @type {any} */ event) => this.#onKey(event),
        pointermove: (/** @type {any} */ event) => this.#point(event),
        pointerdown: (/** @type {any} */ event) => this.#point(event),
        pointerleave: () => this.#select(-1),
        focus: () => this.#select(Math.max(0, this.#at)),
        blur: () => this.#select(-1),
      },
    }, this.#canvas);
    this.element = h("section", { class: "card part" },
      h("div", { class: "part-head" }, h("h2", null, "Chunks"), this.#legend),
      this.#sum, this.#area, this.#readout, this.#ranges);
    new ResizeObserver(() => this.#draw()).observe(this.#area);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  /** @param {Chunks} chunks */
  show(chunks) {
    this.#chunks = chunks;
    this.#states = new Array(chunks.total).fill(chunks.isProven ? "proven" : "there");
    for (const index of chunks.missing) this.#states[index] = "missing";
    for (const index of chunks.failed) if (this.#states[index] === "missing") this.#states[index] = "failed";
    setAttribute(this.#area, "aria-valuemax", String(chunks.total));
    this.#sayAll();
    this.#draw();
    this.#select(Math.min(this.#at, chunks.total - 1));
  }

  #sayAll() {
    const { total, missing, isProven } = this.#chunks;
    const counts = new Map(STATES.map((state) => [state, 0]));
    for (const state of this.#states) counts.set(state, (counts.get(state) ?? 0) + 1);
    const there = total - missing.length;
    setText(this.#sum, isProven
      ? total === 1 ? "The one chunk is there and proven." : `All ${plural(total, "chunk")} are there and proven.`
      : `${formatCount(there)} of ${plural(total, "chunk")} ${there === 1 ? "is" : "are"} there (${formatCount(Math.floor((100 * there) / total))} %).`);
    this.#legend.replaceChildren(...STATES.filter((state) => (counts.get(state) ?? 0) > 0)
      .map((state) => h("li", null, h("span", { class: "swatch", "data-look": state }), `${formatCount(counts.get(state) ?? 0)} ${NAMES[state]}`)));
    const told = /** @type {const} */ (["failed", "missing"]).map((state) => this.#rangesOf(state)).filter((text) => text !== "");
    this.#ranges.replaceChildren(...told.map((text) => h("li", null, text)));
  }

  /**
   * @param {State} state
   * @returns {string}
   */
  #rangesOf(state) {
    /** @type {[number, number][]} */
    const found = [];
    for (const [index, each] of this.#states.entries()) {
      if (each !== state) continue;
      const last = found.at(-1);
      if (last !== undefined && last[1] === index - 1) last[1] = index;
      else found.push([index, index]);
    }
    if (found.length === 0) return "";
    const shown = found.slice(0, MOST_RANGES).map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`));
    const rest = found.length - shown.length;
    return `${state === "failed" ? "Failed" : "Missing"}, by chunkIndex: ${shown.join(", ")}${rest > 0 ? `, and ${plural(rest, "more range")}` : ""}`;
  }

  #draw() {
    const width = this.#area.clientWidth;
    const { total } = this.#chunks;
    const context = this.#canvas.getContext("2d");
    if (width === 0 || total === 0 || context === null) return;
    this.#fit(width, total);
    const pitch = this.#size + this.#gap;
    const height = Math.ceil(total / this.#columns) * pitch - this.#gap;
    const ratio = devicePixelRatio;
    this.#canvas.width = Math.round(width * ratio);
    this.#canvas.height = Math.round(height * ratio);
    this.#canvas.style.width = `${width}px`;
    this.#canvas.style.height = `${height}px`;
    context.scale(ratio, ratio);
    for (const state of STATES) {
      context.fillStyle = resolved(this.#area, `var(--chunk-${state})`);
      for (let index = 0; index < total; index += 1) {
        if (this.#states[index] !== state) continue;
        const [x, y] = this.#cornerOf(index);
        context.fillRect(x, y, this.#size, this.#size);
      }
    }
    this.#cross(context);
    this.#mark(context);
  }

  /** Failed ones are told by a stroke as well, where there is room for it. */
  #cross(/** @type {CanvasRenderingContext2D} */ context) {
    if (this.#size < 7) return;
    context.strokeStyle = resolved(this.#area, "var(--surface)");
    context.lineWidth = Math.max(1.5, this.#size / 9);
    context.beginPath();
    const inset = this.#size / 4;
    for (const [index, state] of this.#states.entries()) {
      if (state !== "failed") continue;
      const [x, y] = this.#cornerOf(index);
      context.moveTo(x + inset, y + inset);
      context.lineTo(x + this.#size - inset, y + this.#size - inset);
      context.moveTo(x + this.#size - inset, y + inset);
      context.lineTo(x + inset, y + this.#size - inset);
    }
    context.stroke();
  }

  #mark(/** @type {CanvasRenderingContext2D} */ context) {
    if (this.#at < 0) return;
    const [x, y] = this.#cornerOf(this.#at);
    context.strokeStyle = resolved(this.#area, "var(--text)");
    context.lineWidth = 2;
    context.strokeRect(x - 0.5, y - 0.5, this.#size + 1, this.#size + 1);
  }

  /** Choose the largest cells with which all are seen at once. */
  #fit(/** @type {number} */ width, /** @type {number} */ total) {
    for (const size of SIZES) {
      const gap = size >= 7 ? 2 : 1;
      const columns = Math.max(1, Math.floor((width + gap) / (size + gap)));
      [this.#size, this.#gap, this.#columns] = [size, gap, columns];
      if (Math.ceil(total / columns) * (size + gap) <= HIGHEST) return;
    }
  }

  /**
   * @param {number} index
   * @returns {[number, number]}
   */
  #cornerOf(index) {
    const pitch = this.#size + this.#gap;
    return [(index % this.#columns) * pitch, Math.floor(index / this.#columns) * pitch];
  }

  /** @param {PointerEvent} event */
  #point(event) {
    const box = this.#canvas.getBoundingClientRect();
    const pitch = this.#size + this.#gap;
    const column = Math.floor((event.clientX - box.left) / pitch);
    const index = Math.floor((event.clientY - box.top) / pitch) * this.#columns + column;
    this.#select(column >= 0 && column < this.#columns && index >= 0 && index < this.#chunks.total ? index : -1);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const last = this.#chunks.total - 1;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.#columns, ArrowDown: this.#columns, PageUp: -10 * this.#columns, PageDown: 10 * this.#columns }[event.key];
    const to = event.key === "Home" ? 0 : event.key === "End" ? last : step === undefined ? undefined : this.#at + step;
    if (to === undefined) return;
    event.preventDefault();
    this.#select(Math.max(0, Math.min(last, to)));
  }

  /** @param {number} index -1: none */
  #select(index) {
    const { total } = this.#chunks;
    const isOther = index !== this.#at;
    this.#at = index;
    setText(this.#readout, index < 0 ? "\u00a0" : this.#say(index));
    setAttribute(this.#area, "aria-valuenow", String(Math.max(1, index + 1)));
    setAttribute(this.#area, "aria-valuetext", total === 0 ? "none" : this.#say(Math.max(0, index)));
    if (isOther) this.#draw();
  }

  /** @param {number} index */
  #say(index) {
    const { chunkSize, fileSize } = this.#chunks;
    const from = index * chunkSize;
    const size = Math.min(chunkSize, fileSize - from);
    return `chunkIndex ${index}: ${NAMES[this.#states[index]]}, ${formatBytes(size)} from byte ${formatCount(from)} on`;
  }
}

/**
 * A canvas knows no variables, and no `light-dark()`.
 *
 * @param {HTMLElement} near
 * @param {string} color
 */
function resolved(near, color) {
  near.style.setProperty("outline-color", color);
  const value = getComputedStyle(near).outlineColor;
  near.style.removeProperty("outline-color");
  return value;
}
