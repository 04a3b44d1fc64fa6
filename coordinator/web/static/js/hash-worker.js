/** Hashes slices of files, one after the other; see hashing.js. */

import { sha256Hex } from "./hashing.js";

const scope = /** @type {any} */ (globalThis);

scope.onmessage = async (/** @type {MessageEvent<Blob>} */ { data }) => {
  try {
    scope.postMessage({ hex: await sha256Hex(data) });
  } catch (error) {
    const { name, message } = /** @type {Error} */ (error);
    scope.postMessage({ name, message });
  }
};
