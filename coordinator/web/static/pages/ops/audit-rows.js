/**
 * Rows of the audit, read by need: each reading is noted, so that nothing here is asked for by itself.
 */

import { ask, formatMoment, h } from "../shell.js";
import { linkToUpload } from "./place.js";
import { Table } from "./rows.js";
import { shown } from "./values.js";
import { spaced } from "./words.js";

const LIMIT = 500;
const MOST_PAGES = 4;

/**
 * @typedef {object} Entry
 * @property {number} id
 * @property {string | null} at
 * @property {string} actor
 * @property {string} action
 * @property {string | null} uploadId
 * @property {string | null} subject
 * @property {Record<string, unknown>} facts
 * @property {boolean} [removed] somebody took the row away: the chain still knows of it
 */

export class AuditRows {
  /** @type {Entry[]} */
  entries = [];
  #table;

  /** @param {{ hasUpload: boolean }} options */
  constructor({ hasUpload }) {
    this.#table = new Table({
      caption: "What was noted, the newest first", keyOf: (/** @type {Entry} */ entry) => String(entry.id), make: (entry) => row(entry, hasUpload),
      columns: [{ text: "When" }, { text: "What" }, { text: "By" }, { text: "Facts" }],
    });
    this.element = this.#table.element;
  }

  /**
   * @param {Record<string, string>} wanted parameters of `GET /api/audit`
   * @param {AbortSignal} signal
   * @returns {Promise<{ entries: Entry[], isAll: boolean }>}
   */
  async read(wanted, signal) {
    this.entries = [];
    const query = new URLSearchParams({ ...wanted, limit: String(LIMIT) });
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const answer = await ask(`/api/audit?${query}`, { signal });
      const lines = (await answer.text()).split("\n").filter((line) => line !== "");
      this.entries.push(...lines.map((line) => JSON.parse(line)));
      const next = answer.headers.get("X-Next-Cursor");
      if (next === null) return this.#show(true);
      query.set("cursor", next);
    }
    return this.#show(false);
  }

  /** @param {boolean} isAll */
  #show(isAll) {
    this.narrow("");
    return { entries: this.entries, isAll };
  }

  /**
   * @param {string} text what an entry must have somewhere
   * @returns {number} how many have it
   */
  narrow(text) {
    const wanted = text.toLowerCase();
    const found = this.entries.filter((entry) => wanted === "" || JSON.stringify(entry).toLowerCase().includes(wanted)).reverse();
    this.#table.show(found);
    return found.length;
  }
}

/**
 * @param {Entry} entry
 * @param {boolean} hasUpload
 */
function row(entry, hasUpload) {
  if (entry.removed === true) {
    const text = "This row was removed from the audit. `coordinator audit verify` tells more.";
    return { element: h("tr", null, h("td", { colSpan: 4 }, h("p", { class: "notice small", "data-tone": "bad" }, text))), update: () => {} };
  }
  const { at, action, actor, subject, uploadId, facts } = entry;
  const whom = subject === null ? null : h("span", { class: "soft small why" }, "about ", h("code", { class: "mono" }, subject));
  const element = h("tr", null,
    h("td", { class: "when figures" }, at === null ? "at no time" : h("time", { dateTime: at }, formatMoment(at))),
    h("th", { scope: "row", class: "name" }, spaced(action),
      hasUpload && uploadId !== null && h("a", { class: "mono soft id", href: linkToUpload(uploadId) }, uploadId)),
    h("td", null, h("code", { class: "mono" }, actor), whom),
    h("td", null, shown(facts)));
  return { element, update: () => {} };
}
