/**
 * From the last chunk to COMPLETED.
 */

import { UploadError } from "./problems.js";
import { sleep } from "./waiting.js";

// While it is assembled: asked at these intervals, and told to go on every half minute, in case
// that whoever was at it has died.
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 2_000;
const NUDGE_MS = 30_000;

/**
 * @typedef {object} Result
 * @property {string} uploadId
 * @property {string} fileName
 * @property {number} fileSize
 * @property {string | null} root S3's composite checksum, which the service has proven
 * @property {string | null} checksum
 * @property {{ jobId: string, kind: string, status: string }[]} jobs
 * @property {string | null} filePath
 * @property {boolean} alreadyUploaded it was completed before; nothing was sent
 */

/**
 * Complete the upload; repeating it is harmless.
 *
 * @param {import("./service.js").Service} service
 * @param {string} uploadId
 * @param {AbortSignal} signal
 * @returns {Promise<any>} the service's answer
 */
export async function complete(service, uploadId, signal) {
  for (;;) {
    const answer = await service.complete(uploadId, signal);
    if (answer.status === "completed") return answer;
    await settled(service, uploadId, signal);
  }
}

/** Return when it is assembled, has failed or was reopened, or after half a minute. */
async function settled(
  /** @type {import("./service.js").Service} */ service, /** @type {string} */ uploadId, /** @type {AbortSignal} */ signal,
) {
  const { clock } = service;
  const nudgeAt = clock.now() + NUDGE_MS;
  for (let waitMs = FIRST_WAIT_MS; clock.now() < nudgeAt; waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 1.5)) {
    await sleep(waitMs, signal, clock);
    if ((await service.status(uploadId, signal)).status !== "ASSEMBLING") return;
  }
}

/**
 * @param {any} answer
 * @param {{ fileName: string, fileSize: number, alreadyUploaded: boolean }} about
 * @returns {Result}
 */
export function resultOf(answer, { fileName, fileSize, alreadyUploaded }) {
  return {
    uploadId: answer.uploadId,
    fileName,
    fileSize,
    root: answer.manifest?.root ?? null,
    checksum: answer.manifest?.checksum ?? null,
    jobs: answer.aiPipeline?.jobs ?? [],
    filePath: answer.filePath ?? null,
    alreadyUploaded,
  };
}

/**
 * Say of an upload that ended elsewhere why it did; any other error stays what it is.
 *
 * @param {unknown} error
 */
export function explained(error) {
  if (!(error instanceof UploadError) || error.code !== "wrong-phase" || error.members.phase !== "FAILED") return error;
  return endedElsewhere(error.members.reason, error);
}

/**
 * @param {unknown} reason
 * @param {unknown} [cause]
 */
export function endedElsewhere(reason, cause) {
  if (reason === "expired") return new UploadError("upload-expired", "The upload ran out of time.", { cause });
  const because = typeof reason === "string" ? ` (${reason})` : "";
  return new UploadError("upload-failed", `The upload was ended elsewhere${because}.`, { cause, members: { reason } });
}

/**
 * Tell whether sending was overtaken: somebody else, such as another tab, has all chunks there.
 *
 * @param {unknown} error
 */
export function isOvertaken(error) {
  return error instanceof UploadError && error.code === "wrong-phase"
    && (error.members.phase === "ASSEMBLING" || error.members.phase === "COMPLETED");
}
