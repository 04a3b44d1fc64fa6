/**
 * Follows the jobs of many uploads by few streams: browsers have six connections to a server, and
 * requests that upload need some.
 */

import { follow, Problem } from "../shell.js";

/**
 * @typedef {{ jobId: string, kind: string, status: string }} Job
 *
 * @typedef {object} Followed
 * @property {string} uploadId
 * @property {(jobs: Job[]) => void} tell
 * @property {string} seen id of the last event
 * @property {AbortController | null} stream
 * @property {boolean} isLeft nobody wants to know any more
 */

const STREAMS = 2;
const TURN_MS = 8_000;

/** Streams take turns, so that no upload whose jobs take an hour keeps the others in the dark. */
export class JobWatch {
  /** @type {Followed[]} the next first */
  #waiting = [];
  /** @type {Set<Followed>} */
  #streaming = new Set();
  #isRefused = false;

  /**
   * @param {string} uploadId
   * @param {(jobs: Job[]) => void} tell
   * @returns {() => void} stops it
   */
  follow(uploadId, tell) {
    /** @type {Followed} */
    const followed = { uploadId, tell, seen: "", stream: null, isLeft: false };
    this.#waiting.push(followed);
    this.#next();
    return () => {
      followed.isLeft = true;
      this.#waiting = this.#waiting.filter((each) => each !== followed);
      followed.stream?.abort();
    };
  }

  /** Another key was given: go on with what the old one could not see any more. */
  goOn() {
    this.#isRefused = false;
    this.#next();
  }

  /** Somebody looks at this one: it comes next. */
  prefer(/** @type {string} */ uploadId) {
    const isIt = (/** @type {Followed} */ each) => each.uploadId === uploadId;
    this.#waiting = [...this.#waiting.filter(isIt), ...this.#waiting.filter((each) => !isIt(each))];
  }

  #next() {
    if (this.#isRefused) return;
    while (this.#streaming.size < STREAMS) {
      const followed = this.#waiting.shift();
      if (followed === undefined) return;
      this.#streaming.add(followed);
      this.#stream(followed);
    }
  }

  async #stream(/** @type {Followed} */ followed) {
    const stream = new AbortController();
    followed.stream = stream;
    const turn = setInterval(() => {
      if (this.#waiting.length > 0) stream.abort();
    }, TURN_MS);
    let isDone = false;
    try {
      followed.seen = await follow(`/api/uploads/${encodeURIComponent(followed.uploadId)}/events`, {
        signal: stream.signal,
        from: followed.seen,
        onMessage: ({ kind, data }) => {
          if (kind === "jobs") followed.tell(data.jobs);
        },
      });
      isDone = !stream.signal.aborted;
    } catch (error) {
      // It is gone, or the key may not watch it any more: there is nothing to follow.
      if (!(error instanceof Problem)) throw error;
      this.#isRefused ||= error.status === 401;
      isDone = error.status !== 401;
    } finally {
      clearInterval(turn);
      followed.stream = null;
      this.#streaming.delete(followed);
      if (!isDone && !followed.isLeft) this.#waiting.push(followed);
      this.#next();
    }
  }
}
