/**
 * How many chunks are sent at once: as many as make it faster, fewer when requests fail.
 */

/** @typedef {import("./waiting.js").Clock} Clock */

const WINDOW_MS = 500;
const GAIN = 1.04;
const LOSS = 0.85;
const HOLD_WINDOWS = 8;
const SHRINK_EVERY_MS = 2_000;

/**
 * Places for requests to S3, shared by all uploads of a page, first come, first served.
 *
 * The limit climbs while more of them move more bytes: by half at first, then one by one. When one
 * more was of no use it steps back and holds; a failure halves it.
 */
export class Lanes {
  /** @type {(() => void)[]} */
  #waiting = [];
  #active = 0;
  #limit;
  #bytes = 0;
  #windowStart = 0;
  #wasSaturated = false;
  #lastRate = 0;
  #hasGrown = false;
  #isClimbing = true;
  #hold = 0;
  #shrunkAt = Number.NEGATIVE_INFINITY;

  /**
   * @param {object} parts
   * @param {number} [parts.min]
   * @param {number} [parts.max]
   * @param {number} [parts.start]
   * @param {Clock} parts.clock
   */
  constructor({ min = 1, max = 12, start = 3, clock }) {
    if (!(min >= 1 && max >= min)) throw new RangeError("parallel: min is at least 1, max at least min.");
    this.min = min;
    this.max = max;
    this.clock = clock;
    /** When bytes moved last, on any lane. */
    this.movedAt = Number.NEGATIVE_INFINITY;
    this.#limit = Math.min(max, Math.max(min, start));
  }

  /** How many may be under way now. */
  get limit() {
    return this.#limit;
  }

  get active() {
    return this.#active;
  }

  /**
   * Wait for a place. Call what is returned, once, to give it back.
   *
   * @param {AbortSignal} signal
   * @returns {Promise<() => void>}
   */
  async acquire(signal) {
    signal.throwIfAborted();
    if (this.#active >= this.#limit) {
      await new Promise((resolve, reject) => {
        const enter = () => {
          signal.removeEventListener("abort", leave);
          resolve(undefined);
        };
        const leave = () => {
          this.#waiting.splice(this.#waiting.indexOf(enter), 1);
          reject(signal.reason);
        };
        this.#waiting.push(enter);
        signal.addEventListener("abort", leave, { once: true });
      });
    } else {
      this.#enter();
    }
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#active -= 1;
      this.#admit();
      if (this.#active < this.#limit) this.#wasSaturated = false;
    };
  }

  /**
   * Bytes moved, on any lane: from these the limit learns.
   *
   * @param {number} bytes
   */
  moved(bytes) {
    this.#bytes += bytes;
    const now = this.clock.now();
    if (bytes > 0) this.movedAt = now;
    const elapsed = now - this.#windowStart;
    if (elapsed < WINDOW_MS) return;
    if (elapsed < 4 * WINDOW_MS && this.#wasSaturated) this.#learn(this.#bytes / elapsed);
    this.#begin(now);
  }

  /** A request failed for want of network, time or room at the server. */
  failed() {
    const now = this.clock.now();
    // Those under way together fail together, and are one failure.
    if (now - this.#shrunkAt < SHRINK_EVERY_MS) return;
    this.#shrunkAt = now;
    this.#limit = Math.max(this.min, Math.floor(this.#limit / 2));
    this.#settle(0);
    this.#begin(now);
  }

  #begin(/** @type {number} */ now) {
    this.#bytes = 0;
    this.#windowStart = now;
    this.#wasSaturated = this.#active >= this.#limit;
  }

  #learn(/** @type {number} */ rate) {
    if (this.#hasGrown && rate < this.#lastRate * GAIN) {
      // One more was of no use: back to where it was as fast.
      this.#resize(this.#limit - 1);
      this.#settle(rate);
      return;
    }
    if (this.#hold > 0) {
      this.#hold -= 1;
      // The network has changed: look around again.
      if (rate < this.#lastRate * LOSS || rate > this.#lastRate / LOSS) this.#hold = Math.min(this.#hold, 1);
      return;
    }
    this.#lastRate = rate;
    this.#hasGrown = this.#limit < this.max;
    this.#resize(this.#limit + (this.#isClimbing ? Math.max(1, this.#limit >> 1) : 1));
  }

  #settle(/** @type {number} */ rate) {
    this.#lastRate = rate;
    this.#hasGrown = false;
    this.#isClimbing = false;
    this.#hold = HOLD_WINDOWS;
  }

  #resize(/** @type {number} */ limit) {
    this.#limit = Math.min(this.max, Math.max(this.min, limit));
    this.#admit();
  }

  #enter() {
    this.#active += 1;
    if (this.#active === 1) this.#begin(this.clock.now());
  }

  #admit() {
    while (this.#active < this.#limit) {
      const enter = this.#waiting.shift();
      if (enter === undefined) return;
      this.#enter();
      enter();
    }
  }
}
