/**
 * What the service calls by codes, as this page says it.
 */

/** @typedef {import("../shell/job-words.js").Word} Word */

/** @type {Record<string, Word>} by phase, in its order */
export const PHASES = {
  "INIT": { text: "Opened", tone: "", icon: "clock" },
  "UPLOADING": { text: "Uploading", tone: "busy", icon: "upload" },
  "ASSEMBLING": { text: "Assembling", tone: "warn", icon: "shield" },
  "COMPLETED": { text: "Completed", tone: "good", icon: "check" },
  "FAILED": { text: "Failed", tone: "bad", icon: "alert" },
};

/** @type {Record<string, string>} why an upload failed */
const REASONS = {
  "aborted": "aborted",
  "expired": "ran out of time",
  "checksum-mismatch": "the whole file’s checksum was not the declared one",
  "type-mismatch": "its first bytes are not of the declared type",
};

/**
 * @param {string | null} reason
 * @returns {string} empty for none
 */
export function reasonText(reason) {
  return reason === null ? "" : (REASONS[reason] ?? reason.replaceAll("-", " "));
}

/** @type {Record<string, string>} by what a moment of the timeline is */
export const MOMENTS = {
  "opened": "Opened",
  "assembled": "Assembled in S3, being proven",
  "completed": "Completed: proven, its jobs queued",
  "failed": "Failed",
  "archived": "Tagged for the archive",
};

/** @type {Record<string, Word>} by state of a delivery */
export const DELIVERIES = {
  "waiting": { text: "Waiting", tone: "busy", icon: "clock" },
  "delivered": { text: "Delivered", tone: "good", icon: "check" },
  "dead": { text: "Given up", tone: "bad", icon: "alert" },
};

/** @param {string} code such as `upload.completed` */
export function spaced(code) {
  return code.replaceAll("_", " ").replaceAll(".", " · ");
}
