/** Hashes slices of files, one after the other; see hashing.js. */
export {};
