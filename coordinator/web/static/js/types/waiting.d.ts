/**
 * How long to wait, and what ends a wait early. Time, chance and the connection come from outside.
 */
export type Clock = {
    /**
     * milliseconds that only ever grow
     */
    now: () => number;
    setTimeout: (callback: () => void, ms: number) => unknown;
    clearTimeout: (timer: any) => void;
};
/**
 * @typedef {object} Clock
 * @property {() => number} now milliseconds that only ever grow
 * @property {(callback: () => void, ms: number) => unknown} setTimeout
 * @property {(timer: any) => void} clearTimeout
 */
/** @type {Clock} */
export declare const realClock: Clock;
/**
 * Return the wait after failure number `attempt`, counted from 0: full jitter below an exponential
 * cap, and never before the server's `Retry-After`.
 *
 * @param {number} attempt
 * @param {number} chance from 0 to 1
 * @param {number} [retryAfterSeconds]
 */
export declare function delayMs(attempt: number, chance: number, retryAfterSeconds?: number): number;
/**
 * Wait, unless `signal` ends it: then its reason is thrown. `wake` may end it early without harm.
 *
 * @param {number} ms
 * @param {AbortSignal} signal
 * @param {Clock} clock
 * @param {(wake: () => void) => () => void} [wakeable] registers a waker, returns how to take it away
 * @returns {Promise<void>}
 */
export declare function sleep(ms: number, signal: AbortSignal, clock: Clock, wakeable?: (wake: () => void) => () => void): Promise<void>;
/**
 * What is known of the way to the servers: the browser's word, and how requests went.
 *
 * It is down while the browser says so, or after `FAILURES` requests in a row that got no answer.
 */
export declare class Connection {
    #private;
    clock: Clock;
    random: () => number;
    isOnline: () => boolean;
    target: EventTarget | undefined;
    /** @type {Set<(isDown: boolean) => void>} */
    listeners: Set<(isDown: boolean) => void>;
    static FAILURES: number;
    /**
     * @param {object} parts
     * @param {Clock} parts.clock
     * @param {() => number} parts.random
     * @param {() => boolean} parts.isOnline the browser's word
     * @param {EventTarget} [parts.target] where `online` and `offline` are told
     */
    constructor({ clock, random, isOnline, target }: {
        clock: Clock;
        random: () => number;
        isOnline: () => boolean;
        target?: EventTarget;
    });
    get isDown(): boolean;
    /** Follow the browser's word as long as somebody listens; call what is returned to stop. */
    listen(/** @type {(isDown: boolean) => void} */ listener: (isDown: boolean) => void): () => void;
    /** A request got an answer, whatever it said. */
    answered(): void;
    /** A request got none. */
    failed(): void;
    /**
     * Wait after failure number `attempt`; the word that the browser is online again ends it early.
     * While offline, the end of the wait is the next probe.
     *
     * @param {number} attempt
     * @param {AbortSignal} signal
     * @param {number} [retryAfterSeconds]
     */
    wait(attempt: number, signal: AbortSignal, retryAfterSeconds?: number): Promise<void>;
}
export type Deferred<T> = {
    promise: Promise<T>;
    resolve: (value: T) => void;
    reject: (error: unknown) => void;
};
/**
 * @template T
 * @typedef {{ promise: Promise<T>, resolve: (value: T) => void, reject: (error: unknown) => void }} Deferred
 */
/**
 * Return a promise and the two ways to settle it.
 *
 * @template T
 * @returns {Deferred<T>}
 */
export declare function deferred<T>(): Deferred<T>;
