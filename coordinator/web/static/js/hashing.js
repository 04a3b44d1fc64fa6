/**
 * The sha256 of chunks, computed beside the page in a pool of workers.
 *
 * Rule: a chunk's bytes exist only inside the one call that hashes it. The chunk is then sent as a
 * slice of the file, which the browser reads from the disk once more.
 */

import { Sha256 } from "./sha256.js";

// What is larger is read piece by piece: a browser may not even have so much memory in one piece.
const WHOLE_BYTES = 64 * 1024 * 1024;

/**
 * Return the sha256 of a slice as lower-case hex.
 *
 * @param {Blob} slice
 * @param {{ wholeBytes?: number }} [options] up to which size it is read at once
 * @returns {Promise<string>}
 */
export async function sha256Hex(slice, { wholeBytes = WHOLE_BYTES } = {}) {
  if (slice.size <= wholeBytes) return hexOf(await sha256(await slice.arrayBuffer()));
  const digest = new Sha256();
  const reader = slice.stream().getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) digest.update(piece.value);
  return hexOf(digest.finish().buffer);
}

/**
 * @param {ArrayBuffer | Uint8Array<ArrayBuffer>} bytes
 * @returns {Promise<ArrayBuffer>}
 */
export async function sha256(bytes) {
  if (globalThis.crypto?.subtle !== undefined) return crypto.subtle.digest("SHA-256", bytes);
  const digest = new Sha256();
  digest.update(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes));
  return digest.finish().buffer;
}

/**
 * @param {ArrayBuffer} buffer
 * @returns {string}
 */
export function hexOf(buffer) {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Return what S3's composite checksum will be of an object of these chunks.
 *
 * @param {string[]} digests of all chunks in order, hex
 * @returns {Promise<string>}
 */
export async function rootOf(digests) {
  const packed = new Uint8Array(digests.length * 32);
  digests.forEach((digest, at) => {
    for (let byte = 0; byte < 32; byte += 1) packed[at * 32 + byte] = Number.parseInt(digest.slice(2 * byte, 2 * byte + 2), 16);
  });
  const root = new Uint8Array(await sha256(packed));
  return `${btoa(String.fromCharCode(...root))}-${digests.length}`;
}

/**
 * @typedef {object} Task
 * @property {Blob} slice
 * @property {(hex: string) => void} resolve
 * @property {(error: unknown) => void} reject
 */

/** Hashes slices, so many at once, first come, first served. */
export class Hashers {
  /** @type {Task[]} */
  #waiting = [];
  /** @type {Worker[]} */
  #idle = [];
  /** @type {Map<Worker, Task>} */
  #busy = new Map();
  #onPage = 0;
  #canSpawn = typeof Worker === "function";

  /**
   * @param {object} parts
   * @param {number} parts.count how many at once
   */
  constructor({ count }) {
    this.count = Math.max(1, Math.floor(count));
  }

  /**
   * @param {Blob} slice
   * @param {AbortSignal} signal
   * @returns {Promise<string>} lower-case hex
   */
  hash(slice, signal) {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const leave = () => {
        this.#waiting = this.#waiting.filter((each) => each !== task);
        reject(signal.reason);
      };
      /** @type {Task} */
      const task = {
        slice,
        resolve: (hex) => {
          signal.removeEventListener("abort", leave);
          resolve(hex);
        },
        reject: (error) => {
          signal.removeEventListener("abort", leave);
          reject(error);
        },
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.push(task);
      this.#next();
    });
  }

  /** End the workers; what still waits is hashed by new ones if anybody asks again. */
  close() {
    for (const worker of [...this.#idle, ...this.#busy.keys()]) worker.terminate();
    for (const task of this.#busy.values()) task.reject(new DOMException("The workers were ended.", "AbortError"));
    this.#idle = [];
    this.#busy.clear();
  }

  #next() {
    while (this.#waiting.length > 0 && this.#busy.size + this.#onPage < this.count) {
      const worker = this.#idle.pop() ?? this.#spawn();
      const task = /** @type {Task} */ (this.#waiting.shift());
      if (worker === null) {
        this.#hashOnPage(task);
      } else {
        this.#busy.set(worker, task);
        worker.postMessage(task.slice);
      }
    }
  }

  /** WebCrypto computes beside the page, too; what is lost without workers is the reading there. */
  async #hashOnPage(/** @type {Task} */ task) {
    this.#onPage += 1;
    try {
      task.resolve(await sha256Hex(task.slice));
    } catch (error) {
      task.reject(error);
    } finally {
      this.#onPage -= 1;
      this.#next();
    }
  }

  /** @returns {Worker | null} null where a policy or another origin forbids workers */
  #spawn() {
    if (!this.#canSpawn) return null;
    /** @type {Worker} */
    let worker;
    try {
      worker = new Worker(workerUrl(), { type: "module", name: "sha256" });
    } catch {
      this.#canSpawn = false;
      return null;
    }
    worker.onmessage = ({ data }) => {
      const task = this.#busy.get(worker);
      this.#busy.delete(worker);
      this.#idle.push(worker);
      if (data.hex === undefined) task?.reject(new DOMException(data.message, data.name));
      else task?.resolve(data.hex);
      this.#next();
    };
    worker.onerror = (event) => {
      // It did not load, or it died: the page hashes by itself, beginning with what this one held.
      event.preventDefault();
      worker.terminate();
      this.#canSpawn = false;
      const task = this.#busy.get(worker);
      this.#busy.delete(worker);
      this.#idle = this.#idle.filter((each) => each !== worker);
      if (task !== undefined) this.#hashOnPage(task);
      this.#next();
    };
    return worker;
  }
}

/** @type {{ createScriptURL(url: string): any } | undefined} */
let policy;

/**
 * Return the worker's address, vouched for where a page demands Trusted Types.
 *
 * @returns {URL | any}
 */
function workerUrl() {
  const url = new URL("./hash-worker.js", import.meta.url);
  const { trustedTypes } = /** @type {any} */ (globalThis);
  if (trustedTypes === undefined) return url;
  policy ??= trustedTypes.createPolicy("coordinator-hash-worker", {
    // For one script, whatever it is asked for.
    createScriptURL: () => url.href,
  });
  return /** @type {NonNullable<typeof policy>} */ (policy).createScriptURL(url.href);
}
