/**
 * How far an upload is, counted so that what is shown never runs backwards.
 */

/**
 * @typedef {object} Progress
 * @property {string | null} uploadId null until the upload is open
 * @property {number} uploadedBytes bytes that S3 has or that are on the way; never goes down
 * @property {number} hashedBytes
 * @property {number} totalBytes
 * @property {number} bytesPerSecond of the last seconds; 0 while nothing moves
 * @property {number | null} secondsLeft null while nobody can know
 * @property {{ uploaded: number, total: number }} chunks
 */

const WINDOW_MS = 10_000;
const SAMPLE_MS = 250;

/** The speed over the last ten seconds of movement, from a list of samples. */
export class Speed {
  /** @type {{ at: number, bytes: number }[]} */
  #samples = [];
  #bytes = 0;

  /** @param {() => number} now */
  constructor(now) {
    this.now = now;
  }

  /** @param {number} bytes that moved since the last call */
  moved(bytes) {
    const at = this.now();
    const last = this.#samples.at(-1);
    if (last === undefined) this.#samples.push({ at, bytes: 0 });
    this.#bytes += bytes;
    if (last === undefined || at - last.at < SAMPLE_MS) return;
    this.#samples.push({ at, bytes: this.#bytes });
    while (this.#samples.length > 2 && at - this.#samples[1].at >= WINDOW_MS) this.#samples.shift();
  }

  /** Forget the past, as after a pause: the time in between is no slowness. */
  restart() {
    this.#samples = [];
    this.#bytes = 0;
  }

  get bytesPerSecond() {
    const first = this.#samples[0];
    if (first === undefined) return 0;
    const seconds = (this.now() - first.at) / 1000;
    return seconds < 0.2 ? 0 : Math.round(this.#bytesSince(first) / seconds);
  }

  #bytesSince(/** @type {{ bytes: number }} */ sample) {
    return this.#bytes - sample.bytes;
  }
}

/** Counts one upload. A chunk that has to be sent again takes nothing back from what was shown. */
export class Meter {
  #shown = 0;
  #hashed = 0;
  #arrivedBytes = 0;
  /** @type {Map<number, number>} bytes of chunks on their way */
  #moving = new Map();
  /** @type {Map<number, number>} bytes of chunks that S3 has */
  #arrived = new Map();

  /**
   * @param {object} parts
   * @param {number} parts.totalBytes
   * @param {() => number} parts.now
   */
  constructor({ totalBytes, now }) {
    this.totalBytes = totalBytes;
    /** @type {string | null} */
    this.uploadId = null;
    this.totalChunks = 0;
    this.speed = new Speed(now);
  }

  /** @param {number} bytes */
  hashed(bytes) {
    this.#hashed = Math.min(this.totalBytes, this.#hashed + bytes);
  }

  /**
   * So many bytes of a chunk have left this browser in its present attempt.
   *
   * @param {number} index
   * @param {number} bytes
   * @returns {number} how many more than was known
   */
  moving(index, bytes) {
    const more = Math.max(0, bytes - (this.#moving.get(index) ?? 0));
    this.#moving.set(index, bytes);
    this.speed.moved(more);
    return more;
  }

  /** @param {number} index a chunk whose attempt came to nothing */
  failed(index) {
    this.#moving.delete(index);
  }

  /**
   * S3 has the chunk.
   *
   * @param {number} index
   * @param {number} bytes
   */
  arrived(index, bytes) {
    this.#moving.delete(index);
    if (this.#arrived.has(index)) return;
    this.#arrived.set(index, bytes);
    this.#arrivedBytes += bytes;
  }

  /** @param {number} index a chunk that S3 has lost */
  lost(index) {
    this.#arrivedBytes -= this.#arrived.get(index) ?? 0;
    this.#arrived.delete(index);
  }

  /** Count from nothing: another upload of the same file begins. What was shown stays. */
  reset() {
    this.#arrived.clear();
    this.#moving.clear();
    this.#arrivedBytes = 0;
  }

  /** @returns {Progress} */
  look() {
    let moving = 0;
    for (const bytes of this.#moving.values()) moving += bytes;
    this.#shown = Math.max(this.#shown, Math.min(this.totalBytes, this.#arrivedBytes + moving));
    const { bytesPerSecond } = this.speed;
    const left = this.totalBytes - Math.min(this.#shown, this.#arrivedBytes + moving);
    return {
      uploadId: this.uploadId,
      uploadedBytes: this.#shown,
      hashedBytes: this.#hashed,
      totalBytes: this.totalBytes,
      bytesPerSecond,
      secondsLeft: left === 0 ? 0 : bytesPerSecond > 0 ? Math.ceil(left / bytesPerSecond) : null,
      chunks: { uploaded: this.#arrived.size, total: this.totalChunks },
    };
  }
}
