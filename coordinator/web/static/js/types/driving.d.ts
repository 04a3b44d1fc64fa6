/**
 * The way of one upload, from opening to completed: what each run does, and what it leaves the next.
 */
export type Facts = import("./chunks.js").Facts;
export type Tools = import("./chunks.js").Tools;
export type Result = import("./completing.js").Result;
export type NamedBlob = import("./opening.js").NamedBlob;
export type Opened = import("./opening.js").Session & {
    token: string | null;
};
export type Wish = {
    session: import("./opening.js").SessionCall;
    endpoint: string;
    path: string;
    resumeKey: string | null;
    resume?: import("./remembered.js").Entry;
};
export type Course = {
    at: (work: "proving" | "uploading" | "completing") => void;
    /**
     * the upload is open and planned
     */
    begun: () => void;
};
/** Drives one upload. Several runs, one after the other, share it. */
export declare class Driving {
    #private;
    file: import("./opening.js").NamedBlob;
    wish: Wish;
    tools: import("./chunks.js").Tools;
    course: Course;
    resumeKey: string | null;
    /** @type {Facts | null} */
    facts: Facts | null;
    /** Hash every chunk that is there, and not only a sample. */
    provesAll: boolean;
    /**
     * @param {NamedBlob} file
     * @param {Wish} wish
     * @param {Tools} tools
     * @param {Course} course
     */
    constructor(file: NamedBlob, wish: Wish, tools: Tools, course: Course);
    /** Whether there is something to come back to after a reload. */
    get isOpen(): boolean;
    /**
     * Go on from wherever the last run ended, to the proven end.
     *
     * @param {AbortSignal} signal
     * @returns {Promise<Result>}
     */
    run(signal: AbortSignal): Promise<Result>;
    /**
     * Ask the page for another token of the same upload.
     *
     * @param {AbortSignal} signal
     * @returns {Promise<string>}
     */
    renew(signal: AbortSignal): Promise<string>;
    /**
     * Give the upload up at the service, also one that is only being opened. The next run opens another.
     *
     * @returns {Promise<boolean>} false if it was completed before
     */
    abort(): Promise<boolean>;
}
