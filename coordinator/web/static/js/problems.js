/**
 * What can go wrong, each with a code that stays and advice for whoever sits in front of it.
 *
 * Rule: no address, token or key gets into an error; presigned addresses are secrets.
 */

/** @type {Record<string, string>} What to do, by code; the rest is the service's own refusal. */
const ADVICE = {
  "network": "Check the connection. If other pages work, a firewall or the bucket's CORS rules may block this one.",
  "offline": "The upload goes on by itself when the connection is back.",
  "stalled": "The connection stopped moving; the chunk is sent again by itself.",
  "s3-refused": "Try again. If it stays so, tell the operator the code that S3 gave.",
  "file-changed": "The file changed while it was being uploaded. Start a new upload of it.",
  "another-file": "Choose the file that this upload was begun with, or start a new upload.",
  "file-unreadable": "The file cannot be read: it was moved, deleted, or its permission ended. Choose it again.",
  "altered-on-the-way": "Something between this browser and S3 changes the bytes. Try another network.",
  "session-failed": "The page's own server did not open the upload. Try again, or reload the page.",
  "cancelled": "The upload was cancelled. Start it again if that was not meant.",
  "unauthenticated": "The permission to upload has ended. Reload the page.",
  "quota-exceeded": "There is no room left. Delete something, or ask the operator for more.",
  "file-too-large": "The file is too large. Split it.",
  "type-not-allowed": "Files of this type are not accepted here.",
  "upload-not-found": "The upload does not exist any more. Start a new one.",
  "upload-expired": "The upload was open for too long. Start a new one.",
  "upload-failed": "The upload was ended elsewhere. Start a new one.",
  "wrong-phase": "The upload is over already.",
  "checksum-mismatch": "What arrived is not what was declared. Start a new upload.",
  "digest-conflict": "The file is not the one that this upload was begun with. Start a new upload.",
  "parts-missing": "S3 loses chunks again and again. Try later, and tell the operator.",
  "key-taken": "Another object is in the way. Start a new upload.",
  "held": "The upload is kept for a legal case and cannot be removed.",
  "rate-limited": "Too many requests at once. Wait a little, then try again.",
  "unavailable": "The service is busy or restarting. Try again in a minute.",
  "clock-off": "The service's clock is wrong. Tell the operator.",
  "store-refused": "S3 refuses the service. Tell the operator.",
  "invalid-field": "The service does not accept the file's name, size or type.",
};

const RETRYABLE = new Set(["network", "offline", "stalled", "s3-refused", "altered-on-the-way", "session-failed",
  "rate-limited", "unavailable", "clock-off", "store-refused", "internal", "parts-missing", "file-unreadable"]);

/**
 * @typedef {object} UploadErrorFacts
 * @property {string} [field] a path into what was sent, such as `fileName`
 * @property {number} [chunkIndex] the chunk that it is about
 * @property {number} [status] the HTTP status, if there was an answer
 * @property {boolean} [retryable] whether the same may work later
 * @property {number} [retryAfterSeconds] when, if the service said so
 * @property {string} [requestId] finds the request in the service's log
 * @property {Record<string, unknown>} [members] what else the problem document says
 * @property {unknown} [cause] what was thrown below
 */

/** A failure with a stable `code`; `message` and `detail` are for people and may change. */
export class UploadError extends Error {
  /**
   * @param {string} code
   * @param {string} detail
   * @param {UploadErrorFacts} [facts]
   */
  constructor(code, detail, facts = {}) {
    super(detail, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = "UploadError";
    /** One of docs/errors.md of the service, or one of this module's own. */
    this.code = code;
    this.detail = detail;
    this.field = facts.field;
    this.chunkIndex = facts.chunkIndex;
    this.status = facts.status;
    this.retryable = facts.retryable ?? RETRYABLE.has(code);
    this.retryAfterSeconds = facts.retryAfterSeconds;
    this.requestId = facts.requestId;
    /** @type {Record<string, unknown>} */
    this.members = facts.members ?? {};
  }

  /** What to do, in plain words. */
  get advice() {
    return ADVICE[this.code] ?? (this.retryable ? "Try again in a minute." : "Tell the operator.");
  }

  /**
   * Read a refusal of the service, a problem document (RFC 9457), or of whatever stands before it.
   *
   * A page's `session` may throw what this returns: its code then reaches the page's own listeners.
   *
   * @param {Response} response
   * @returns {Promise<UploadError>}
   */
  static async from(response) {
    const { code, detail, ...facts } = await readRefusal(response);
    return new UploadError(code, detail, facts);
  }
}

/**
 * Read what a refusal says (RFC 9457); of a proxy's page, or an answer that broke off, the status alone.
 *
 * @param {Response} response
 */
export async function readRefusal(response) {
  const { status } = response;
  /** @type {Record<string, unknown>} */
  let members = {};
  try {
    const parsed = await response.json();
    if (parsed !== null && typeof parsed === "object" && !Array.isArray(parsed)) members = parsed;
  } catch {
    // No problem document: the status has to say it.
  }
  const retryable = status === 408 || status === 425 || status === 429 || (status >= 500 && status !== 501);
  return {
    status,
    code: textOr(members.code, retryable ? "unavailable" : "refused"),
    detail: textOr(members.detail, `The service answered with status ${status}.`),
    retryable,
    field: textOr(members.field, undefined),
    requestId: textOr(members.requestId, undefined),
    retryAfterSeconds: readRetryAfter(response.headers.get("Retry-After"), Date.now()),
    members,
  };
}

/**
 * Read `Retry-After`, seconds or a date, as seconds from now; nothing for none or nonsense.
 *
 * @param {string | null} value
 * @param {number} now milliseconds since 1970
 * @returns {number | undefined}
 */
export function readRetryAfter(value, now) {
  if (value === null || value.trim() === "") return undefined;
  const seconds = /^\d+$/.test(value.trim()) ? Number(value) : (Date.parse(value) - now) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

/**
 * @template T
 * @param {unknown} value
 * @param {T} otherwise
 * @returns {string | T}
 */
function textOr(value, otherwise) {
  return typeof value === "string" && value !== "" ? value : otherwise;
}

/**
 * Tell whether `error` only says that somebody gave up waiting.
 *
 * @param {unknown} error
 */
export function isAbort(error) {
  return error instanceof DOMException && error.name === "AbortError";
}

/**
 * Turn what reading a file threw into a failure of ours.
 *
 * Browsers say NotReadableError both of a file that was changed since it was chosen and of one that
 * they may not read; having read it before tells the two apart.
 *
 * @param {unknown} error
 * @param {{ wasRead: boolean, chunkIndex?: number, name: string }} about
 * @returns {UploadError}
 */
export function unreadable(error, { wasRead, chunkIndex, name }) {
  const kind = error instanceof Error || error instanceof DOMException ? error.name : "";
  if (wasRead && kind === "NotReadableError") {
    return new UploadError("file-changed", `${name} changed, or cannot be read any more.`, { chunkIndex, cause: error });
  }
  return new UploadError("file-unreadable", `${name} cannot be read.`, { chunkIndex, cause: error });
}
