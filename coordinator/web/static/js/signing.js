/**
 * When to ask for how many part URLs, and until when a URL is good.
 */

import { UploadError } from "./problems.js";

/** What one request may sign. */
export const MAX_BATCH = 1_000;

// At least so much of a file is hashed between two requests that would otherwise run dry.
const DRY_BATCHES = 32;
const GROWTH = 3;
const MARGIN_MS = 60_000;

/**
 * Return how many chunks may be hashed and not yet on their way. Hashed bytes are dropped, so this
 * bounds no memory: it keeps what is read a second time in the system's page cache.
 *
 * @param {{ chunkSize: number, lanes: number, memory: number }} sizes
 */
export function windowOf({ chunkSize, lanes, memory }) {
  return Math.max(2 * lanes, Math.min(MAX_BATCH, Math.floor((3 * memory) / Math.max(1, chunkSize))));
}

/**
 * Return how many of the `hashed` chunks to sign now; 0 is "not yet".
 *
 * Batches grow threefold, so that a file needs a handful of requests and yet the first chunk leaves
 * at once. While `ready` chunks (signed, and no lane yet) last for another round, nothing is asked.
 *
 * @param {object} facts
 * @param {number} facts.hashed chunks with a digest and no URL
 * @param {number} facts.ready chunks with a URL and no lane
 * @param {number} facts.sending chunks in a lane
 * @param {number} facts.lanes
 * @param {number} facts.batches signed so far
 * @param {number} facts.total chunks of this file
 * @param {number} facts.window
 * @param {boolean} facts.isLast nothing more will be hashed
 * @param {number} facts.most what the network takes before URLs end
 */
export function batchToSign({ hashed, ready, sending, lanes, batches, total, window, isLast, most }) {
  const batch = Math.min(hashed, MAX_BATCH, most);
  if (batch === 0 || ready >= lanes) return 0;
  const wanted = Math.min(lanes * GROWTH ** batches, Math.ceil(window / 2), most);
  if (isLast || hashed >= wanted) return batch;
  if (ready > 0 || sending >= lanes) return 0;
  const least = Math.min(most, Math.max(2, Math.ceil(total / DRY_BATCHES)));
  // Running dry: at once if nothing moves at all, else as soon as it doubles what moves.
  return hashed >= (sending === 0 ? Math.min(lanes, least) : Math.max(least, sending)) ? batch : 0;
}

/**
 * Return what can be sent before URLs end, at the present speed; at least two rounds of all lanes.
 *
 * @param {{ bytesPerSecond: number, lifetimeMs: number, chunkSize: number, lanes: number }} facts
 */
export function mostToSign({ bytesPerSecond, lifetimeMs, chunkSize, lanes }) {
  if (bytesPerSecond === 0) return MAX_BATCH;
  const bytes = (bytesPerSecond * lifetimeMs) / 3000;
  return Math.max(2 * lanes, Math.min(MAX_BATCH, Math.floor(bytes / Math.max(1, chunkSize))));
}

/**
 * @typedef {object} Ticket a chunk with all that is needed to send it
 * @property {number} index
 * @property {string} digest
 * @property {string} url
 * @property {string} method
 * @property {Record<string, string>} headers
 * @property {number} freshUntil by the clock of this page
 * @property {number} attempt of sending it, from 0
 */

/**
 * Return for how long a URL is good from the moment it was signed. Both ends are the signer's
 * clock, so this browser's may be as wrong as it likes.
 *
 * @param {string} url
 * @param {string} expiresAt
 * @returns {number} milliseconds
 */
export function lifetimeOf(url, expiresAt) {
  const signed = /[?&]X-Amz-Date=(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/.exec(url);
  if (signed === null) throw new UploadError("unexpected-answer", "A part URL does not say when it was signed.");
  const [year, month, day, hour, minute, second] = signed.slice(1).map(Number);
  return Math.max(0, Date.parse(expiresAt) - Date.UTC(year, month - 1, day, hour, minute, second));
}

/**
 * Read the service's answer: what to send, and which chunks it has already.
 *
 * @param {any} answer
 * @param {{ index: number, digest: string }[]} asked
 * @param {number} askedAt by the clock of this page, before the request left
 * @param {(index: number) => number} sizeOf
 * @returns {{ tickets: Ticket[], present: number[], lifetimeMs: number }}
 */
export function readSigned(answer, asked, askedAt, sizeOf) {
  const chunks = answer?.chunks;
  if (!Array.isArray(chunks) || chunks.some((chunk, at) => chunk.chunkIndex !== asked[at]?.index) || chunks.length !== asked.length) {
    throw new UploadError("unexpected-answer", "The service signed other chunks than it was asked for.");
  }
  /** @type {Ticket[]} */
  const tickets = [];
  const present = [];
  let lifetimeMs = Number.POSITIVE_INFINITY;
  for (const [at, { chunkIndex, url, method, headers, size, urlExpiresAt }] of chunks.entries()) {
    if (url === undefined) {
      present.push(chunkIndex);
      continue;
    }
    if (size !== sizeOf(chunkIndex)) {
      throw new UploadError("unexpected-answer", "The service cuts this file into other chunks.", { chunkIndex });
    }
    lifetimeMs = lifetimeOf(url, urlExpiresAt);
    const margin = Math.min(MARGIN_MS, lifetimeMs / 4);
    tickets.push({
      index: chunkIndex, digest: asked[at].digest, url, method, headers, attempt: 0,
      freshUntil: askedAt + lifetimeMs - margin,
    });
  }
  return { tickets, present, lifetimeMs };
}
