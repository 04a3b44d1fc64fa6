/**
 * What is asked again and again: while the page is looked at and not paused, later and later while
 * the service does not answer, and at once when somebody comes back.
 */

import { Problem } from "../shell.js";

const LONGEST_SECONDS = 60;
/** What asking again does not mend. */
const FINAL = new Set([400, 401, 403, 404, 409, 410, 422]);

/** @typedef {(signal: AbortSignal) => Promise<void>} Work */

export class Live {
  #isOn = true;
  /** @type {Set<(isForced: boolean) => void>} */
  #sleepers = new Set();
  /** @type {Map<Work, Problem>} what does not go well now */
  #problems = new Map();
  #onNews;

  /** @param {(problem: Problem | null) => void} onNews after each try: null, it went well */
  constructor(onNews) {
    this.#onNews = onNews;
    document.addEventListener("visibilitychange", () => this.wake());
    addEventListener("online", () => this.wake());
  }

  get isOn() {
    return this.#isOn;
  }

  set isOn(value) {
    this.#isOn = value;
    this.wake();
  }

  /**
   * Ask now what waits for its time.
   *
   * @param {boolean} [isForced] also while it is held: somebody has just changed something
   */
  wake(isForced = false) {
    for (const wake of [...this.#sleepers]) wake(isForced);
  }

  /**
   * Do it now, and again until `signal` says that nobody is there to see it.
   *
   * @param {Work} work
   * @param {{ signal: AbortSignal, seconds: number }} options
   */
  async repeat(work, { signal, seconds }) {
    let failures = 0;
    let isDue = true;
    while (!signal.aborted) {
      if (isDue || this.#isWatched()) {
        try {
          await work(signal);
          if (!signal.aborted) this.#note(work, null);
          failures = 0;
        } catch (error) {
          if (signal.aborted) return;
          if (!(error instanceof Problem)) throw error;
          this.#note(work, error);
          // The shell asks for another key; then the page is shown anew.
          if (FINAL.has(error.status)) return;
          failures += 1;
        }
      }
      isDue = await this.#sleep(Math.min(LONGEST_SECONDS, seconds * 2 ** failures), signal);
    }
  }

  /**
   * @param {Work} work
   * @param {Problem | null} problem
   */
  #note(work, problem) {
    if (problem === null) this.#problems.delete(work);
    else this.#problems.set(work, problem);
    this.#onNews([...this.#problems.values()].at(-1) ?? null);
  }

  /** Forget what did not go well in a view that was left. */
  forget() {
    this.#problems.clear();
    this.#onNews(null);
  }

  #isWatched() {
    return this.#isOn && document.visibilityState === "visible";
  }

  /**
   * @param {number} seconds
   * @param {AbortSignal} signal
   * @returns {Promise<boolean>} whether it is due, watched or not
   */
  #sleep(seconds, signal) {
    return new Promise((resolve) => {
      const done = (/** @type {boolean} */ isForced) => {
        clearTimeout(timer);
        this.#sleepers.delete(done);
        signal.removeEventListener("abort", stop);
        resolve(isForced);
      };
      const stop = () => done(false);
      // Unwatched, nothing but somebody's coming back ends it.
      const timer = this.#isWatched() ? setTimeout(stop, 1000 * seconds * (0.9 + Math.random() / 5)) : undefined;
      this.#sleepers.add(done);
      signal.addEventListener("abort", stop);
    });
  }
}
