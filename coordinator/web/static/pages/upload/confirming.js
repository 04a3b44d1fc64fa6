/**
 * The question before something is lost.
 */

import { h } from "../shell.js";

/**
 * Ask, and wait for the answer. Escape is a no.
 *
 * @param {{ title: string, text: string, yes: string, no: string }} words
 * @returns {Promise<boolean>}
 */
export function confirmed({ title, text, yes, no }) {
  const stay = h("button", { class: "button", type: "button", on: { click: () => dialog.close("no") } }, no);
  const go = h("button", { class: "button", "data-danger": true, type: "button", on: { click: () => dialog.close("yes") } }, yes);
  const dialog = h("dialog", { class: "signin", "aria-labelledby": "confirm-title", "aria-describedby": "confirm-text" },
    h("div", { class: "confirm" },
      h("h2", { id: "confirm-title" }, title),
      h("p", { class: "soft", id: "confirm-text" }, text),
      h("div", { class: "confirm-buttons" }, stay, go)));
  document.body.append(dialog);
  dialog.showModal();
  stay.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
