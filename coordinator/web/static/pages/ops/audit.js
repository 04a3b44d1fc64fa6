/**
 * What was done in the tenant, for admins.
 */

import { announce, h, icon, plural, setText } from "../shell.js";
import { AuditRows } from "./audit-rows.js";
import { choices, heading, nothing } from "./parts.js";
import { changed } from "./place.js";

const HOUR_MS = 3_600_000;
/** @type {Record<string, { text: string, hours: number }>} */
const TIMES = { "1h": { text: "1 hour", hours: 1 }, "24h": { text: "24 hours", hours: 24 }, "7d": { text: "7 days", hours: 168 }, "30d": { text: "30 days", hours: 720 } };

/** @param {import("./main.js").Place} place */
export function show({ main, query, live, signal }) {
  const name = Object.hasOwn(TIMES, query.get("since") ?? "") ? /** @type {string} */ (query.get("since")) : "24h";
  const rows = new AuditRows({ hasUpload: true });
  const none = nothing("Nothing was noted in this time.");
  const told = h("p", { class: "soft small", role: "status" });
  const cut = h("p", { class: "notice small", "data-tone": "warn", hidden: true }, "There is more than a page can hold: these are the first rows of the time. `coordinator audit export` gives out all.");
  const field = h("input", { class: "input", id: "audit-narrow", type: "search", autocomplete: "off", spellcheck: false, value: query.get("text") ?? "" });
  const again = h("button", { class: "button", type: "button" }, icon("retry"), "Read again");
  const narrow = () => {
    const count = rows.narrow(field.value.trim());
    none.hidden = count > 0;
    setText(told, plural(count, "entry", "entries"));
    history.replaceState(null, "", changed(query, { text: field.value.trim() }));
  };
  const read = async () => {
    again.disabled = true;
    try {
      const since = new Date(Date.now() - TIMES[name].hours * HOUR_MS).toISOString();
      const { isAll } = await rows.read({ since }, signal);
      cut.hidden = isAll;
      narrow();
    } finally {
      again.disabled = false;
    }
  };
  field.addEventListener("input", narrow);
  again.addEventListener("click", async () => {
    await read();
    announce(`Read again: ${told.textContent}.`);
  });
  main.replaceChildren(
    heading("Audit", told, again),
    h("div", { class: "filters" },
      choices("Time", Object.entries(TIMES).map(([each, { text }]) => ({ text, href: changed(query, { since: each === "24h" ? null : each }), isHere: each === name }))),
      h("div", { class: "filter" }, h("label", { htmlFor: "audit-narrow" }, "Only with"), field)),
    h("p", { class: "soft small" }, "People stand here as pseudonyms. Each look at the audit is noted in it, so it is read once and not live."),
    cut, h("div", { class: "card" }, rows.element, none));
  // Once, with the retries that every view has.
  let isRead = false;
  live.repeat(async () => {
    if (isRead) return;
    await read();
    isRead = true;
  }, { signal, seconds: 60 });
}
