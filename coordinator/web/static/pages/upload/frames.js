/**
 * Painting, once a frame: whatever changed several times in between is painted once.
 */

/** @type {Set<{ paint: () => void }>} */
const due = new Set();
const TEXT_MS = 300;
let isAsked = false;

/**
 * Paint in the next frame.
 *
 * @param {{ paint: () => void }} view
 */
export function paintSoon(view) {
  due.add(view);
  if (isAsked) return;
  isAsked = true;
  requestAnimationFrame(() => {
    isAsked = false;
    const views = [...due];
    due.clear();
    for (const each of views) each.paint();
  });
}

/** Figures that change faster than people read are shown a few times a second, and the last of them for sure. */
export class Figures {
  #at = Number.NEGATIVE_INFINITY;
  #isAwaited = false;
  #view;

  /** @param {{ paint: () => void }} view is painted again when there is something left to show */
  constructor(view) {
    this.#view = view;
  }

  /** Show the next ones at once. */
  hurry() {
    this.#at = Number.NEGATIVE_INFINITY;
  }

  /** Whether it is time to show them. If not, the view is painted when it is. */
  get isTime() {
    const left = this.#at + TEXT_MS - performance.now();
    if (left <= 0) {
      this.#at = performance.now();
      return true;
    }
    if (!this.#isAwaited) {
      this.#isAwaited = true;
      setTimeout(() => {
        this.#isAwaited = false;
        paintSoon(this.#view);
      }, left);
    }
    return false;
  }
}
