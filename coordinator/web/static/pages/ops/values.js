/**
 * What a job found, as it stands in its answer: any JSON, as lists and tables, never longer than
 * somebody reads.
 */

import { formatCount, h, plural } from "../shell.js";

const MOST = 50;
const DEEPEST = 8;

/**
 * @param {unknown} value
 * @param {number} [depth]
 * @returns {HTMLElement}
 */
export function shown(value, depth = 0) {
  if (value === null || value === undefined) return h("span", { class: "soft" }, "none");
  if (typeof value === "number") return h("span", { class: "figures" }, formatCount(value));
  if (typeof value === "boolean") return h("span", null, value ? "yes" : "no");
  if (typeof value !== "object") return h("bdi", { class: "value-text" }, String(value));
  if (depth >= DEEPEST) return h("code", null, JSON.stringify(value));
  if (!Array.isArray(value)) return members(/** @type {Record<string, unknown>} */ (value), depth);
  if (value.length === 0) return h("span", { class: "soft" }, "none");
  const columns = columnsOf(value);
  if (columns !== null) return tabular(value, columns, depth);
  const rest = value.length - MOST;
  const isShort = value.every((each) => typeof each !== "object");
  if (isShort) return h("bdi", { class: "value-text" }, value.slice(0, MOST).join(", ") + (rest > 0 ? `, and ${plural(rest, "more")}` : ""));
  return h("ol", { class: "value-list" }, ...value.slice(0, MOST).map((each) => h("li", null, shown(each, depth + 1))), rest > 0 && h("li", { class: "soft" }, `and ${plural(rest, "more")}`));
}

/**
 * @param {Record<string, unknown>} value
 * @param {number} depth
 */
function members(value, depth) {
  const entries = Object.entries(value);
  if (entries.length === 0) return h("span", { class: "soft" }, "none");
  const rest = entries.length - MOST;
  return h("dl", { class: "value-members" },
    ...entries.slice(0, MOST).map(([name, each]) => h("div", null, h("dt", null, h("bdi", null, spelled(name))), h("dd", null, shown(each, depth + 1)))),
    rest > 0 && h("div", null, h("dt", { class: "soft" }, "…"), h("dd", { class: "soft" }, `and ${plural(rest, "more")}`)));
}

/**
 * @param {readonly Record<string, unknown>[]} rows
 * @param {string[]} columns
 * @param {number} depth
 */
function tabular(rows, columns, depth) {
  const rest = rows.length - MOST;
  return h("div", { class: "table-box", role: "group", "aria-label": "Values", tabIndex: 0 },
    h("table", { class: "value-table" },
      h("thead", null, h("tr", null, ...columns.map((name) => h("th", { scope: "col" }, h("bdi", null, spelled(name)))))),
      h("tbody", null, ...rows.slice(0, MOST).map((row) => h("tr", null, ...columns.map((name) => h("td", null, shown(row[name], depth + 1))))),
        rest > 0 && h("tr", null, h("td", { class: "soft", colSpan: columns.length }, `and ${plural(rest, "more row")}`)))));
}

/**
 * @param {readonly unknown[]} values
 * @returns {string[] | null} null where they make no table
 */
function columnsOf(values) {
  /** @type {Set<string>} */
  const names = new Set();
  for (const each of values) {
    if (each === null || typeof each !== "object" || Array.isArray(each)) return null;
    for (const name of Object.keys(each)) names.add(name);
  }
  return names.size > 0 && names.size <= 7 ? [...names] : null;
}

/**
 * `invalidRows` as `invalid rows`; what is no name of ours stays.
 *
 * @param {string} name
 */
function spelled(name) {
  return /^[a-z]+(?:[A-Z][a-z]*|_[a-z0-9]+)*$/.test(name) ? name.replaceAll("_", " ").replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`) : name;
}
