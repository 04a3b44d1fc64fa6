/**
 * Bars over time, in plain SVG. The pointer or the arrow keys go from bar to bar, what a bar says
 * stands below as text, and all of it is there as a table, too.
 */

import { h, setAttribute, setText, svg } from "../shell.js";

const HEIGHT = 190;
const LEFT = 58;
const BOTTOM = 22;
const TOP = 10;
const TICKS = 4;
const LABEL_WIDTH = 92;

/**
 * @typedef {object} Period
 * @property {string} label short, on the axis
 * @property {string} title whole, in the text
 * @property {number[]} values one for each series, stacked in their order
 * @property {string} [note] what more there is to say of it
 *
 * @typedef {object} Series
 * @property {string} name
 * @property {"bytes" | "good" | "bad" | "accent"} look
 */

let count = 0;

export class Plot {
  /** @type {Period[]} */
  #periods = [];
  #at = -1;
  #width = 0;
  #top = 1;
  #id = `plot-${(count += 1)}`;
  #svg = svg("svg", { class: "plot-svg", "aria-hidden": "true", height: HEIGHT });
  #cursor = svg("rect", { class: "plot-cursor", y: TOP, height: HEIGHT - TOP - BOTTOM });
  #readout = h("p", { class: "plot-readout small" });
  #sum = h("p", { class: "soft small" });
  #table = h("details", { class: "plot-table" }, h("summary", null, "As a table"));
  #area;
  #series;
  #format;

  /**
   * @param {object} options
   * @param {string} options.title
   * @param {Series[]} options.series
   * @param {(value: number) => string} options.format
   */
  constructor({ title, series, format }) {
    this.#series = series;
    this.#format = format;
    this.#area = h("div", {
      class: "plot-area", tabIndex: 0, role: "slider", "aria-label": title, "aria-valuemin": 0,
      on: {
        keydown: (/** @type {any} */ event) => this.#onKey(event),
        pointermove: (/** @type {any} */ event) => this.#point(event),
        pointerdown: (/** @type {any} */ event) => this.#point(event),
        pointerleave: () => this.#select(-1),
        focus: () => this.#select(this.#at < 0 ? this.#periods.length - 1 : this.#at),
        blur: () => this.#select(-1),
      },
    }, this.#svg);
    const legend = series.length < 2 ? null : h("ul", { class: "legend", role: "list" },
      ...series.map(({ name, look }) => h("li", null, h("span", { class: "swatch", "data-look": look }), name)));
    this.element = h("figure", { class: "card part plot" },
      h("figcaption", { class: "part-head" }, h("h2", null, title), legend),
      this.#sum, this.#area, this.#readout, this.#table);
    this.#table.addEventListener("toggle", () => this.#fillTable());
    new ResizeObserver(() => {
      const width = this.#area.clientWidth;
      if (width === this.#width || width === 0) return;
      this.#width = width;
      this.#draw();
    }).observe(this.#area);
  }

  /**
   * @param {Period[]} periods
   * @param {string} sum what all of it comes to, in a sentence
   */
  show(periods, sum) {
    this.#periods = periods;
    this.#at = Math.min(this.#at, periods.length - 1);
    setText(this.#sum, sum);
    setAttribute(this.#area, "aria-valuemax", String(Math.max(0, periods.length - 1)));
    if (this.#width > 0) this.#draw();
    this.#select(this.#at);
    this.#fillTable();
  }

  #draw() {
    const most = Math.max(...this.#periods.map(total), 0);
    const step = niceStep(most / TICKS);
    this.#top = Math.max(step, Math.ceil(most / step) * step);
    setAttribute(this.#svg, "viewBox", `0 0 ${this.#width} ${HEIGHT}`);
    setAttribute(this.#svg, "width", String(this.#width));
    const hatch = svg("pattern", { id: `${this.#id}-hatch`, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      svg("rect", { width: 6, height: 6, class: "bar-bad" }), svg("rect", { width: 2, height: 6, class: "bar-stripe" }));
    this.#svg.replaceChildren(svg("defs", {}, hatch), this.#cursor, ...this.#grid(step), ...this.#bars(), ...this.#labels());
    this.#placeCursor();
  }

  /** @param {number} value */
  #y(value) {
    return HEIGHT - BOTTOM - (value / this.#top) * (HEIGHT - TOP - BOTTOM);
  }

  get #slot() {
    return (this.#width - LEFT) / Math.max(1, this.#periods.length);
  }

  /** @param {number} step */
  *#grid(step) {
    for (let value = 0; value <= this.#top + step / 2; value += step) {
      const y = Math.round(this.#y(value)) + 0.5;
      yield svg("line", { x1: LEFT, x2: this.#width, y1: y, y2: y, class: value === 0 ? "plot-axis" : "plot-grid" });
      const label = svg("text", { x: LEFT - 8, y: y + 4, class: "plot-text", "text-anchor": "end" });
      label.textContent = this.#format(value);
      yield label;
    }
  }

  *#bars() {
    const slot = this.#slot;
    const gap = slot > 12 ? 3 : slot > 5 ? 1.5 : 0.5;
    for (const [index, { values }] of this.#periods.entries()) {
      let below = 0;
      for (const [which, value] of values.entries()) {
        if (value <= 0) continue;
        const [y, bottom] = [this.#y(below + value), this.#y(below)];
        const { look } = this.#series[which];
        const bar = svg("rect", {
          x: LEFT + index * slot + gap / 2, width: Math.max(0.75, slot - gap),
          y: Math.min(y, bottom - 1.5), height: Math.max(1.5, bottom - y), class: `bar-${look}`, rx: slot > 12 ? 2 : 0,
        });
        // Not by colour alone.
        if (look === "bad") bar.setAttribute("fill", `url(#${this.#id}-hatch)`);
        yield bar;
        below += value;
      }
    }
  }

  *#labels() {
    const slot = this.#slot;
    const every = Math.max(1, Math.ceil(LABEL_WIDTH / slot));
    for (let index = this.#periods.length - 1; index >= 0; index -= every) {
      const x = LEFT + (index + 0.5) * slot;
      const isLast = index === this.#periods.length - 1 && slot < LABEL_WIDTH;
      // The last one ends where the plot ends; none runs into it, or out at the left.
      const isCut = x < LEFT + LABEL_WIDTH / 4 || (!isLast && slot < LABEL_WIDTH && x + LABEL_WIDTH / 2 > this.#width - LABEL_WIDTH);
      if (isCut) continue;
      const label = svg("text", { x: isLast ? this.#width : x, y: HEIGHT - 5, class: "plot-text", "text-anchor": isLast ? "end" : "middle" });
      label.textContent = this.#periods[index].label;
      yield label;
    }
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const last = this.#periods.length - 1;
    const far = Math.max(2, Math.round(last / 10));
    const to = {
      ArrowLeft: this.#at - 1, ArrowDown: this.#at - 1, ArrowRight: this.#at + 1, ArrowUp: this.#at + 1,
      Home: 0, End: last, PageDown: this.#at - far, PageUp: this.#at + far,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.#select(Math.max(0, Math.min(last, to)));
  }

  /** @param {PointerEvent} event */
  #point(event) {
    const x = event.clientX - this.#area.getBoundingClientRect().left - LEFT;
    this.#select(Math.max(0, Math.min(this.#periods.length - 1, Math.floor(x / this.#slot))));
  }

  /** @param {number} index -1: none */
  #select(index) {
    this.#at = index;
    const period = this.#periods[index];
    const last = this.#periods.length - 1;
    setText(this.#readout, period === undefined ? "\u00a0" : this.#say(period));
    setAttribute(this.#area, "aria-valuenow", String(Math.max(0, period === undefined ? last : index)));
    setAttribute(this.#area, "aria-valuetext", this.#periods.length === 0 ? "nothing yet" : this.#say(period ?? this.#periods[last]));
    this.#placeCursor();
  }

  #placeCursor() {
    this.#cursor.toggleAttribute("hidden", this.#at < 0);
    if (this.#at < 0) return;
    setAttribute(this.#cursor, "x", String(LEFT + this.#at * this.#slot));
    setAttribute(this.#cursor, "width", String(this.#slot));
  }

  /** @param {Period} period */
  #say({ title, values, note }) {
    const parts = this.#series.map(({ name }, index) => `${this.#format(values[index])} ${name.toLowerCase()}`);
    return `${title}: ${[...parts, ...(note === undefined ? [] : [note])].join(", ")}`;
  }

  #fillTable() {
    const [summary] = this.#table.children;
    if (!this.#table.open) return;
    const head = h("tr", null, h("th", { scope: "col" }, "Period"), ...this.#series.map(({ name }) => h("th", { scope: "col", class: "number" }, name)));
    const rows = this.#periods.filter((period) => total(period) > 0).reverse().map((period) =>
      h("tr", null, h("th", { scope: "row" }, period.title), ...period.values.map((value) => h("td", { class: "number figures" }, this.#format(value)))));
    const empty = h("tr", null, h("td", { colSpan: 1 + this.#series.length, class: "soft" }, "Nothing in this time."));
    this.#table.replaceChildren(summary, h("div", { class: "table-box", role: "group", "aria-label": "All periods with something in them", tabIndex: 0 },
      h("table", null, h("thead", null, head), h("tbody", null, ...(rows.length === 0 ? [empty] : rows)))));
  }
}

/** @param {Period} period */
function total({ values }) {
  return values.reduce((sum, value) => sum + value, 0);
}

/**
 * @param {number} least
 * @returns {number} 1, 2 or 5 times a power of ten, and 1 at least
 */
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  return Math.max(1, ([1, 2, 5, 10].find((each) => each * power >= least) ?? 10) * power);
}
