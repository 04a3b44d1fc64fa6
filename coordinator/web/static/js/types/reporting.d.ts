/**
 * Tells the service which chunks have arrived, beside the sending and never in its way.
 *
 * Rule: a report that fails fails nothing; completion asks S3 and not us.
 */
/** The reports of one run: every two seconds, or every fifty chunks. */
export declare class Reports {
    #private;
    service: import("./service.js").Service;
    uploadId: string;
    clock: import("./waiting.js").Clock;
    /**
     * @param {import("./service.js").Service} service
     * @param {string} uploadId
     * @param {import("./waiting.js").Clock} clock
     */
    constructor(service: import("./service.js").Service, uploadId: string, clock: import("./waiting.js").Clock);
    /** @param {number} index */
    add(index: number): void;
    /**
     * Send no more. An upload that is done needs no last report; one that was paused tells how far it
     * came, if that works soon.
     *
     * @param {{ isDone: boolean }} how
     */
    stop({ isDone }: {
        isDone: boolean;
    }): Promise<void>;
}
