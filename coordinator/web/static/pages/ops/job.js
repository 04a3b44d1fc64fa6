/**
 * One job: how it stands, what it found, and the two things that an operator can do about it.
 */

import { announce, call, confirmed, formatCount, formatMoment, formatSeconds, h, icon, plural, Problem, setText } from "../shell.js";
import { jobName, outcomeOf, wordOf } from "../shell/job-words.js";
import { copyable, facts, pill, setPill, Since } from "./parts.js";
import { linkToUpload } from "./place.js";
import { shown } from "./values.js";

/** @typedef {any} Job as `GET /api/jobs/{jobId}` answers */

const AGAIN = new Set(["failed", "cancelled"]);
const BEFORE_END = new Set(["waiting", "queued", "running"]);

/**
 * A row of a table, with another one below it that opens.
 *
 * @param {Job} first
 * @param {{ mayRetry: boolean, hasUpload: boolean, onChanged: () => void }} options
 */
export function jobRow(first, { mayRetry, hasUpload, onChanged }) {
  let job = first;
  let isShown = "";
  const state = pill(wordOf(job), "");
  const outcome = h("span", { class: "soft small why" });
  const times = h("span", { class: "soft small" });
  const since = new Since(job.createdAt);
  const details = h("div", { class: "job-details" });
  const moreId = `more-${job.jobId}`;
  const toggle = h("button", { class: "quiet opener", type: "button", "aria-expanded": "false", "aria-controls": moreId, id: `open-${job.jobId}` }, icon("chevron"), jobName(job.kind));
  const more = h("tr", { class: "more-row", id: moreId, hidden: true }, h("td", null, details));
  toggle.addEventListener("click", () => {
    more.hidden = !more.hidden;
    toggle.setAttribute("aria-expanded", String(!more.hidden));
    fill();
  });
  const again = action("Run again", "retry", `Run again: ${jobName(job.kind)}`, async () => {
    job = await call(`/api/jobs/${job.jobId}/retry`, { method: "POST" });
    announce(`${jobName(job.kind)}: queued again.`);
  });
  const cancel = action("Cancel", "cross", `Cancel: ${jobName(job.kind)}`, async () => {
    const text = "It stops within seconds, and jobs that need it are skipped. It can be run again.";
    if (!await confirmed({ title: `Cancel “${jobName(job.kind)}”?`, text, yes: "Cancel the job" })) return;
    job = await call(`/api/jobs/${job.jobId}/cancel`, { method: "POST" });
    announce(`${jobName(job.kind)}: cancelled.`);
  });
  const failed = h("p", { class: "notice small", "data-tone": "bad", role: "alert", hidden: true });

  function action(/** @type {string} */ text, /** @type {import("../shell/dom.js").IconName} */ name, /** @type {string} */ label, /** @type {() => Promise<void>} */ work) {
    const button = h("button", { class: "quiet", type: "button", "aria-label": label }, icon(name), text);
    button.addEventListener("click", async () => {
      button.disabled = true;
      failed.hidden = true;
      try {
        await work();
        refresh(job);
        onChanged();
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        setText(failed, error.detail);
        failed.hidden = false;
      } finally {
        button.disabled = false;
      }
    });
    return button;
  }

  function fill() {
    const now = JSON.stringify(job);
    if (more.hidden || isShown === now) return;
    isShown = now;
    const took = job.startedAt !== null && job.finishedAt !== null ? (Date.parse(job.finishedAt) - Date.parse(job.startedAt)) / 1000 : null;
    details.replaceChildren(
      facts(
        ["Id", copyable(job.jobId, "id of the job")],
        ["Attempts", formatCount(job.attempt)],
        ["Added", formatMoment(job.createdAt)],
        job.startedAt === null ? null : ["Began", formatMoment(job.startedAt)],
        job.finishedAt === null ? null : ["Ended", formatMoment(job.finishedAt) + (took === null ? "" : `, after ${formatSeconds(took)}`)],
        job.errorCode === null ? null : ["Error", h("code", { class: "mono" }, job.errorCode)],
        job.blocks === null ? null : ["Holds back what needs it", job.blocks],
        job.needs.length === 0 ? null : ["Needs", plural(job.needs.length, "other job")],
      ),
      ...(Object.keys(job.parameters).length === 0 ? [] : [h("h3", null, "Told to"), shown(job.parameters)]),
      ...(job.result === null ? [] : [h("h3", null, "Found"), shown(job.result)]));
  }

  function refresh(/** @type {Job} */ newer) {
    job = newer;
    setPill(state, job.isCancelling ? { text: "Cancelling", tone: "warn", icon: "cross" } : wordOf(job), "");
    setText(outcome, outcomeOf(job));
    since.refresh(job.finishedAt ?? job.startedAt ?? job.createdAt);
    setText(times, job.finishedAt !== null ? "ended " : job.startedAt !== null ? "began " : "added ");
    again.hidden = !mayRetry || !AGAIN.has(job.status);
    cancel.hidden = !mayRetry || !BEFORE_END.has(job.status) || job.isCancelling;
    fill();
  }

  const element = h("tr", null,
    h("th", { scope: "row", class: "name" }, toggle, hasUpload && h("a", { class: "mono soft id", href: linkToUpload(job.uploadId) }, job.uploadId)),
    h("td", null, state, outcome, failed),
    h("td", { class: "when" }, times, since.element),
    h("td", { class: "doing" }, again, cancel));
  return { element, more, update: refresh };
}

/** @type {{ text: string, kind?: string }[]} */
export const JOB_COLUMNS = [{ text: "Job" }, { text: "State" }, { text: "When" }, { text: "Do", kind: "doing" }];
