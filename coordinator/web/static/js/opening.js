/**
 * How an upload is opened or found again: the page's own `session`, and what the service says of it.
 */

import { hexOf, sha256 } from "./hashing.js";
import { UploadError } from "./problems.js";

/**
 * @typedef {object} SessionRequest what `session` is told
 * @property {string} fileName
 * @property {number} fileSize
 * @property {string} fileType
 * @property {string} path the file's place in the folder that was chosen, or its name
 * @property {string} resumeKey the same for the same file: the backend's `Idempotency-Key`
 * @property {string | null} uploadId of the upload to go on with, null to start or find one
 * @property {"start" | "resume" | "token-ended"} reason
 *
 * @typedef {object} Session what `session` answers: all that init said may be passed on as it is
 * @property {string} uploadId
 * @property {string | null} [token] an upload token; `uploadToken` is taken, too
 * @property {string | null} [uploadToken]
 * @property {number} [chunkSize] with `resumed: false` it saves asking for the status
 * @property {number} [totalChunks]
 * @property {boolean} [resumed]
 * @property {string} [status]
 *
 * @typedef {(request: SessionRequest) => Promise<Session> | Session} SessionCall
 *
 * @typedef {File | (Blob & { name: string, lastModified?: number, webkitRelativePath?: string })} NamedBlob
 */

// About half a minute: as long as a service takes to restart, and twice that.
const MAX_ATTEMPTS = 10;

/**
 * Return a key that is the same for the same file: name, size, time and place. A Blob without a
 * time gets one that nobody will find again.
 *
 * @param {NamedBlob} file
 * @param {{ endpoint: string, path: string }} about
 * @returns {Promise<string>}
 */
export async function resumeKeyOf(file, { endpoint, path }) {
  const { lastModified } = file;
  if (lastModified === undefined) return `js-${hexOf(crypto.getRandomValues(new Uint8Array(32)).buffer)}`;
  const facts = JSON.stringify([1, endpoint, path, file.name, file.size, lastModified]);
  return `js-${hexOf(await sha256(new TextEncoder().encode(facts)))}`;
}

/**
 * Return the key of attempt number `attempt`: a failed upload of the same file is passed over.
 *
 * @param {string} key
 * @param {number} attempt
 */
export function keyOfAttempt(key, attempt) {
  return attempt === 0 ? key : `${key}.${attempt}`;
}

/**
 * Ask the page for a session, again while the network is away.
 *
 * @param {SessionCall} session
 * @param {SessionRequest} request
 * @param {{ connection: import("./waiting.js").Connection, signal: AbortSignal, warn: (error: UploadError) => void }} tools
 * @returns {Promise<Session & { token: string | null }>}
 */
export async function askSession(session, request, { connection, signal, warn }) {
  for (let attempt = 0; ; attempt += 1) {
    signal.throwIfAborted();
    /** @type {UploadError} */
    let failure;
    try {
      const answer = await session(request);
      const token = answer?.token ?? answer?.uploadToken ?? null;
      if (typeof answer?.uploadId !== "string" || (token !== null && typeof token !== "string")) {
        throw new UploadError("session-failed", "`session` answered no { uploadId, token }.", { retryable: false });
      }
      return { ...answer, token };
    } catch (error) {
      failure = error instanceof UploadError ? error
        : new UploadError("session-failed", "The page's own server did not open the upload.", {
          cause: error, retryable: isNetworkFailure(error),
        });
    }
    const isOnline = connection.isOnline();
    if (!failure.retryable || (isOnline && attempt + 1 >= MAX_ATTEMPTS)) throw failure;
    if (!isOnline) attempt = 0;
    warn(failure);
    await connection.wait(attempt, signal, failure.retryAfterSeconds);
  }
}

/** Browsers say TypeError of a fetch that got no answer, each in other words. */
function isNetworkFailure(/** @type {unknown} */ error) {
  return error instanceof TypeError && /fetch|network|load failed/i.test(error.message);
}

/**
 * @typedef {object} Found
 * @property {"open" | "assembling" | "completed" | "failed"} phase
 * @property {number} chunkSize
 * @property {number} totalChunks
 * @property {number[]} missing
 * @property {string | null} reason
 */

/**
 * Find out how the file is cut and what of it is there. A new upload of which the session told all
 * needs no request.
 *
 * @param {Session} session
 * @param {NamedBlob} file
 * @param {(uploadId: string) => Promise<any>} readStatus
 * @returns {Promise<Found>}
 */
export async function findPlan(session, file, readStatus) {
  const { uploadId, chunkSize, totalChunks, resumed } = session;
  if (resumed === false && isCount(chunkSize)) {
    const planned = Math.max(1, Math.ceil(file.size / chunkSize));
    if (totalChunks === undefined || totalChunks === planned) {
      return { phase: "open", chunkSize, totalChunks: planned, missing: range(planned), reason: null };
    }
    throw new UploadError("another-file", `${file.name} has another size than the upload was opened for.`);
  }
  const status = await readStatus(uploadId);
  if (status.fileSize !== file.size) {
    throw new UploadError("another-file", `${file.name} has ${file.size} bytes, the upload is of a file of ${status.fileSize}.`);
  }
  /** @type {Record<string, Found["phase"]>} */
  const phases = { INIT: "open", UPLOADING: "open", ASSEMBLING: "assembling", COMPLETED: "completed", FAILED: "failed" };
  const phase = phases[status.status];
  if (phase === undefined) throw new UploadError("unexpected-answer", "The upload is in a phase that this page does not know.");
  return {
    phase, chunkSize: status.chunkSize, totalChunks: status.totalChunks, missing: status.missingChunks, reason: status.reason,
  };
}

/**
 * @param {unknown} value
 * @returns {value is number}
 */
function isCount(value) {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}

function range(/** @type {number} */ count) {
  return Array.from({ length: count }, (_, index) => index);
}
