/**
 * The bar of one upload. It is the file itself: a cell is a chunk, or several where there are too
 * many to see, and they fill side by side as they are sent.
 */

const MOST_CELLS = 160;
const MOST_GAPS = 72;

/** @typedef {"missing" | "moving" | "there" | "failed"} Cell */

/** One element, painted as one gradient: a hundred bars cost a hundred style changes and no more. */
export class ChunkMap {
  /** @type {Float32Array} how much of each chunk has left, 1 for all */
  #filled = new Float32Array(0);
  /** @type {Uint8Array} 1 where S3 has it, 2 where the last attempt failed */
  #marks = new Uint8Array(0);
  #painted = "";
  #fileSize;

  /**
   * @param {HTMLElement} element
   * @param {number} fileSize
   */
  constructor(element, fileSize) {
    this.element = element;
    this.#fileSize = fileSize;
  }

  /** @param {number} chunks how many the file is cut into, once that is known */
  plan(chunks) {
    if (chunks === this.#filled.length) return;
    this.#filled = new Float32Array(chunks);
    this.#marks = new Uint8Array(chunks);
    const cells = Math.min(chunks, MOST_CELLS);
    this.element.style.setProperty("--cells", String(cells));
    this.element.toggleAttribute("data-gaps", cells > 1 && cells <= MOST_GAPS);
  }

  /** @param {{ chunkIndex: number, state: string, uploadedBytes: number }} change */
  note({ chunkIndex, state, uploadedBytes }) {
    if (chunkIndex >= this.#filled.length) return;
    const size = Math.max(1, this.#fileSize / this.#filled.length);
    if (state === "uploaded") {
      this.#filled[chunkIndex] = 1;
      this.#marks[chunkIndex] = 1;
    } else if (state === "retrying") {
      this.#filled[chunkIndex] = 0;
      this.#marks[chunkIndex] = 2;
    } else if (state === "sending") {
      this.#filled[chunkIndex] = Math.min(1, uploadedBytes / size);
      this.#marks[chunkIndex] = 0;
    }
  }

  /** Paint what has changed since the last time. */
  paint() {
    const gradient = this.#gradient();
    if (gradient === this.#painted) return;
    this.#painted = gradient;
    this.element.style.backgroundImage = gradient;
  }

  #gradient() {
    const chunks = this.#filled.length;
    const cells = Math.min(chunks, MOST_CELLS);
    /** @type {{ color: Cell, until: number }[]} */
    const runs = [];
    const add = (/** @type {Cell} */ color, /** @type {number} */ until) => {
      const last = runs.at(-1);
      if (last?.color === color) last.until = until;
      else if (last === undefined || until > last.until) runs.push({ color, until });
    };
    for (let cell = 0; cell < cells; cell += 1) {
      const { there, moving, isFailed } = this.#look(Math.floor((cell * chunks) / cells), Math.floor(((cell + 1) * chunks) / cells));
      add("there", (cell + there) / cells);
      add("moving", (cell + there + moving) / cells);
      add(isFailed ? "failed" : "missing", (cell + 1) / cells);
    }
    let from = 0;
    const stops = runs.filter(({ until }) => until > 0).map(({ color, until }) => {
      const stop = `var(--chunk-${color}) ${percent(from)} ${percent(until)}`;
      from = until;
      return stop;
    });
    return stops.length === 0 ? "none" : `linear-gradient(90deg, ${stops.join(", ")})`;
  }

  /** Shares of a cell, which is the chunks from `first` up to `end`. */
  #look(/** @type {number} */ first, /** @type {number} */ end) {
    let [there, moving, isFailed] = [0, 0, false];
    for (let index = first; index < end; index += 1) {
      if (this.#marks[index] === 1) there += 1;
      else moving += this.#filled[index];
      isFailed ||= this.#marks[index] === 2;
    }
    const count = end - first;
    return { there: there / count, moving: moving / count, isFailed };
  }
}

function percent(/** @type {number} */ share) {
  return `${(100 * share).toFixed(2)}%`;
}
