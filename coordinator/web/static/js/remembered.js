/**
 * Which uploads are open, kept in IndexedDB over reloads and crashes.
 *
 * Rule: no token is kept, and what cannot be kept (private windows, full disks) fails no upload.
 */

/**
 * @typedef {object} Entry
 * @property {string} endpoint
 * @property {string} uploadId
 * @property {string} resumeKey
 * @property {string} fileName
 * @property {number} fileSize
 * @property {string} fileType
 * @property {number | null} lastModified
 * @property {string} path
 * @property {string} startedAt RFC 3339
 * @property {number} uploadedBytes as of a few seconds before the page ended
 * @property {FileSystemFileHandle} [handle] by which the browser may find the file again
 */

const DATABASE = "coordinator.js";
const STORE = "uploads";

/**
 * List the uploads that this browser began and that are not over.
 *
 * @param {{ endpoint?: string }} [where]
 * @returns {Promise<Entry[]>} the newest first
 */
export async function openUploads({ endpoint = globalThis.location?.origin } = {}) {
  const wanted = bare(endpoint);
  const entries = await inStore("readonly", (store) => store.getAll());
  return /** @type {Entry[]} */ (entries ?? [])
    .filter((entry) => entry.endpoint === wanted)
    .sort((a, b) => b.startedAt.localeCompare(a.startedAt));
}

/**
 * Forget an upload. At the service it stays open until it expires: `cancel` ends it there, too.
 *
 * @param {{ endpoint?: string, uploadId: string }} entry
 * @returns {Promise<void>}
 */
export async function forget({ endpoint = globalThis.location?.origin, uploadId }) {
  await inStore("readwrite", (store) => store.delete([bare(endpoint), uploadId]));
}

/** Writes of one upload, one after the other: what is forgotten stays forgotten. */
export class Memory {
  /** @type {Promise<unknown>} */
  #writes = Promise.resolve();

  /** @param {Entry} entry */
  remember(entry) {
    const kept = { ...entry, endpoint: bare(entry.endpoint) };
    this.#writes = this.#writes.then(() => inStore("readwrite", (store) => store.put(kept)));
  }

  /** @param {{ endpoint: string, uploadId: string }} entry */
  forget(entry) {
    this.#writes = this.#writes.then(() => forget(entry));
  }
}

function bare(/** @type {string} */ endpoint) {
  return String(endpoint).replace(/\/+$/, "");
}

/**
 * @template T
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest<T>} ask
 * @returns {Promise<T | undefined>} nothing where this browser keeps nothing
 */
async function inStore(mode, ask) {
  if (globalThis.indexedDB === undefined) return undefined;
  try {
    const database = await opened();
    try {
      return await answerOf(ask(database.transaction(STORE, mode).objectStore(STORE)));
    } finally {
      database.close();
    }
  } catch (error) {
    if (error instanceof DOMException) return undefined;
    throw error;
  }
}

/** @returns {Promise<IDBDatabase>} */
function opened() {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: ["endpoint", "uploadId"] });
  return answerOf(request);
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function answerOf(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
