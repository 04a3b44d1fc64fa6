/**
 * The sha256 of chunks, computed beside the page in a pool of workers.
 *
 * Rule: a chunk's bytes exist only inside the one call that hashes it. The chunk is then sent as a
 * slice of the file, which the browser reads from the disk once more.
 */
/**
 * Return the sha256 of a slice as lower-case hex.
 *
 * @param {Blob} slice
 * @param {{ wholeBytes?: number }} [options] up to which size it is read at once
 * @returns {Promise<string>}
 */
export declare function sha256Hex(slice: Blob, { wholeBytes }?: {
    wholeBytes?: number;
}): Promise<string>;
/**
 * @param {ArrayBuffer | Uint8Array<ArrayBuffer>} bytes
 * @returns {Promise<ArrayBuffer>}
 */
export declare function sha256(bytes: ArrayBuffer | Uint8Array<ArrayBuffer>): Promise<ArrayBuffer>;
/**
 * @param {ArrayBuffer} buffer
 * @returns {string}
 */
export declare function hexOf(buffer: ArrayBuffer): string;
/**
 * Return what S3's composite checksum will be of an object of these chunks.
 *
 * @param {string[]} digests of all chunks in order, hex
 * @returns {Promise<string>}
 */
export declare function rootOf(digests: string[]): Promise<string>;
export type Task = {
    slice: Blob;
    resolve: (hex: string) => void;
    reject: (error: unknown) => void;
};
/**
 * @typedef {object} Task
 * @property {Blob} slice
 * @property {(hex: string) => void} resolve
 * @property {(error: unknown) => void} reject
 */
/** Hashes slices, so many at once, first come, first served. */
export declare class Hashers {
    #private;
    count: number;
    /**
     * @param {object} parts
     * @param {number} parts.count how many at once
     */
    constructor({ count }: {
        count: number;
    });
    /**
     * @param {Blob} slice
     * @param {AbortSignal} signal
     * @returns {Promise<string>} lower-case hex
     */
    hash(slice: Blob, signal: AbortSignal): Promise<string>;
    /** End the workers; what still waits is hashed by new ones if anybody asks again. */
    close(): void;
}
