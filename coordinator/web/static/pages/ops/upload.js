/**
 * One upload: where it stands, chunk by chunk, what happened to it, and its jobs. Followed by
 * server-sent events while it goes on.
 */

import { announce, call, confirmed, follow, formatBytes, formatCount, formatMoment, h, icon, plural, Problem, setAttribute, setText } from "../shell.js";
import { ChunkMap } from "./chunk-map.js";
import { JOB_COLUMNS, jobRow } from "./job.js";
import { AuditRows } from "./audit-rows.js";
import { copyable, facts, nothing, pill, setPill } from "./parts.js";
import { linkTo } from "./place.js";
import { Table } from "./rows.js";
import { Pace, Timeline } from "./timeline.js";
import { PHASES, reasonText } from "./words.js";

const OPEN = new Set(["INIT", "UPLOADING", "ASSEMBLING"]);
/** Without events, which a proxy may hold back. */
const SECONDS = 10;
const SHORTEST_MS = 1_000;

/** @param {import("./main.js").Place} place */
export function show({ main, query, me, live, signal }) {
  const uploadId = /** @type {string} */ (query.get("upload"));
  const path = encodeURIComponent(uploadId);
  const head = new Head(uploadId, me);
  const chunks = new ChunkMap();
  const timeline = new Timeline();
  const pace = new Pace();
  const jobs = new Table({
    caption: "Jobs of this upload", columns: JOB_COLUMNS, keyOf: (/** @type {any} */ job) => job.jobId,
    make: (job) => jobRow(job, { mayRetry: me.may.retry !== undefined, hasUpload: false, onChanged: () => live.wake(true) }),
  });
  const noJobs = nothing("There are none before it is completed, and none for some purposes.");
  const details = h("div", { class: "view", hidden: true }, chunks.element, pace.element,
    h("section", { class: "card" }, h("div", { class: "part part-head" }, h("h2", null, "Jobs")), jobs.element, noJobs),
    timeline.element, me.may.administer === undefined ? null : auditOf(uploadId, signal));
  main.replaceChildren(h("p", { class: "back" }, h("a", { href: linkTo("uploads") }, "All uploads")), head.element, details);

  const look = async () => {
    const [status, times, listed] = await Promise.all([
      call(`/api/upload/status/${path}`, { signal }),
      call(`/api/uploads/${path}/timeline`, { signal }),
      call(`/api/uploads/${path}/jobs`, { signal }),
    ]);
    head.show(status);
    details.hidden = false;
    const isOver = status.status === "FAILED";
    chunks.element.hidden = isOver;
    if (!isOver) {
      chunks.show({
        total: status.totalChunks, chunkSize: status.chunkSize, fileSize: status.fileSize, missing: status.missingChunks,
        failed: status.failedChunks, isProven: status.status === "COMPLETED",
      });
    }
    timeline.show(times, OPEN.has(status.status));
    pace.show(times);
    jobs.show(listed.jobs);
    noJobs.hidden = listed.jobs.length > 0;
  };
  head.onAborted = () => live.wake(true);
  live.repeat(look, { signal, seconds: SECONDS });
  watch(`/api/uploads/${path}/events`, { live, signal });
}

/**
 * Look again whenever the service says that something is different, but not more often than is read.
 *
 * @param {string} path
 * @param {{ live: import("./live.js").Live, signal: AbortSignal }} options
 */
async function watch(path, { live, signal }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let soon;
  const onMessage = () => {
    if (!live.isOn || document.visibilityState !== "visible") return;
    soon ??= setTimeout(() => {
      soon = undefined;
      if (!signal.aborted) live.wake();
    }, SHORTEST_MS);
  };
  try {
    await follow(path, { signal, onMessage });
  } catch (error) {
    // Looking now and then finds the same, and says why where it does not.
    if (!(error instanceof Problem)) throw error;
  }
}

class Head {
  /** @type {() => void} */
  onAborted = () => {};
  #title = h("h1", { tabIndex: -1 }, "Upload");
  #phase = pill(undefined, "…");
  #why = h("span", { class: "soft" });
  #bar = h("div", { class: "meter", role: "progressbar", "aria-label": "Chunks uploaded", "aria-valuemin": 0, "aria-valuemax": 100 }, h("div", null));
  #facts = h("div", null);
  #shown = "";
  #abort;
  #mayAbort;

  /**
   * @param {string} uploadId
   * @param {import("../shell.js").Me} me
   */
  constructor(uploadId, me) {
    this.#mayAbort = me.may.abort !== undefined;
    this.#abort = h("button", { class: "button", type: "button", "data-danger": true, hidden: true }, icon("cross"), "Abort");
    const failed = h("p", { class: "notice small", "data-tone": "bad", role: "alert", hidden: true });
    this.#abort.addEventListener("click", async () => {
      const text = "What was sent is removed from S3, and nobody can go on with it. This cannot be undone.";
      if (!await confirmed({ title: "Abort this upload?", text, yes: "Abort it" })) return;
      this.#abort.disabled = true;
      failed.hidden = true;
      try {
        await call(`/api/uploads/${encodeURIComponent(uploadId)}`, { method: "DELETE" });
        announce("The upload is aborted.");
        this.onAborted();
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        setText(failed, error.detail);
        failed.hidden = false;
      } finally {
        this.#abort.disabled = false;
      }
    });
    this.element = h("section", { class: "card part" },
      h("div", { class: "upload-head" }, this.#title, this.#phase, this.#why, this.#abort), failed, this.#bar, this.#facts);
  }

  /** @param {any} status */
  show(status) {
    setText(this.#title, status.fileName);
    document.title = `${status.fileName} · Operations · Coordinator`;
    setPill(this.#phase, PHASES[status.status], status.status);
    setText(this.#why, reasonText(status.reason));
    const share = status.progress.percentage;
    this.#bar.hidden = !OPEN.has(status.status);
    setAttribute(this.#bar, "aria-valuenow", String(Math.round(share)));
    /** @type {HTMLElement} */ (this.#bar.firstElementChild).style.inlineSize = `${share}%`;
    this.#abort.hidden = !this.#mayAbort || !OPEN.has(status.status) || status.onHold;
    const text = JSON.stringify({ ...status, progress: null, missingChunks: null, failedChunks: null, uploadedChunks: null });
    if (text === this.#shown) return;
    this.#shown = text;
    const purpose = typeof status.metadata.purpose === "string" ? status.metadata.purpose : null;
    this.#facts.replaceChildren(facts(
      ["Id", copyable(status.uploadId, "id of the upload")],
      ["User", h("a", { href: linkTo("uploads", { user: status.userId }) }, h("bdi", null, status.userId))],
      ["Size", `${formatBytes(status.fileSize)} (${formatCount(status.fileSize)} bytes)`],
      ["Chunks", `${plural(status.totalChunks, "chunk")} of ${formatBytes(status.chunkSize)}`],
      ["Type", h("bdi", null, status.fileType, status.detectedType !== null && status.detectedType !== status.fileType ? ` (its bytes say ${status.detectedType})` : "")],
      ["Purpose", purpose ?? "archive"],
      ["Opened", formatMoment(status.createdAt)],
      ["Last change", formatMoment(status.updatedAt)],
      status.checksum === null ? null : ["Declared checksum", h("code", { class: "mono" }, status.checksum)],
      status.filePath === null ? null : ["In the bucket", h("code", { class: "mono" }, status.filePath)],
      status.onHold ? ["Hold", "kept for a case, whatever rules say"] : null,
    ));
  }
}

/**
 * @param {string} uploadId
 * @param {AbortSignal} signal
 */
function auditOf(uploadId, signal) {
  const rows = new AuditRows({ hasUpload: false });
  const none = nothing("Nothing was noted about it.");
  const button = h("button", { class: "button", type: "button" }, icon("search"), "Show what was noted");
  rows.element.hidden = true;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const { entries } = await rows.read({ uploadId }, signal);
      none.hidden = entries.length > 0;
      announce(`${plural(entries.length, "entry", "entries")} shown.`);
    } finally {
      button.disabled = false;
    }
  });
  return h("section", { class: "card" },
    h("div", { class: "part" }, h("div", { class: "part-head" }, h("h2", null, "Audit"), button),
      h("p", { class: "soft small" }, "Each look at the audit is noted in it.")),
    rows.element, none);
}
