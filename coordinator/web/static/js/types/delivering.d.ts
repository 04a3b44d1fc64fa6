/**
 * One chunk's way into S3: an attempt in a lane, and what its outcome asks for.
 */
export type Ticket = import("./signing.js").Ticket;
export type Tools = import("./chunks.js").Tools;
export type Next = "stored" | "sign" | "again";
/** Attempts of one run. It counts them, so that the engine knows how many are where. */
export declare class Delivery {
    #private;
    file: import("./opening.js").NamedBlob;
    facts: import("./chunks.js").Facts;
    tools: import("./chunks.js").Tools;
    run: {
        signal: AbortSignal;
        digest: (index: number) => Promise<string>;
        onFree: () => void;
    };
    /** Chunks that wait for a lane or are in one. */
    asking: number;
    /** Chunks in a lane. */
    sending: number;
    /** Chunks that wait before the next attempt. */
    waiting: number;
    /**
     * @param {import("./opening.js").NamedBlob} file
     * @param {import("./chunks.js").Facts} facts
     * @param {Tools} tools
     * @param {object} run
     * @param {AbortSignal} run.signal
     * @param {(index: number) => Promise<string>} run.digest
     * @param {() => void} run.onFree a lane is free again
     */
    constructor(file: import("./opening.js").NamedBlob, facts: import("./chunks.js").Facts, tools: Tools, run: {
        signal: AbortSignal;
        digest: (index: number) => Promise<string>;
        onFree: () => void;
    });
    /** @param {Ticket[]} tickets that a request has just brought */
    signed(tickets: Ticket[]): void;
    /** A chunk has arrived: whatever fails meanwhile is worth another try. */
    wentWell(): void;
    /**
     * Try once, and wait as long as the outcome asks for.
     *
     * @param {Ticket} ticket
     * @returns {Promise<Next>}
     * @throws {UploadError} what no repetition mends
     */
    attempt(ticket: Ticket): Promise<Next>;
}
