/**
 * The files in what was chosen or dropped, folders walked through, each with its path.
 *
 * Rule: a drop's items are gone after its event, so all of them are taken before the first `await`.
 */

import { UploadError } from "./problems.js";

/**
 * @typedef {object} FoundFile
 * @property {File} file
 * @property {string} path with `/`, from the folder that was chosen on; or the name
 * @property {FileSystemFileHandle} [handle] by which the file can be found again after a reload
 * @property {import("./remembered.js").Entry} [resume] the open upload that it goes on with
 *
 * @typedef {object} Harvest
 * @property {FoundFile[]} files
 * @property {UploadError[]} unreadable folders and files that could not be opened
 *
 * @typedef {File | FileSystemHandle | { file: File, path?: string, handle?: FileSystemFileHandle,
 *   resume?: import("./remembered.js").Entry }} Given
 * @typedef {Iterable<Given> | FileList | DataTransferItemList | DataTransfer} Source
 */

/**
 * Find all files. Call it inside the event that brought them.
 *
 * @param {Source} source
 * @returns {Promise<Harvest>}
 */
export async function filesOf(source) {
  /** @type {Harvest} */
  const harvest = { files: [], unreadable: [] };
  const items = itemsOf(source);
  if (items === null) {
    for (const each of [.../** @type {Iterable<Given>} */ (source)]) {
      if (each instanceof Blob) harvest.files.push({ file: each, path: pathOf(each) });
      else if ("file" in each) harvest.files.push({ path: pathOf(each.file), ...each });
      else await walkHandle(each, each.name, harvest);
    }
    return harvest;
  }
  const taken = [...items].filter((item) => item.kind === "file").map(taking);
  for (const walk of taken) await walk(harvest);
  return harvest;
}

/** A folder that was chosen gives its files paths; others have their names. */
function pathOf(/** @type {File} */ file) {
  return file.webkitRelativePath || file.name;
}

/** @returns {DataTransferItemList | null} */
function itemsOf(/** @type {any} */ source) {
  if (typeof DataTransfer === "function" && source instanceof DataTransfer) return source.items;
  return typeof DataTransferItemList === "function" && source instanceof DataTransferItemList ? source : null;
}

/**
 * Take one dropped item, at once; what is returned walks through it afterwards.
 *
 * @param {any} item
 * @returns {(harvest: Harvest) => Promise<void>}
 */
export function taking(item) {
  /** @type {Promise<FileSystemHandle | null> | undefined} */
  const asHandle = item.getAsFileSystemHandle?.();
  // What was made by a script has no handle; that is no failure.
  const handle = asHandle?.catch(() => null);
  const entry = item.webkitGetAsEntry?.() ?? null;
  const file = item.getAsFile();
  return async (harvest) => {
    const found = (await handle) ?? null;
    if (found !== null) await walkHandle(found, found.name, harvest);
    else if (entry !== null) await walkEntry(entry, entry.name, harvest);
    else if (file !== null) harvest.files.push({ file, path: file.name });
  };
}

/**
 * @param {any} handle a FileSystemHandle
 * @param {string} path
 * @param {Harvest} harvest
 * @returns {Promise<void>}
 */
export async function walkHandle(handle, path, harvest) {
  await noting(harvest, path, async () => {
    if (handle.kind === "file") {
      harvest.files.push({ file: await handle.getFile(), path, handle });
      return;
    }
    for await (const child of handle.values()) await walkHandle(child, `${path}/${child.name}`, harvest);
  });
}

/**
 * @param {any} entry a FileSystemEntry
 * @param {string} path
 * @param {Harvest} harvest
 * @returns {Promise<void>}
 */
export async function walkEntry(entry, path, harvest) {
  await noting(harvest, path, async () => {
    if (entry.isFile) {
      harvest.files.push({ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), path });
      return;
    }
    const reader = entry.createReader();
    // A reader hands out a hundred at a time; only an empty answer is the end.
    for (;;) {
      /** @type {any[]} */
      const children = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (children.length === 0) return;
      for (const child of children) await walkEntry(child, `${path}/${child.name}`, harvest);
    }
  });
}

/** One folder that may not be read keeps no other from being uploaded. */
async function noting(/** @type {Harvest} */ harvest, /** @type {string} */ path, /** @type {() => Promise<void>} */ walk) {
  try {
    await walk();
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    harvest.unreadable.push(new UploadError("file-unreadable", `${path} cannot be read.`, { cause: error }));
  }
}
