/**
 * Tenants by what they uploaded, for the admin of the installation.
 */

import { call, formatBytes, formatCount, h, icon, plural, setText } from "../shell.js";
import { choices, facts, heading, nothing } from "./parts.js";
import { changed } from "./place.js";
import { Table } from "./rows.js";
import { RANGES, readCounts, sumOf } from "./statistics.js";

const SECONDS = 30;
/** Hours are of one tenant only. */
const WHOLE_DAYS = ["30d", "12m"];

/** @typedef {{ tenant: string, bytes: number, opened: number, completed: number, failed: number, share: number }} Row */

/** @type {Record<string, { text: string, by: (row: Row) => number | string }>} */
const ORDERS = {
  bytes: { text: "Bytes", by: ({ bytes }) => -bytes },
  failed: { text: "Failed", by: ({ failed }) => -failed },
  opened: { text: "Opened", by: ({ opened }) => -opened },
  name: { text: "Name", by: ({ tenant }) => tenant },
};

/** @param {import("./main.js").Place} place */
export function show({ main, query, live, signal }) {
  const name = WHOLE_DAYS.find((each) => each === query.get("range")) ?? "30d";
  const order = Object.hasOwn(ORDERS, query.get("order") ?? "") ? /** @type {string} */ (query.get("order")) : "bytes";
  const table = new Table({
    caption: "Tenants", keyOf: (/** @type {Row} */ { tenant }) => tenant, make: (row) => tenantRow(row, signal),
    columns: [{ text: "Tenant" }, { text: "Uploaded", kind: "bar-cell" }, { text: "Completed", kind: "number" }, { text: "Failed", kind: "number" }, { text: "Opened", kind: "number" }],
  });
  const none = nothing("No tenant uploaded anything in this time.");
  const told = h("p", { class: "soft small", role: "status" });
  main.replaceChildren(
    heading("Tenants", told),
    h("div", { class: "filters" },
      choices("Time", WHOLE_DAYS.map((each) => ({ text: RANGES[each].text, href: changed(query, { range: each === "30d" ? null : each }), isHere: each === name }))),
      choices("Order", Object.entries(ORDERS).map(([each, { text }]) => ({ text, href: changed(query, { order: each === "bytes" ? null : each }), isHere: each === order })))),
    h("div", { class: "card" }, table.element, none));
  live.repeat(async () => {
    const counts = await readCounts({ range: RANGES[name], by: "tenant", every: "month" }, signal);
    /** @type {Map<string, import("./statistics.js").Count[]>} */
    const byTenant = new Map();
    for (const count of counts) byTenant.set(count.key, [...(byTenant.get(count.key) ?? []), count]);
    const sums = [...byTenant].map(([tenant, all]) => ({ tenant, ...sumOf(all) }));
    const most = Math.max(1, ...sums.map(({ bytes }) => bytes));
    const { by } = ORDERS[order];
    const rows = sums.map((sum) => ({ ...sum, share: sum.bytes / most })).sort((one, other) => (by(one) < by(other) ? -1 : by(one) > by(other) ? 1 : 0));
    table.show(rows);
    none.hidden = rows.length > 0;
    setText(told, `${plural(rows.length, "tenant")}, ${formatBytes(sumOf(counts).bytes)} in ${RANGES[name].text}`);
  }, { signal, seconds: SECONDS });
}

/**
 * @param {Row} row
 * @param {AbortSignal} signal
 */
function tenantRow({ tenant }, signal) {
  const number = (/** @type {string} */ kind = "number") => h("td", { class: `${kind} figures` });
  const [completed, failed, opened] = [number(), number(), number()];
  const bytes = h("span", { class: "figures" });
  const fill = h("div", null);
  const details = h("div", { class: "job-details" });
  const id = `tenant-${tenant}`;
  const more = h("tr", { class: "more-row", id, hidden: true }, h("td", null, details));
  const toggle = h("button", { class: "quiet opener", type: "button", "aria-expanded": "false", "aria-controls": id }, icon("chevron"), h("bdi", null, tenant));
  toggle.addEventListener("click", async () => {
    more.hidden = !more.hidden;
    toggle.setAttribute("aria-expanded", String(!more.hidden));
    if (!more.hidden) details.replaceChildren(usage(await call(`/api/quotas?${new URLSearchParams({ tenant })}`, { signal })));
  });
  return {
    element: h("tr", null, h("th", { scope: "row" }, toggle), h("td", { class: "bar-cell" }, bytes, h("div", { class: "share", "aria-hidden": "true" }, fill)), completed, failed, opened),
    more,
    update(/** @type {Row} */ newer) {
      setText(bytes, formatBytes(newer.bytes));
      fill.style.inlineSize = `${(100 * newer.share).toFixed(1)}%`;
      setText(completed, formatCount(newer.completed));
      setText(failed, formatCount(newer.failed));
      setText(opened, formatCount(newer.opened));
    },
  };
}

function usage(/** @type {any} */ { usage: used, limits }) {
  const of = (/** @type {number | null} */ limit, /** @type {(value: number) => string} */ format) => (limit === null ? "without limit" : `of ${format(limit)}`);
  return facts(
    ["Stored", `${formatBytes(used.storedBytes)}, ${of(limits.storedBytes, formatBytes)}`],
    ["Opened on " + used.day, `${formatBytes(used.dayBytes)}, ${of(limits.bytesADay, formatBytes)}`],
    ["Open uploads", `${formatCount(used.openUploads)}, ${of(limits.openUploads, formatCount)}`],
    ["Largest file", limits.largestFile === null ? "without limit" : formatBytes(limits.largestFile)]);
}
