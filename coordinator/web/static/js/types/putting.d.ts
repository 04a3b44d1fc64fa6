/**
 * One PUT of one chunk to S3, and what its answer means.
 *
 * Rule: a presigned address goes to the request and nowhere else. An ETag is never read: CORS may
 * hide it, and completion does not need it.
 */
export type Clock = import("./waiting.js").Clock;
export type PutRequest = {
    url: string;
    method: string;
    headers: Record<string, string>;
    body: Blob;
    signal: AbortSignal;
    /**
     * bytes of this attempt that have left
     */
    onProgress: (bytes: number) => void;
    /**
     * whether other requests move: then the browser holds this one back
     */
    mayWaitItsTurn: () => boolean;
    stallMs: number;
    clock: Clock;
};
export type PutOutcome = {
    kind: "answer";
    status: number;
    code: string;
    retryAfter: string | null;
} | {
    kind: "network";
} | {
    kind: "stalled";
};
export type Put = (request: PutRequest) => Promise<PutOutcome>;
/** @type {Put} */
export declare function putByXhr({ url, method, headers, body, signal, onProgress, mayWaitItsTurn, stallMs, clock }: PutRequest): Promise<PutOutcome>;
export type Verdict = "stored" | "sign-again" | "hash-again" | "try-again" | "refused";
/**
 * Decide about S3's answer by its status and error code.
 *
 * @param {number} status
 * @param {string} code
 * @returns {Verdict}
 */
export declare function judge(status: number, code: string): Verdict;
