/**
 * What the uploads of one page share: lanes, hashers, memory, and what is known of the connection.
 */

import { Hashers } from "./hashing.js";
import { Lanes } from "./lanes.js";
import { Connection, realClock } from "./waiting.js";

/**
 * @typedef {object} BudgetOptions
 * @property {{ min?: number, max?: number }} [parallel] chunks sent at once; adapts in between
 * @property {number} [hashers] chunks hashed at once
 * @property {number} [memory] bytes that hashing may hold, and a third of what is hashed ahead
 * @property {import("./waiting.js").Clock} [clock]
 * @property {() => number} [random]
 * @property {() => boolean} [isOnline]
 * @property {EventTarget} [target] where `online` and `offline` are told
 */

const MIB = 1024 * 1024;

/** Give one to several uploads, and they take turns instead of crowding each other out. */
export class Budget {
  /** @param {BudgetOptions} [options] */
  constructor({ parallel, hashers, memory, clock, random, isOnline, target } = {}) {
    this.clock = clock ?? realClock;
    this.memory = memory ?? 256 * MIB;
    this.lanes = new Lanes({ ...parallel, clock: this.clock });
    // One core is left to the page and the network.
    const cores = globalThis.navigator?.hardwareConcurrency ?? 2;
    this.hashers = new Hashers({ count: hashers ?? Math.max(1, Math.min(4, cores - 1)) });
    this.connection = new Connection({
      clock: this.clock,
      random: random ?? Math.random,
      isOnline: isOnline ?? (() => globalThis.navigator?.onLine !== false),
      target: target ?? (typeof globalThis.addEventListener === "function" ? globalThis : undefined),
    });
  }

  /** End the workers. */
  close() {
    this.hashers.close();
  }
}
