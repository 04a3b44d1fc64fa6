/**
 * Events that can be listened to in three ways: `on`, `addEventListener`, `for await`.
 */
/**
 * An EventTarget with `on`, and with iteration until an event of `last` has passed.
 *
 * @template {Record<string, any>} Events details by type
 */
export declare class Emitter<Events extends Record<string, any>> extends EventTarget {
    #private;
    /** @param {string[]} last types after which no event comes */
    constructor(last: string[]);
    /**
     * Call `listener` with the detail of each event of a type; call what is returned to stop.
     *
     * @template {keyof Events & string} Type
     * @param {Type} type
     * @param {(detail: Events[Type]) => void} listener
     * @returns {() => void}
     */
    on<Type extends keyof Events & string>(type: Type, listener: (detail: Events[Type]) => void): () => void;
    /**
     * @template {keyof Events & string} Type
     * @param {Type} type
     * @param {Events[Type]} detail
     */
    emit<Type extends keyof Events & string>(type: Type, detail: Events[Type]): void;
    /**
     * Read all events from now on, each with its `type`. A slow reader sees only the newest progress.
     *
     * @returns {AsyncGenerator<{ [Type in keyof Events]: Events[Type] & { type: Type } }[keyof Events], void, void>}
     */
    [Symbol.asyncIterator](): AsyncGenerator<{ [Type in keyof Events]: Events[Type] & {
        type: Type;
    }; }[keyof Events], void, void>;
}
