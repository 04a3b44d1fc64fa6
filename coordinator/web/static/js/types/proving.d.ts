/**
 * Is this the file that the upload was begun with? The chunks already there are hashed and signed
 * once more: the first digest of a chunk is final, so another one is refused.
 */
/**
 * Choose which of the chunks that are there to hash: the first, the last, and others by chance.
 *
 * @param {number[]} present in order
 * @param {() => number} random
 * @param {number} [count]
 * @returns {number[]} in order
 */
export declare function sampleOf(present: number[], random: () => number, count?: number): number[];
/**
 * Hash chunks and let the service compare them with what it was told first.
 *
 * @param {import("./opening.js").NamedBlob} file
 * @param {import("./chunks.js").Facts} facts
 * @param {number[]} indexes chunks that are there
 * @param {Pick<import("./chunks.js").Tools, "service" | "budget" | "meter">} tools
 * @param {AbortSignal} signal
 * @throws {UploadError} `another-file`
 */
export declare function prove(file: import("./opening.js").NamedBlob, facts: import("./chunks.js").Facts, indexes: number[], { service, budget, meter }: Pick<import("./chunks.js").Tools, "service" | "budget" | "meter">, signal: AbortSignal): Promise<void>;
/**
 * Compare the whole file with the root of an upload that is completed: nothing can be signed there.
 *
 * @param {import("./opening.js").NamedBlob} file
 * @param {import("./chunks.js").Facts} facts
 * @param {string} root
 * @param {Pick<import("./chunks.js").Tools, "budget" | "meter">} tools
 * @param {AbortSignal} signal
 * @throws {UploadError} `another-file`
 */
export declare function proveCompleted(file: import("./opening.js").NamedBlob, facts: import("./chunks.js").Facts, root: string, tools: Pick<import("./chunks.js").Tools, "budget" | "meter">, signal: AbortSignal): Promise<void>;
