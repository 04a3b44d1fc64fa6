/**
 * How long to wait, and what ends a wait early. Time, chance and the connection come from outside.
 */

/**
 * @typedef {object} Clock
 * @property {() => number} now milliseconds that only ever grow
 * @property {(callback: () => void, ms: number) => unknown} setTimeout
 * @property {(timer: any) => void} clearTimeout
 */

/** @type {Clock} */
export const realClock = {
  now: () => performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: (timer) => clearTimeout(timer),
};

const BASE_MS = 300;
const CAP_MS = 15_000;
const LONGEST_RETRY_AFTER_MS = 120_000;
// Whoever was offline together must not come back in the same moment.
const SPREAD_MS = 500;

/**
 * Return the wait after failure number `attempt`, counted from 0: full jitter below an exponential
 * cap, and never before the server's `Retry-After`.
 *
 * @param {number} attempt
 * @param {number} chance from 0 to 1
 * @param {number} [retryAfterSeconds]
 */
export function delayMs(attempt, chance, retryAfterSeconds) {
  const full = Math.min(CAP_MS, BASE_MS * 2 ** Math.min(attempt, 16));
  const atLeast = Math.min(LONGEST_RETRY_AFTER_MS, (retryAfterSeconds ?? 0) * 1000);
  return atLeast + chance * (atLeast ? Math.min(full, SPREAD_MS) : full);
}

/**
 * Wait, unless `signal` ends it: then its reason is thrown. `wake` may end it early without harm.
 *
 * @param {number} ms
 * @param {AbortSignal} signal
 * @param {Clock} clock
 * @param {(wake: () => void) => () => void} [wakeable] registers a waker, returns how to take it away
 * @returns {Promise<void>}
 */
export function sleep(ms, signal, clock, wakeable) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const end = (/** @type {() => void} */ settle) => {
      clock.clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      forget?.();
      settle();
    };
    const abort = () => end(() => reject(signal.reason));
    const timer = clock.setTimeout(() => end(resolve), ms);
    signal.addEventListener("abort", abort);
    const forget = wakeable?.(() => end(resolve));
  });
}

/**
 * What is known of the way to the servers: the browser's word, and how requests went.
 *
 * It is down while the browser says so, or after `FAILURES` requests in a row that got no answer.
 */
export class Connection {
  static FAILURES = 3;

  #failures = 0;
  /** @type {Set<() => void>} */
  #wakers = new Set();
  #wasDown = false;

  /**
   * @param {object} parts
   * @param {Clock} parts.clock
   * @param {() => number} parts.random
   * @param {() => boolean} parts.isOnline the browser's word
   * @param {EventTarget} [parts.target] where `online` and `offline` are told
   */
  constructor({ clock, random, isOnline, target }) {
    this.clock = clock;
    this.random = random;
    this.isOnline = isOnline;
    this.target = target;
    /** @type {Set<(isDown: boolean) => void>} */
    this.listeners = new Set();
  }

  get isDown() {
    return !this.isOnline() || this.#failures >= Connection.FAILURES;
  }

  /** Follow the browser's word as long as somebody listens; call what is returned to stop. */
  listen(/** @type {(isDown: boolean) => void} */ listener) {
    if (this.listeners.size === 0) {
      this.target?.addEventListener("online", this.#hear);
      this.target?.addEventListener("offline", this.#hear);
      this.#wasDown = this.isDown;
    }
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0) {
        this.target?.removeEventListener("online", this.#hear);
        this.target?.removeEventListener("offline", this.#hear);
      }
    };
  }

  /** A request got an answer, whatever it said. */
  answered() {
    this.#failures = 0;
    this.#tell();
  }

  /** A request got none. */
  failed() {
    this.#failures += 1;
    this.#tell();
  }

  /**
   * Wait after failure number `attempt`; the word that the browser is online again ends it early.
   * While offline, the end of the wait is the next probe.
   *
   * @param {number} attempt
   * @param {AbortSignal} signal
   * @param {number} [retryAfterSeconds]
   */
  async wait(attempt, signal, retryAfterSeconds) {
    const offline = !this.isOnline();
    const ms = offline ? CAP_MS : delayMs(attempt, this.random(), retryAfterSeconds);
    await sleep(ms, signal, this.clock, (wake) => {
      this.#wakers.add(wake);
      return () => this.#wakers.delete(wake);
    });
    if (offline && this.isOnline()) await sleep(this.random() * SPREAD_MS, signal, this.clock);
  }

  #hear = () => {
    if (this.isOnline()) {
      this.#failures = 0;
      for (const wake of [...this.#wakers]) wake();
    }
    this.#tell();
  };

  #tell() {
    const { isDown } = this;
    if (isDown === this.#wasDown) return;
    this.#wasDown = isDown;
    for (const listener of [...this.listeners]) listener(isDown);
  }
}

/**
 * @template T
 * @typedef {{ promise: Promise<T>, resolve: (value: T) => void, reject: (error: unknown) => void }} Deferred
 */

/**
 * Return a promise and the two ways to settle it.
 *
 * @template T
 * @returns {Deferred<T>}
 */
export function deferred() {
  /** @type {any} */
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
}
