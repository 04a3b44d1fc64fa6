/**
 * How many chunks are sent at once: as many as make it faster, fewer when requests fail.
 */
export type Clock = import("./waiting.js").Clock;
/**
 * Places for requests to S3, shared by all uploads of a page, first come, first served.
 *
 * The limit climbs while more of them move more bytes: by half at first, then one by one. When one
 * more was of no use it steps back and holds; a failure halves it.
 */
export declare class Lanes {
    #private;
    min: number;
    max: number;
    clock: import("./waiting.js").Clock;
    /** When bytes moved last, on any lane. */
    movedAt: number;
    /**
     * @param {object} parts
     * @param {number} [parts.min]
     * @param {number} [parts.max]
     * @param {number} [parts.start]
     * @param {Clock} parts.clock
     */
    constructor({ min, max, start, clock }: {
        min?: number;
        max?: number;
        start?: number;
        clock: Clock;
    });
    /** How many may be under way now. */
    get limit(): number;
    get active(): number;
    /**
     * Wait for a place. Call what is returned, once, to give it back.
     *
     * @param {AbortSignal} signal
     * @returns {Promise<() => void>}
     */
    acquire(signal: AbortSignal): Promise<() => void>;
    /**
     * Bytes moved, on any lane: from these the limit learns.
     *
     * @param {number} bytes
     */
    moved(bytes: number): void;
    /** A request failed for want of network, time or room at the server. */
    failed(): void;
}
