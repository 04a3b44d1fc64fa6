/**
 * A button that copies what stands beside it.
 */

import { announce } from "./announcer.js";
import { h, icon } from "./dom.js";

const THANKS_MS = 1_500;

/**
 * Where the browser does not let the page copy, what is to be copied is selected instead.
 *
 * @param {HTMLElement} shown what has the text
 * @param {{ label: string, copied: string, selected: string }} words of the button, and what is said afterwards
 */
export function copyButton(shown, { label, copied, selected }) {
  const button = h("button", { class: "iconic", type: "button", title: label, "aria-label": label }, icon("copy"));
  button.addEventListener("click", async () => {
    if (!(await isCopied(shown.textContent ?? ""))) {
      getSelection()?.selectAllChildren(shown);
      announce(selected);
      return;
    }
    announce(copied);
    button.replaceChildren(icon("check"));
    setTimeout(() => button.replaceChildren(icon("copy")), THANKS_MS);
  });
  return button;
}

/** Browsers refuse it to pages without https, and to those that are not in front. */
async function isCopied(/** @type {string} */ text) {
  try {
    await navigator.clipboard?.writeText(text);
    return navigator.clipboard !== undefined;
  } catch (error) {
    if (error instanceof DOMException) return false;
    throw error;
  }
}
