/**
 * The page's words for what coordinator.js and the service call by codes.
 */

/** @typedef {import("../shell/job-words.js").Word} Word */

/** @type {Record<string, Word>} by the state of an upload */
export const STATES = {
  "new": { text: "Waiting", tone: "", icon: "clock" },
  "preparing": { text: "Preparing", tone: "busy", icon: "clock" },
  "proving": { text: "Checking the file", tone: "busy", icon: "shield" },
  "uploading": { text: "Uploading", tone: "busy", icon: "upload" },
  "paused": { text: "Paused", tone: "warn", icon: "pause" },
  "offline": { text: "Offline", tone: "warn", icon: "alert" },
  "completing": { text: "Proving", tone: "busy", icon: "shield" },
  "completed": { text: "Proven", tone: "good", icon: "check" },
  "failed": { text: "Failed", tone: "bad", icon: "alert" },
  "cancelled": { text: "Cancelled", tone: "", icon: "cross" },
};

/** @type {Record<string, string>} what a state asks of whoever watches, where it is not plain */
export const HINTS = {
  "proving": "what is there is compared with this file",
  "offline": "goes on by itself when the connection is back",
  "completing": "S3 puts the chunks together, and the checksums are compared",
};

/** @type {Record<string, string>} a headline for a code; what the error says comes below it */
const TITLES = {
  "network": "The connection broke",
  "offline": "There is no connection",
  "stalled": "The connection stopped moving",
  "s3-refused": "S3 refused a chunk",
  "file-changed": "The file changed",
  "another-file": "This is another file",
  "file-unreadable": "The file cannot be read",
  "altered-on-the-way": "Bytes are being changed on the way",
  "session-failed": "The upload could not be opened",
  "unauthenticated": "The key no longer works",
  "quota-exceeded": "A limit is reached",
  "file-too-large": "The file is too large",
  "type-not-allowed": "This type of file is not accepted",
  "upload-not-found": "The upload is gone",
  "upload-expired": "The upload ran out of time",
  "upload-failed": "The upload was ended elsewhere",
  "role-missing": "This key may not upload",
  "checksum-mismatch": "The checksums differ",
  "unavailable": "The service is busy",
  "rate-limited": "Too many requests",
};

/** @param {string} code */
export function titleOf(code) {
  return TITLES[code] ?? "The upload stopped";
}

/**
 * What to do. Of a key that ended coordinator.js cannot know that this page asks for another.
 *
 * @param {import("../../js/coordinator.js").UploadError} error
 */
export function adviceOf({ code, advice }) {
  return code === "unauthenticated" ? "With another key, or another link, it goes on where it stopped." : advice;
}

/** Failures that trying again with the same file cannot mend: another choice is asked for. */
export const ASKS_FOR_FILE = new Set(["another-file", "file-unreadable", "file-changed"]);
