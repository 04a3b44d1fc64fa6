/**
 * Requests to the coordinator: repeated while it is away, with a new token when the old one ends.
 */
import { UploadError } from "./problems.js";
export type Clock = import("./waiting.js").Clock;
export type Connection = import("./waiting.js").Connection;
export type Fetch = typeof globalThis.fetch;
export type Request_ = {
    method: string;
    path: string;
    body?: unknown;
    signal: AbortSignal;
};
/** The calls of one upload. */
export declare class Service {
    #private;
    endpoint: string;
    fetch: typeof fetch;
    clock: import("./waiting.js").Clock;
    connection: import("./waiting.js").Connection;
    renew: (signal: AbortSignal) => Promise<string>;
    warn: (error: UploadError) => void;
    patienceMs: number;
    /**
     * @param {object} parts
     * @param {string} parts.endpoint
     * @param {Fetch} parts.fetch
     * @param {Clock} parts.clock
     * @param {Connection} parts.connection
     * @param {(signal: AbortSignal) => Promise<string>} parts.renew returns a new token
     * @param {(error: UploadError) => void} parts.warn hears of failures that are tried again
     * @param {number} parts.patienceMs how long a service that answers with errors is asked again
     */
    constructor({ endpoint, fetch, clock, connection, renew, warn, patienceMs }: {
        endpoint: string;
        fetch: Fetch;
        clock: Clock;
        connection: Connection;
        renew: (signal: AbortSignal) => Promise<string>;
        warn: (error: UploadError) => void;
        patienceMs: number;
    });
    set token(/** @type {string | null} */ token: string | null);
    /**
     * @param {string} uploadId
     * @param {{ index: number, digest: string }[]} chunks
     * @param {{ force: boolean, signal: AbortSignal }} options
     */
    sign(uploadId: string, chunks: {
        index: number;
        digest: string;
    }[], { force, signal }: {
        force: boolean;
        signal: AbortSignal;
    }): Promise<any>;
    /**
     * @param {string} uploadId
     * @param {number[]} indexes
     * @param {AbortSignal} signal
     */
    report(uploadId: string, indexes: number[], signal: AbortSignal): Promise<any>;
    /**
     * @param {string} uploadId
     * @param {AbortSignal} signal
     * @param {{ verify?: boolean }} [options] `verify` asks S3 and not the ledger
     */
    status(uploadId: string, signal: AbortSignal, { verify }?: {
        verify?: boolean;
    }): Promise<any>;
    /**
     * @param {string} uploadId
     * @param {AbortSignal} signal
     */
    complete(uploadId: string, signal: AbortSignal): Promise<any>;
    /**
     * @param {string} uploadId
     * @param {AbortSignal} signal
     */
    abort(uploadId: string, signal: AbortSignal): Promise<any>;
    /**
     * Tell whether the service answers at all, whatever it says.
     *
     * @param {AbortSignal} signal
     */
    isReachable(signal: AbortSignal): Promise<boolean>;
    /**
     * Ask until there is an answer that is no passing failure.
     *
     * @param {Request_} request
     * @returns {Promise<any>} what it said, null for nothing
     */
    call(request: Request_): Promise<any>;
}
