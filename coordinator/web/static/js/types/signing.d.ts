/**
 * When to ask for how many part URLs, and until when a URL is good.
 */
/** What one request may sign. */
export declare const MAX_BATCH = 1000;
/**
 * Return how many chunks may be hashed and not yet on their way. Hashed bytes are dropped, so this
 * bounds no memory: it keeps what is read a second time in the system's page cache.
 *
 * @param {{ chunkSize: number, lanes: number, memory: number }} sizes
 */
export declare function windowOf({ chunkSize, lanes, memory }: {
    chunkSize: number;
    lanes: number;
    memory: number;
}): number;
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
export declare function batchToSign({ hashed, ready, sending, lanes, batches, total, window, isLast, most }: {
    hashed: number;
    ready: number;
    sending: number;
    lanes: number;
    batches: number;
    total: number;
    window: number;
    isLast: boolean;
    most: number;
}): number;
/**
 * Return what can be sent before URLs end, at the present speed; at least two rounds of all lanes.
 *
 * @param {{ bytesPerSecond: number, lifetimeMs: number, chunkSize: number, lanes: number }} facts
 */
export declare function mostToSign({ bytesPerSecond, lifetimeMs, chunkSize, lanes }: {
    bytesPerSecond: number;
    lifetimeMs: number;
    chunkSize: number;
    lanes: number;
}): number;
export type Ticket = {
    index: number;
    digest: string;
    url: string;
    method: string;
    headers: Record<string, string>;
    /**
     * by the clock of this page
     */
    freshUntil: number;
    /**
     * of sending it, from 0
     */
    attempt: number;
};
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
export declare function lifetimeOf(url: string, expiresAt: string): number;
/**
 * Read the service's answer: what to send, and which chunks it has already.
 *
 * @param {any} answer
 * @param {{ index: number, digest: string }[]} asked
 * @param {number} askedAt by the clock of this page, before the request left
 * @param {(index: number) => number} sizeOf
 * @returns {{ tickets: Ticket[], present: number[], lifetimeMs: number }}
 */
export declare function readSigned(answer: any, asked: {
    index: number;
    digest: string;
}[], askedAt: number, sizeOf: (index: number) => number): {
    tickets: Ticket[];
    present: number[];
    lifetimeMs: number;
};
