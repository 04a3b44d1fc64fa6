/**
 * What the uploads of one page share: lanes, hashers, memory, and what is known of the connection.
 */
import { Hashers } from "./hashing.js";
import { Lanes } from "./lanes.js";
import { Connection } from "./waiting.js";
export type BudgetOptions = {
    /**
     * chunks sent at once; adapts in between
     */
    parallel?: {
        min?: number;
        max?: number;
    };
    /**
     * chunks hashed at once
     */
    hashers?: number;
    /**
     * bytes that hashing may hold, and a third of what is hashed ahead
     */
    memory?: number;
    clock?: import("./waiting.js").Clock;
    random?: () => number;
    isOnline?: () => boolean;
    /**
     * where `online` and `offline` are told
     */
    target?: EventTarget;
};
/** Give one to several uploads, and they take turns instead of crowding each other out. */
export declare class Budget {
    clock: import("./waiting.js").Clock;
    memory: number;
    lanes: Lanes;
    hashers: Hashers;
    connection: Connection;
    /** @param {BudgetOptions} [options] */
    constructor({ parallel, hashers, memory, clock, random, isOnline, target }?: BudgetOptions);
    /** End the workers. */
    close(): void;
}
