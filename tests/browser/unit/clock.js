/** A clock that moves only when a test says so. */
export class TestClock {
  #now = 0;
  #timers = new Map();
  #next = 1;

  now = () => this.#now;

  setTimeout = (callback, ms) => {
    const id = this.#next++;
    this.#timers.set(id, { at: this.#now + ms, callback });
    return id;
  };

  clearTimeout = (id) => {
    this.#timers.delete(id);
  };

  get waits() {
    return [...this.#timers.values()].map(({ at }) => at - this.#now).sort((a, b) => a - b);
  }

  /** Move on by `ms`, ring what is due in order, and let what follows from it happen. */
  async advance(ms) {
    const end = this.#now + ms;
    for (;;) {
      await settled();
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (due === undefined) break;
      const [id, { at, callback }] = due;
      this.#timers.delete(id);
      this.#now = Math.max(this.#now, at);
      callback();
    }
    this.#now = Math.max(this.#now, end);
    await settled();
  }
}

/** Let all that is ready run: promises, and what they make ready. */
export function settled() {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

export const never = new AbortController().signal;
