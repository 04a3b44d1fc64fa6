/**
 * One file on its way: what a page starts, pauses, watches and cancels.
 *
 * Rule: a run is ended by its signal alone; what the next run needs stands in the facts.
 */
import { Emitter } from "./events.js";
import { UploadError } from "./problems.js";
export type State = "new" | "preparing" | "proving" | "uploading" | "paused" | "offline" | "completing" | "completed" | "failed" | "cancelled";
export type Result = import("./completing.js").Result;
export type NamedBlob = import("./opening.js").NamedBlob;
export type UploadEvents = {
    state: {
        state: State;
    };
    /**
     * ten times a second at most
     */
    progress: import("./progress.js").Progress;
    chunk: import("./chunks.js").ChunkChange;
    /**
     * tried again by itself; nothing to do
     */
    warning: {
        error: UploadError;
    };
    completed: {
        result: Result;
    };
    failed: {
        error: UploadError;
    };
    cancelled: {
        error: UploadError;
    };
};
/**
 * The upload of one file. `start` it; it goes on until it is completed, paused, failed or cancelled.
 *
 * @extends {Emitter<UploadEvents>}
 */
export declare class Upload extends Emitter<UploadEvents> {
    #private;
    file: import("./opening.js").NamedBlob;
    endpoint: string;
    path: string;
    /** @type {UploadError | null} */
    error: UploadError | null;
    /** @type {Result | null} */
    result: Result | null;
    /**
     * @param {NamedBlob} file
     * @param {import("./options.js").UploadOptions} options
     */
    constructor(file: NamedBlob, options: import("./options.js").UploadOptions);
    get state(): State;
    /** The same as the last `progress` event told. */
    get progress(): import("./progress.js").Progress;
    /** Null until it is open. */
    get uploadId(): string | null;
    /** The same for the same file; null until it was made. */
    get resumeKey(): string | null;
    /**
     * Begin, or go on after a failure. Asked again meanwhile, it returns the same promise.
     *
     * @returns {Promise<Result>} rejects with an UploadError; events tell the same
     */
    start(): Promise<Result>;
    /** Stop sending. Chunks that are under way are sent again afterwards. */
    pause(): void;
    /** Go on after `pause`, or after a failure. */
    resume(): void;
    /**
     * Give it up, here and at the service.
     *
     * @returns {Promise<boolean>} false if it was completed before that
     */
    cancel(): Promise<boolean>;
    /**
     * Hash every chunk that is there already, and not only a sample, before anything more is sent.
     * Another file ends the upload with `another-file`.
     */
    proveAll(): void;
}
