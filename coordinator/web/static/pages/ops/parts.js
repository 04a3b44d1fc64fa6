/**
 * Small parts that the views are made of.
 */

import { copyButton, formatAgo, formatMoment, h, icon, setAttribute, setText } from "../shell.js";

/** @typedef {import("./words.js").Word} Word */

/**
 * @param {Word | undefined} word
 * @param {string} otherwise where there is no word for it
 */
export function pill(word, otherwise) {
  const element = h("span", { class: "pill" });
  setPill(element, word, otherwise);
  return element;
}

/**
 * @param {HTMLElement} element
 * @param {Word | undefined} word
 * @param {string} otherwise
 */
export function setPill(element, word, otherwise) {
  const { text, tone, icon: name } = word ?? { text: otherwise, tone: "", icon: /** @type {const} */ ("clock") };
  if (element.textContent === text && element.childElementCount > 0) return;
  setAttribute(element, "data-tone", tone === "" ? null : tone);
  element.replaceChildren(icon(name), text);
}

/** A moment as the time since then; `refresh` with every look at the service. */
export class Since {
  /** @param {string} moment */
  constructor(moment) {
    this.element = h("time", { class: "figures" });
    this.moment = moment;
    this.refresh();
  }

  /** @param {string} [moment] another one */
  refresh(moment = this.moment) {
    this.moment = moment;
    setAttribute(this.element, "datetime", moment);
    setAttribute(this.element, "title", formatMoment(moment));
    setText(this.element, formatAgo(moment));
  }
}

/**
 * @param {string} text
 * @param {string} what it is, for whoever does not see it: `id of the upload`
 */
export function copyable(text, what) {
  const code = h("code", { class: "mono" }, text);
  return h("span", { class: "copied" }, code, copyButton(code, {
    label: `Copy the ${what}`, copied: `The ${what} is copied.`, selected: `The ${what} is selected, to be copied by the keyboard.`,
  }));
}

/**
 * Names and values, one beside the other.
 *
 * @param {...([string, import("../shell/dom.js").Child] | null)} pairs
 */
export function facts(...pairs) {
  return h("dl", { class: "facts" }, ...pairs.flatMap((pair) => (pair === null ? [] : [h("div", null, h("dt", null, pair[0]), h("dd", null, pair[1]))])));
}

/**
 * A row of links of which one holds.
 *
 * @param {string} label
 * @param {{ text: string, href: string, isHere: boolean }[]} choices
 */
export function choices(label, choices) {
  return h("nav", { class: "choices", "aria-label": label },
    ...choices.map(({ text, href, isHere }) => h("a", { href, "aria-current": isHere ? "true" : null }, text)));
}

/**
 * @param {string} title
 * @param {...import("../shell/dom.js").Child} beside
 */
export function heading(title, ...beside) {
  return h("div", { class: "heading" }, h("h1", { tabIndex: -1 }, title), ...beside);
}

/**
 * @param {string} title
 * @param {...import("../shell/dom.js").Child} children
 */
export function card(title, ...children) {
  const head = h("h2", null, title);
  return h("section", { class: "card part" }, h("div", { class: "part-head" }, head), ...children);
}

/**
 * What stands there when there is nothing else; hidden at first.
 *
 * @param {string} text
 */
export function nothing(text) {
  return h("p", { class: "soft nothing", hidden: true }, text);
}
