/**
 * What a screen reader is told. One region for the page, and no chatter: what comes while it speaks
 * is gathered, and of several things said under one topic the last counts.
 */

import { h } from "./dom.js";

const QUIET_MS = 1_500;

/** @type {HTMLElement | null} */
let region = null;
/** @type {Map<string, string>} */
const waiting = new Map();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** Put the region into the page; what is said before is said then. */
export function startAnnouncing() {
  region = h("div", { class: "unseen", role: "status", "aria-live": "polite", "aria-atomic": "true" });
  document.body.append(region);
}

/**
 * Tell, politely and a little later.
 *
 * @param {string} text
 * @param {string} [topic] an earlier text on the same topic that was not yet told is dropped
 */
export function announce(text, topic = text) {
  waiting.delete(topic);
  waiting.set(topic, text);
  timer ??= setTimeout(speak, QUIET_MS / 3);
}

function speak() {
  timer = undefined;
  if (region === null || waiting.size === 0) return;
  region.textContent = [...waiting.values()].join(" ");
  waiting.clear();
  timer = setTimeout(() => {
    timer = undefined;
    // The same words again have to be a change, or nothing is said.
    if (region !== null) region.textContent = "";
    if (waiting.size > 0) speak();
  }, QUIET_MS);
}
