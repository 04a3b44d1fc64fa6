/**
 * What can go wrong, each with a code that stays and advice for whoever sits in front of it.
 *
 * Rule: no address, token or key gets into an error; presigned addresses are secrets.
 */
export type UploadErrorFacts = {
    /**
     * a path into what was sent, such as `fileName`
     */
    field?: string;
    /**
     * the chunk that it is about
     */
    chunkIndex?: number;
    /**
     * the HTTP status, if there was an answer
     */
    status?: number;
    /**
     * whether the same may work later
     */
    retryable?: boolean;
    /**
     * when, if the service said so
     */
    retryAfterSeconds?: number;
    /**
     * finds the request in the service's log
     */
    requestId?: string;
    /**
     * what else the problem document says
     */
    members?: Record<string, unknown>;
    /**
     * what was thrown below
     */
    cause?: unknown;
};
/**
 * @typedef {object} UploadErrorFacts
 * @property {string} [field] a path into what was sent, such as `fileName`
 * @property {number} [chunkIndex] the chunk that it is about
 * @property {number} [status] the HTTP status, if there was an answer
 * @property {boolean} [retryable] whether the same may work later
 * @property {number} [retryAfterSeconds] when, if the service said so
 * @property {string} [requestId] finds the request in the service's log
 * @property {Record<string, unknown>} [members] what else the problem document says
 * @property {unknown} [cause] what was thrown below
 */
/** A failure with a stable `code`; `message` and `detail` are for people and may change. */
export declare class UploadError extends Error {
    /** One of docs/errors.md of the service, or one of this module's own. */
    code: string;
    detail: string;
    field: string | undefined;
    chunkIndex: number | undefined;
    status: number | undefined;
    retryable: boolean;
    retryAfterSeconds: number | undefined;
    requestId: string | undefined;
    /** @type {Record<string, unknown>} */
    members: Record<string, unknown>;
    /**
     * @param {string} code
     * @param {string} detail
     * @param {UploadErrorFacts} [facts]
     */
    constructor(code: string, detail: string, facts?: UploadErrorFacts);
    /** What to do, in plain words. */
    get advice(): string;
    /**
     * Read a refusal of the service, a problem document (RFC 9457), or of whatever stands before it.
     *
     * A page's `session` may throw what this returns: its code then reaches the page's own listeners.
     *
     * @param {Response} response
     * @returns {Promise<UploadError>}
     */
    static from(response: Response): Promise<UploadError>;
}
/**
 * Read what a refusal says (RFC 9457); of a proxy's page, or an answer that broke off, the status alone.
 *
 * @param {Response} response
 */
export declare function readRefusal(response: Response): Promise<{
    status: number;
    code: string;
    detail: string;
    retryable: boolean;
    field: string | undefined;
    requestId: string | undefined;
    retryAfterSeconds: number | undefined;
    members: Record<string, unknown>;
}>;
/**
 * Read `Retry-After`, seconds or a date, as seconds from now; nothing for none or nonsense.
 *
 * @param {string | null} value
 * @param {number} now milliseconds since 1970
 * @returns {number | undefined}
 */
export declare function readRetryAfter(value: string | null, now: number): number | undefined;
/**
 * Tell whether `error` only says that somebody gave up waiting.
 *
 * @param {unknown} error
 */
export declare function isAbort(error: unknown): boolean;
/**
 * Turn what reading a file threw into a failure of ours.
 *
 * Browsers say NotReadableError both of a file that was changed since it was chosen and of one that
 * they may not read; having read it before tells the two apart.
 *
 * @param {unknown} error
 * @param {{ wasRead: boolean, chunkIndex?: number, name: string }} about
 * @returns {UploadError}
 */
export declare function unreadable(error: unknown, { wasRead, chunkIndex, name }: {
    wasRead: boolean;
    chunkIndex?: number;
    name: string;
}): UploadError;
