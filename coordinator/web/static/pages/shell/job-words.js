/**
 * What both pages say of jobs, which the service calls by codes.
 */

import { formatCount, plural } from "./format.js";

/**
 * @typedef {"" | "busy" | "good" | "warn" | "bad"} Tone
 * @typedef {{ text: string, tone: Tone, icon: import("./dom.js").IconName }} Word
 */

/** @type {Record<string, string>} by kind of job */
const JOBS = {
  "validate_schema": "Check rows against the schema",
  "scan_pii": "Look for personal data",
  "generate_metadata": "Describe the data",
  "prepare_training_dataset": "Prepare the training set",
  "generate_embeddings": "Make embeddings",
  "index_dataset": "Index for search",
  "trigger_fine_tuning": "Hand over to training",
};

/** @param {string} kind */
export function jobName(kind) {
  return JOBS[kind] ?? kind.replaceAll("_", " ");
}

/** @type {Record<string, Word>} by the state of a job */
const JOB_STATES = {
  "waiting": { text: "Waits for others", tone: "", icon: "clock" },
  "queued": { text: "Queued", tone: "", icon: "clock" },
  "running": { text: "Running", tone: "busy", icon: "play" },
  "succeeded": { text: "Done", tone: "good", icon: "check" },
  "failed": { text: "Failed", tone: "bad", icon: "alert" },
  "skipped": { text: "Skipped", tone: "warn", icon: "cross" },
  "cancelled": { text: "Cancelled", tone: "", icon: "cross" },
};

/**
 * Say how a job stands. One that ran and found nothing to do, or could not read all, says so.
 *
 * @param {any} job
 * @returns {Word}
 */
export function wordOf({ status, result }) {
  if (status === "succeeded" && result?.status === "skipped") return { text: "Nothing to do", tone: "", icon: "check" };
  if (status === "succeeded" && result?.status === "partial") return { text: "Done in part", tone: "warn", icon: "alert" };
  return JOB_STATES[status] ?? { text: status, tone: "", icon: "clock" };
}

/** Jobs in these states will not change any more. */
export const JOBS_OVER = new Set(["succeeded", "failed", "skipped", "cancelled"]);

/** @type {Record<string, string>} why a job was skipped or failed */
const JOB_ERRORS = {
  "predecessor-failed": "A job that it needs failed.",
  "predecessor-skipped": "A job that it needs was skipped.",
  "pii-found": "Personal data was found, and the policy is to stop there.",
  "not-scanned": "Not all could be scanned for personal data, and the policy is to stop there.",
  "worker-lost": "It took worker after worker down. Tell the operator.",
};

/**
 * Say in one line what came of a job; empty where its state says it all.
 *
 * @param {any} job as `GET /api/uploads/{uploadId}/jobs` lists it, or as an event does
 * @returns {string}
 */
export function outcomeOf(job) {
  if (job.status === "running" && job.progress?.total > 0) {
    return `${formatCount(job.progress.done)} of ${formatCount(job.progress.total)} pieces`;
  }
  if (job.status !== "succeeded") {
    if (typeof job.errorCode !== "string") return "";
    return JOB_ERRORS[job.errorCode] ?? `Code: ${job.errorCode}`;
  }
  const result = job.result;
  if (result === null || typeof result !== "object") return "";
  const found = FOUND[job.kind]?.(result) ?? "";
  const note = typeof result.detail === "string" ? result.detail : "";
  return [found, note].filter((text) => text !== "").join(" · ");
}

/** @type {Record<string, (result: any) => string>} */
const FOUND = {
  "validate_schema": ({ rows, invalidRows, brokenRows }) => {
    if (!rows) return "";
    const wrong = (invalidRows ?? 0) + (brokenRows ?? 0);
    return `${plural(rows, "row")}, ${wrong === 0 ? "all fit" : `${formatCount(wrong)} do not fit`}`;
  },
  "scan_pii": ({ status, findings }) => {
    if (status === "skipped") return "";
    const sums = new Map();
    for (const { kind, count } of findings ?? []) sums.set(kind, (sums.get(kind) ?? 0) + count);
    if (sums.size === 0) return "Nothing found";
    return [...sums].map(([kind, count]) => `${formatCount(count)} × ${kind.replaceAll("_", " ")}`).join(", ");
  },
  "generate_metadata": ({ rows, columns }) => {
    const width = Array.isArray(columns) ? columns.length : columns;
    return [rows > 0 ? plural(rows, "row") : "", width > 0 ? plural(width, "column") : ""].filter(Boolean).join(", ");
  },
  "prepare_training_dataset": ({ splits }) => Object.entries(splits ?? {})
    .map(([name, split]) => `${name} ${formatCount(/** @type {any} */ (split).rows)}`).join(", "),
  "generate_embeddings": ({ rows, dimensions }) => (rows ? `${plural(rows, "vector")} of ${dimensions} numbers` : ""),
  "index_dataset": ({ rows }) => (rows ? `${plural(rows, "row")} can be searched` : ""),
  "trigger_fine_tuning": ({ trainer, externalStatus }) => [trainer, externalStatus].filter(Boolean).join(", "),
};
