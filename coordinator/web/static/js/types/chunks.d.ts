/**
 * What is known of an open upload, and how its file is cut.
 */
import { UploadError } from "./problems.js";
export type NamedBlob = import("./opening.js").NamedBlob;
export type Facts = {
    uploadId: string;
    chunkSize: number;
    totalChunks: number;
    /**
     * of the chunks that were hashed here, hex
     */
    digests: (string | undefined)[];
    /**
     * chunks that S3 has
     */
    uploaded: Set<number>;
    /**
     * whether this file is known to be the upload's
     */
    isProven: boolean;
    /**
     * sign chunks that the ledger believes to be there
     */
    force: boolean;
};
export type ChunkChange = {
    chunkIndex: number;
    state: "hashing" | "sending" | "uploaded" | "retrying";
    uploadedBytes: number;
    /**
     * counted from 1; 0 of a chunk that was there already
     */
    attempt: number;
    /**
     * why it is sent again
     */
    error?: UploadError;
};
export type Tools = {
    service: import("./service.js").Service;
    budget: import("./budget.js").Budget;
    meter: import("./progress.js").Meter;
    connection: import("./waiting.js").Connection;
    clock: import("./waiting.js").Clock;
    put: import("./putting.js").Put;
    stallMs: number;
    patienceMs: number;
    onChunk: (change: ChunkChange) => void;
    warn: (error: UploadError) => void;
};
/**
 * @typedef {import("./opening.js").NamedBlob} NamedBlob
 *
 * @typedef {object} Facts all that has to outlive a pause
 * @property {string} uploadId
 * @property {number} chunkSize
 * @property {number} totalChunks
 * @property {(string | undefined)[]} digests of the chunks that were hashed here, hex
 * @property {Set<number>} uploaded chunks that S3 has
 * @property {boolean} isProven whether this file is known to be the upload's
 * @property {boolean} force sign chunks that the ledger believes to be there
 *
 * @typedef {object} ChunkChange
 * @property {number} chunkIndex
 * @property {"hashing" | "sending" | "uploaded" | "retrying"} state
 * @property {number} uploadedBytes
 * @property {number} attempt counted from 1; 0 of a chunk that was there already
 * @property {UploadError} [error] why it is sent again
 *
 * @typedef {object} Tools what one upload works with
 * @property {import("./service.js").Service} service
 * @property {import("./budget.js").Budget} budget
 * @property {import("./progress.js").Meter} meter
 * @property {import("./waiting.js").Connection} connection
 * @property {import("./waiting.js").Clock} clock
 * @property {import("./putting.js").Put} put
 * @property {number} stallMs
 * @property {number} patienceMs
 * @property {(change: ChunkChange) => void} onChunk
 * @property {(error: UploadError) => void} warn
 */
/**
 * Return a chunk of a file. The last one is shorter; an empty file has one empty chunk.
 *
 * @param {Blob} file
 * @param {number} index
 * @param {number} chunkSize
 */
export declare function sliceOf(file: Blob, index: number, chunkSize: number): Blob;
/**
 * Turn the service's word that a chunk had another digest before into what that means here.
 *
 * @param {UploadError} error `digest-conflict`
 * @param {{ isProven: boolean }} facts
 * @param {string} name
 */
export declare function conflict(error: UploadError, { isProven }: {
    isProven: boolean;
}, name: string): UploadError;
