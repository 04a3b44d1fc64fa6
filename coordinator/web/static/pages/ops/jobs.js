/**
 * Jobs over all uploads, with what they found, and running them again.
 */

import { announce, call, h, plural, setText } from "../shell.js";
import { jobName, wordOf } from "../shell/job-words.js";
import { JOB_COLUMNS, jobRow } from "./job.js";
import { choices, heading, nothing } from "./parts.js";
import { changed } from "./place.js";
import { Pages, Table } from "./rows.js";

const SECONDS = 5;
const LIMIT = 50;
const STATES = ["waiting", "queued", "running", "succeeded", "failed", "skipped", "cancelled"];
const KINDS = [
  "validate_schema", "scan_pii", "generate_metadata", "prepare_training_dataset", "generate_embeddings", "index_dataset",
  "trigger_fine_tuning",
];

/** @param {import("./main.js").Place} place */
export function show({ main, query, me, live, signal, go }) {
  const [status, kind] = ["status", "kind"].map((name) => query.get(name));
  const mayRetry = me.may.retry !== undefined;
  const pages = new Pages((/** @type {any} */ job) => job.jobId);
  const table = new Table({
    caption: "Jobs, the newest first", keyOf: (/** @type {any} */ job) => job.jobId, columns: JOB_COLUMNS,
    make: (job) => jobRow(job, { mayRetry, hasUpload: true, onChanged: () => live.wake(true) }),
  });
  const none = nothing(status === null && kind === null ? "No job was added yet: completed uploads with a purpose have some." : "No job fits.");
  const more = h("button", { class: "button", type: "button", hidden: true }, "Show more");
  const told = h("p", { class: "soft small", role: "status" });
  const select = h("select", { class: "input", id: "jobs-kind" },
    h("option", { value: "" }, "All kinds"), ...KINDS.map((each) => h("option", { value: each, selected: each === kind }, jobName(each))));
  select.addEventListener("change", () => go(changed(query, { kind: select.value })));
  main.replaceChildren(
    heading("Jobs", told),
    h("div", { class: "filters" },
      choices("State", [
        { text: "All", href: changed(query, { status: null }), isHere: status === null },
        ...STATES.map((state) => ({ text: wordOf({ status: state }).text, href: changed(query, { status: state }), isHere: status === state })),
      ]),
      h("div", { class: "filter" }, h("label", { htmlFor: "jobs-kind" }, "Kind"), select)),
    h("div", { class: "card" }, table.element, none), h("p", { class: "more" }, more));

  const read = async (/** @type {string | null} */ cursor) => {
    const asked = new URLSearchParams({ limit: String(LIMIT) });
    for (const [name, value] of Object.entries({ status, kind, cursor })) if (value) asked.set(name, value);
    return call(`/api/jobs?${asked}`, { signal });
  };
  const refresh = () => {
    const all = pages.all();
    table.show(all);
    none.hidden = all.length > 0;
    more.hidden = pages.next === null;
    setText(told, all.length === 0 ? "" : `${plural(all.length, "job")}${pages.next === null ? "" : " and more"}`);
  };
  more.addEventListener("click", async () => {
    more.disabled = true;
    try {
      const answer = await read(pages.next);
      pages.add(answer.jobs, answer.nextCursor);
      refresh();
      announce(`${plural(answer.jobs.length, "more job")} shown.`);
    } finally {
      more.disabled = false;
    }
  });
  live.repeat(async () => {
    const answer = await read(null);
    pages.renew(answer.jobs, answer.nextCursor);
    refresh();
  }, { signal, seconds: SECONDS });
}
