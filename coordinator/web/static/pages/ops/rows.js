/**
 * A table that is brought up to date in place: rows that stay keep their element, and so focus,
 * selection and what was opened in them.
 */

import { h } from "../shell.js";

/**
 * @template Item
 * @typedef {object} Row
 * @property {HTMLTableRowElement} element
 * @property {HTMLTableRowElement} [more] a row below it that belongs to it, with one cell
 * @property {(item: Item) => void} update
 */

/** Where columns of the kind `wide` are left out: as ops.css has it. */
const narrow = matchMedia("(max-width: 46rem)");

/** @template Item */
export class Table {
  /** @type {Map<string, Row<Item>>} */
  #rows = new Map();
  #body = h("tbody", null);
  #keyOf;
  #make;
  #columns;

  /**
   * @param {object} options
   * @param {string} options.caption what screen readers call it
   * @param {{ text: string, kind?: string }[]} options.columns `kind`: a class of the column's cells
   * @param {(item: Item) => string} options.keyOf
   * @param {(item: Item) => Row<Item>} options.make
   */
  constructor({ caption, columns, keyOf, make }) {
    this.#keyOf = keyOf;
    this.#make = make;
    this.#columns = columns;
    narrow.addEventListener("change", () => this.#span());
    const heads = columns.map(({ text, kind }) => h("th", { scope: "col", class: kind ?? null }, text));
    this.element = h("div", { class: "table-box", role: "region", "aria-label": caption, tabIndex: 0 },
      h("table", null, h("caption", { class: "unseen" }, caption), h("thead", null, h("tr", null, ...heads)), this.#body));
  }

  /** @param {readonly Item[]} items all that there are, in their order */
  show(items) {
    this.element.hidden = items.length === 0;
    const wanted = new Map(items.map((item) => [this.#keyOf(item), item]));
    for (const [key, row] of this.#rows) {
      if (wanted.has(key)) continue;
      row.element.remove();
      row.more?.remove();
      this.#rows.delete(key);
    }
    /** @type {Element | null} */
    let next = this.#body.firstElementChild;
    for (const [key, item] of wanted) {
      let row = this.#rows.get(key);
      if (row === undefined) {
        row = this.#make(item);
        this.#rows.set(key, row);
      }
      row.update(item);
      for (const element of [row.element, row.more]) {
        if (element === undefined) continue;
        if (element === next) next = next.nextElementSibling;
        else this.#body.insertBefore(element, next);
      }
    }
    this.#span();
  }

  /** A cell over columns that are not there would make room for them. */
  #span() {
    const columns = this.#columns.filter(({ kind }) => !(narrow.matches && kind?.split(" ").includes("wide"))).length;
    for (const { more } of this.#rows.values()) if (more !== undefined) more.cells[0].colSpan = columns;
  }
}

/**
 * Pages of a list, of which the first is asked for again and again.
 *
 * @template Item
 */
export class Pages {
  /** @type {Item[][]} */
  #pages = [];
  /** @type {string | null} */
  next = null;
  #keyOf;

  /** @param {(item: Item) => string} keyOf */
  constructor(keyOf) {
    this.#keyOf = keyOf;
  }

  /** How far somebody has gone by hand. */
  get count() {
    return this.#pages.length;
  }

  /**
   * @param {Item[]} items
   * @param {string | null} next
   */
  renew(items, next) {
    const isOnly = this.#pages.length <= 1;
    // What is pushed off the first page by newer ones is kept by the second.
    const pushed = isOnly ? [] : this.#pages[0].filter((item) => !items.some((each) => this.#keyOf(each) === this.#keyOf(item)));
    this.#pages = [items, ...(isOnly ? [] : [pushed.concat(this.#pages[1]), ...this.#pages.slice(2)])];
    if (isOnly) this.next = next;
  }

  /**
   * @param {Item[]} items
   * @param {string | null} next
   */
  add(items, next) {
    this.#pages.push(items);
    this.next = next;
  }

  /** @returns {Item[]} each once */
  all() {
    const found = new Map();
    for (const item of this.#pages.flat()) {
      const key = this.#keyOf(item);
      if (!found.has(key)) found.set(key, item);
    }
    return [...found.values()];
  }
}
