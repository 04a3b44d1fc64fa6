/**
 * Events that can be listened to in three ways: `on`, `addEventListener`, `for await`.
 */

/**
 * An EventTarget with `on`, and with iteration until an event of `last` has passed.
 *
 * @template {Record<string, any>} Events details by type
 */
export class Emitter extends EventTarget {
  /** @type {Set<(type: string, detail: any) => void>} */
  #readers = new Set();
  #last;

  /** @param {string[]} last types after which no event comes */
  constructor(last) {
    super();
    this.#last = new Set(last);
  }

  /**
   * Call `listener` with the detail of each event of a type; call what is returned to stop.
   *
   * @template {keyof Events & string} Type
   * @param {Type} type
   * @param {(detail: Events[Type]) => void} listener
   * @returns {() => void}
   */
  on(type, listener) {
    const hear = (/** @type {Event} */ event) => listener(/** @type {CustomEvent} */ (event).detail);
    this.addEventListener(type, hear);
    return () => this.removeEventListener(type, hear);
  }

  /**
   * @template {keyof Events & string} Type
   * @param {Type} type
   * @param {Events[Type]} detail
   */
  emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
    for (const read of [...this.#readers]) read(type, detail);
  }

  /**
   * Read all events from now on, each with its `type`. A slow reader sees only the newest progress.
   *
   * @returns {AsyncGenerator<{ [Type in keyof Events]: Events[Type] & { type: Type } }[keyof Events], void, void>}
   */
  async *[Symbol.asyncIterator]() {
    /** @type {any[]} */
    const events = [];
    let wake = () => {};
    const read = (/** @type {string} */ type, /** @type {any} */ detail) => {
      const waiting = events.at(-1);
      if (type === "progress" && waiting?.type === "progress") events.pop();
      events.push({ ...detail, type });
      wake();
    };
    this.#readers.add(read);
    try {
      for (;;) {
        while (events.length > 0) {
          const event = events.shift();
          yield event;
          if (this.#last.has(event.type)) return;
        }
        await new Promise((resolve) => {
          wake = () => resolve(undefined);
        });
      }
    } finally {
      this.#readers.delete(read);
    }
  }
}
