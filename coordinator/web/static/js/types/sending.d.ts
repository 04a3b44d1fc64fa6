/**
 * The engine: hashes ahead, signs in batches, sends several chunks at once, reports lazily.
 *
 * Rule: all that has to outlive a pause stands in `Facts`; what a run holds dies with it, and the
 * next one begins from the facts.
 */
import { Delivery } from "./delivering.js";
import { Reports } from "./reporting.js";
export type Ticket = import("./signing.js").Ticket;
export type Facts = import("./chunks.js").Facts;
export type Tools = import("./chunks.js").Tools;
/**
 * @typedef {import("./signing.js").Ticket} Ticket
 * @typedef {import("./chunks.js").Facts} Facts
 * @typedef {import("./chunks.js").Tools} Tools
 */
/** One run over the missing chunks of one upload. */
export declare class Sending {
    #private;
    file: import("./opening.js").NamedBlob;
    facts: import("./chunks.js").Facts;
    tools: import("./chunks.js").Tools;
    window: number;
    reports: Reports;
    delivery: Delivery;
    /**
     * @param {import("./opening.js").NamedBlob} file
     * @param {Facts} facts
     * @param {Tools} tools
     */
    constructor(file: import("./opening.js").NamedBlob, facts: Facts, tools: Tools);
    /**
     * Send all chunks that S3 does not have. Returns when all are there; throws what ended it, with
     * nothing left running.
     *
     * @param {AbortSignal} signal
     */
    run(signal: AbortSignal): Promise<void>;
    /** @param {number} index */
    sizeOf(index: number): number;
}
