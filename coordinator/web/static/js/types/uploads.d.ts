/**
 * Many files, one queue: hundreds of small ones side by side, large ones a few at a time, all of
 * them within one budget of lanes and hashers.
 */
import { Budget } from "./budget.js";
import { Emitter } from "./events.js";
import { Upload } from "./upload.js";
export type QueueOptions = {
    /**
     * by default 8
     */
    filesAtOnce?: number;
    /**
     * of them so many above 64 MiB; by default 2
     */
    largeFilesAtOnce?: number;
    /**
     * start what is added; by default true
     */
    autoStart?: boolean;
};
export type UploadsOptions = QueueOptions & Omit<import("./options.js").UploadOptions, "resume" | "resumeKey" | "path" | "handle">;
export type Totals = {
    /**
     * never goes down, unless a file is removed
     */
    uploadedBytes: number;
    totalBytes: number;
    bytesPerSecond: number;
    secondsLeft: number | null;
    files: {
        total: number;
        completed: number;
        failed: number;
        cancelled: number;
        waiting: number;
        running: number;
    };
};
export type UploadsEvents = {
    added: {
        uploads: Upload[];
    };
    state: {
        upload: Upload;
        state: import("./upload.js").State;
    };
    progress: Totals;
    /**
     * without `upload`: a folder or
     * file that could not be read
     */
    warning: {
        upload?: Upload;
        error: import("./problems.js").UploadError;
    };
    /**
     * nothing is left to do
     */
    done: {
        completed: number;
        failed: number;
        cancelled: number;
    };
};
/**
 * A queue of uploads. `add` files or what was dropped; iterate to get each Upload in order.
 *
 * @extends {Emitter<UploadsEvents>}
 */
export declare class Uploads extends Emitter<UploadsEvents> {
    #private;
    budget: Budget;
    filesAtOnce: number;
    largeFilesAtOnce: number;
    /** @param {UploadsOptions} options */
    constructor(options: UploadsOptions);
    get length(): number;
    get isPaused(): boolean;
    /** @returns {IterableIterator<Upload>} */
    [Symbol.iterator](): IterableIterator<Upload>;
    /**
     * Add files, chosen or dropped, with all that is in dropped folders. Call it inside the event that
     * brought them. What cannot be read is told by `warning` events, and the rest is added.
     *
     * @param {import("./dropped.js").Source} source
     * @param {Partial<import("./options.js").OwnOptions>} [options] for these files only
     * @returns {Promise<Upload[]>} each has its `path`
     */
    add(source: import("./dropped.js").Source, options?: Partial<import("./options.js").OwnOptions>): Promise<Upload[]>;
    /** Pause all; what waits begins no more. */
    pause(): void;
    /** Go on with all that was paused, and with what waits. What has failed needs `retry`. */
    resume(): void;
    /**
     * Give up one upload, or all that are not over, here and at the service.
     *
     * @param {Upload} [upload]
     */
    cancel(upload?: Upload): Promise<void>;
    /**
     * Try again what failed or was cancelled: one, or without an argument all that failed.
     *
     * @param {Upload} [upload]
     */
    retry(upload?: Upload): void;
    /**
     * Take an upload out of the list; one that is not over is given up.
     *
     * @param {Upload} upload
     */
    remove(upload: Upload): Promise<void>;
    /** @returns {Totals} */
    get progress(): Totals;
}
