/**
 * The question before something is lost.
 */

import { h } from "./dom.js";

/**
 * Ask, and wait for the answer. Escape is a no, and so is Enter at once.
 *
 * @param {{ title: string, text: string, yes: string, no?: string }} words
 * @returns {Promise<boolean>}
 */
export function confirmed({ title, text, yes, no = "Leave it as it is" }) {
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": "confirm-title", "aria-describedby": "confirm-text" },
    h("form", { method: "dialog" },
      h("h2", { id: "confirm-title" }, title),
      h("p", { class: "soft", id: "confirm-text" }, text),
      h("div", { class: "dialog-buttons" },
        h("button", { class: "button", value: "no", autofocus: true }, no),
        h("button", { class: "button", value: "yes", "data-danger": true }, yes))));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
