/**
 * What is known of an open upload, and how its file is cut.
 */

import { UploadError } from "./problems.js";

/**
 * @typedef {import("./opening.js").NamedBlob} NamedBlob
 *
 * @typedef {object} Facts all that has to outlive a pause
 * @property {string} uploadId
 * @property {number} chunkSize
 * @property {number} totalChunks
 * @property {(string | undefined)[]} digests of the chunks that were hashed here, hex
 * @property {Set<number>} uploaded chunks that S3 has
 * @property {boolean} isProven whether this file is known to be the upload's
 * @property {boolean} force sign chunks that the ledger believes to be there
 *
 * @typedef {object} ChunkChange
 * @property {number} chunkIndex
 * @property {"hashing" | "sending" | "uploaded" | "retrying"} state
 * @property {number} uploadedBytes
 * @property {number} attempt counted from 1; 0 of a chunk that was there already
 * @property {UploadError} [error] why it is sent again
 *
 * @typedef {object} Tools what one upload works with
 * @property {import("./service.js").Service} service
 * @property {import("./budget.js").Budget} budget
 * @property {import("./progress.js").Meter} meter
 * @property {import("./waiting.js").Connection} connection
 * @property {import("./waiting.js").Clock} clock
 * @property {import("./putting.js").Put} put
 * @property {number} stallMs
 * @property {number} patienceMs
 * @property {(change: ChunkChange) => void} onChunk
 * @property {(error: UploadError) => void} warn
 */

/**
 * Return a chunk of a file. The last one is shorter; an empty file has one empty chunk.
 *
 * @param {Blob} file
 * @param {number} index
 * @param {number} chunkSize
 */
export function sliceOf(file, index, chunkSize) {
  return file.slice(index * chunkSize, (index + 1) * chunkSize);
}

/**
 * Turn the service's word that a chunk had another digest before into what that means here.
 *
 * @param {UploadError} error `digest-conflict`
 * @param {{ isProven: boolean }} facts
 * @param {string} name
 */
export function conflict(error, { isProven }, name) {
  const chunks = /** @type {unknown[]} */ (error.members.chunks ?? []);
  const chunkIndex = typeof chunks[0] === "number" ? chunks[0] : undefined;
  return isProven
    ? new UploadError("file-changed", `${name} changed since its upload began.`, { chunkIndex, cause: error })
    : new UploadError("another-file", `${name} is not the file that this upload was begun with.`, { chunkIndex, cause: error });
}
