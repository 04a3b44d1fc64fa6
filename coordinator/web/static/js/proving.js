/**
 * Is this the file that the upload was begun with? The chunks already there are hashed and signed
 * once more: the first digest of a chunk is final, so another one is refused.
 */

import { conflict, sliceOf } from "./chunks.js";
import { rootOf } from "./hashing.js";
import { unreadable, UploadError } from "./problems.js";
import { MAX_BATCH } from "./signing.js";

const SAMPLES = 8;

/**
 * Choose which of the chunks that are there to hash: the first, the last, and others by chance.
 *
 * @param {number[]} present in order
 * @param {() => number} random
 * @param {number} [count]
 * @returns {number[]} in order
 */
export function sampleOf(present, random, count = SAMPLES) {
  if (present.length <= count) return [...present];
  const between = present.slice(1, -1);
  // Fisher and Yates, as far as it is needed.
  for (let at = 0; at < count - 2; at += 1) {
    const other = at + Math.floor(random() * (between.length - at));
    [between[at], between[other]] = [between[other], between[at]];
  }
  return [present[0], ...between.slice(0, count - 2).sort((a, b) => a - b), present[present.length - 1]];
}

/**
 * Hash chunks and let the service compare them with what it was told first.
 *
 * @param {import("./opening.js").NamedBlob} file
 * @param {import("./chunks.js").Facts} facts
 * @param {number[]} indexes chunks that are there
 * @param {Pick<import("./chunks.js").Tools, "service" | "budget" | "meter">} tools
 * @param {AbortSignal} signal
 * @throws {UploadError} `another-file`
 */
export async function prove(file, facts, indexes, { service, budget, meter }, signal) {
  for (let at = 0; at < indexes.length; at += MAX_BATCH) {
    const batch = indexes.slice(at, at + MAX_BATCH);
    const asked = await Promise.all(batch.map(async (index) => ({
      index, digest: await digestOf(file, facts, index, { budget, meter }, signal),
    })));
    try {
      await service.sign(facts.uploadId, asked, { force: false, signal });
    } catch (error) {
      if (!(error instanceof UploadError) || error.code !== "digest-conflict") throw error;
      throw conflict(error, { ...facts, isProven: false }, file.name);
    }
  }
  if (indexes.length > 0) facts.isProven = true;
}

/**
 * Compare the whole file with the root of an upload that is completed: nothing can be signed there.
 *
 * @param {import("./opening.js").NamedBlob} file
 * @param {import("./chunks.js").Facts} facts
 * @param {string} root
 * @param {Pick<import("./chunks.js").Tools, "budget" | "meter">} tools
 * @param {AbortSignal} signal
 * @throws {UploadError} `another-file`
 */
export async function proveCompleted(file, facts, root, tools, signal) {
  const indexes = Array.from({ length: facts.totalChunks }, (_, index) => index);
  const digests = await Promise.all(indexes.map((index) => digestOf(file, facts, index, tools, signal)));
  if ((await rootOf(digests)) !== root) {
    throw new UploadError("another-file", `${file.name} is not the file that was uploaded.`);
  }
}

/**
 * @param {import("./opening.js").NamedBlob} file
 * @param {import("./chunks.js").Facts} facts
 * @param {number} index
 * @param {Pick<import("./chunks.js").Tools, "budget" | "meter">} tools
 * @param {AbortSignal} signal
 * @returns {Promise<string>}
 */
async function digestOf(file, facts, index, { budget, meter }, signal) {
  const known = facts.digests[index];
  if (known !== undefined) return known;
  const slice = sliceOf(file, index, facts.chunkSize);
  try {
    const digest = await budget.hashers.hash(slice, signal);
    facts.digests[index] = digest;
    meter.hashed(slice.size);
    return digest;
  } catch (error) {
    signal.throwIfAborted();
    throw unreadable(error, { wasRead: false, chunkIndex: index, name: file.name });
  }
}
