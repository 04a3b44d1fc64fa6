/**
 * How an upload is opened or found again: the page's own `session`, and what the service says of it.
 */
import { UploadError } from "./problems.js";
export type SessionRequest = {
    fileName: string;
    fileSize: number;
    fileType: string;
    /**
     * the file's place in the folder that was chosen, or its name
     */
    path: string;
    /**
     * the same for the same file: the backend's `Idempotency-Key`
     */
    resumeKey: string;
    /**
     * of the upload to go on with, null to start or find one
     */
    uploadId: string | null;
    reason: "start" | "resume" | "token-ended";
};
export type Session = {
    uploadId: string;
    /**
     * an upload token; `uploadToken` is taken, too
     */
    token?: string | null;
    uploadToken?: string | null;
    /**
     * with `resumed: false` it saves asking for the status
     */
    chunkSize?: number;
    totalChunks?: number;
    resumed?: boolean;
    status?: string;
};
export type SessionCall = (request: SessionRequest) => Promise<Session> | Session;
export type NamedBlob = File | (Blob & {
    name: string;
    lastModified?: number;
    webkitRelativePath?: string;
});
/**
 * Return a key that is the same for the same file: name, size, time and place. A Blob without a
 * time gets one that nobody will find again.
 *
 * @param {NamedBlob} file
 * @param {{ endpoint: string, path: string }} about
 * @returns {Promise<string>}
 */
export declare function resumeKeyOf(file: NamedBlob, { endpoint, path }: {
    endpoint: string;
    path: string;
}): Promise<string>;
/**
 * Return the key of attempt number `attempt`: a failed upload of the same file is passed over.
 *
 * @param {string} key
 * @param {number} attempt
 */
export declare function keyOfAttempt(key: string, attempt: number): string;
/**
 * Ask the page for a session, again while the network is away.
 *
 * @param {SessionCall} session
 * @param {SessionRequest} request
 * @param {{ connection: import("./waiting.js").Connection, signal: AbortSignal, warn: (error: UploadError) => void }} tools
 * @returns {Promise<Session & { token: string | null }>}
 */
export declare function askSession(session: SessionCall, request: SessionRequest, { connection, signal, warn }: {
    connection: import("./waiting.js").Connection;
    signal: AbortSignal;
    warn: (error: UploadError) => void;
}): Promise<Session & {
    token: string | null;
}>;
export type Found = {
    phase: "open" | "assembling" | "completed" | "failed";
    chunkSize: number;
    totalChunks: number;
    missing: number[];
    reason: string | null;
};
/**
 * @typedef {object} Found
 * @property {"open" | "assembling" | "completed" | "failed"} phase
 * @property {number} chunkSize
 * @property {number} totalChunks
 * @property {number[]} missing
 * @property {string | null} reason
 */
/**
 * Find out how the file is cut and what of it is there. A new upload of which the session told all
 * needs no request.
 *
 * @param {Session} session
 * @param {NamedBlob} file
 * @param {(uploadId: string) => Promise<any>} readStatus
 * @returns {Promise<Found>}
 */
export declare function findPlan(session: Session, file: NamedBlob, readStatus: (uploadId: string) => Promise<any>): Promise<Found>;
