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

/** @template Item */
export class Table {
  /** @type {Map<string, Row<Item>>} */
  #rows = new Map();
  #body = h("tbody", { role: "rowgroup" });
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
    const heads = columns.map(({ text, kind }) => h("th", { scope: "col", role: "columnheader", class: kind ?? null }, text));
    this.element = h("div", { class: "table-box", role: "region", "aria-label": caption, tabIndex: 0 },
      h("table", { class: "rows", role: "table" }, h("caption", { class: "unseen" }, caption),
        h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...heads)), this.#body));
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
        this.#name(row);
      }
      row.update(item);
      for (const element of [row.element, row.more]) {
        if (element === undefined) continue;
        if (element === next) next = next.nextElementSibling;
        else this.#body.insertBefore(element, next);
      }
    }
  }

  /**
   * On a phone ops/tables.css makes a card of each row. It stays a row to screen readers, and what the
   * head of the table says stands beside numbers.
   *
   * @param {Row<Item>} row
   */
  #name({ element, more }) {
    for (const each of more === undefined ? [element] : [element, more]) each.setAttribute("role", "row");
    if (more !== undefined) {
      more.cells[0].setAttribute("role", "cell");
      more.cells[0].colSpan = this.#columns.length;
    }
    for (const [index, cell] of [...element.cells].entries()) {
      cell.setAttribute("role", cell.scope === "row" ? "rowheader" : "cell");
      cell.dataset.column = this.#columns[index].text;
    }
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
