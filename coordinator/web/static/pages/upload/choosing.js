/**
 * How files come in: dropped anywhere on the page, pasted, or chosen by buttons.
 *
 * Rule: what was dropped is handed on inside its event; a moment later the browser has taken it away.
 */

import { h, icon, setText } from "../shell.js";

/** @typedef {import("../../js/dropped.js").Source} Source */

/**
 * Make the drop zone.
 *
 * @param {object} options
 * @param {(source: Source) => void} options.onChosen
 * @param {boolean} options.isOne for one file only
 * @returns {{ element: HTMLElement, say: (title: string, hint: string) => void }}
 */
export function dropZone({ onChosen, isOne }) {
  const files = h("input", { type: "file", id: "files", multiple: !isOne, class: "unseen", tabIndex: -1, "aria-hidden": "true" });
  const folder = h("input", { type: "file", id: "folder", webkitdirectory: true, class: "unseen", tabIndex: -1, "aria-hidden": "true" });
  for (const input of [files, folder]) {
    input.addEventListener("change", () => {
      if (input.files !== null && input.files.length > 0) onChosen([...input.files]);
      // The same choice again is a choice, too.
      input.value = "";
    });
  }
  const choose = () => chooseFiles({ isOne, input: files, onChosen });
  const button = h("button", { class: "button", "data-primary": true, type: "button", on: { click: choose } }, icon("file"),
    isOne ? "Choose the file" : "Choose files");
  const folderButton = h("button", { class: "button", type: "button", on: { click: () => folder.click() } }, icon("folder"), "Choose a folder");
  const title = h("h2", null);
  const hint = h("p", { class: "soft small" });
  const element = h("section", { class: "dropzone", "aria-label": "Add files" },
    h("div", { class: "dropzone-sign", "aria-hidden": "true" }, icon("upload")),
    title,
    h("div", { class: "dropzone-buttons" }, button, !isOne && folderButton),
    hint, files, folder);
  // For the mouse only: the buttons say the same to everybody else.
  element.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("button, input") === null) choose();
  });
  listenForDrops(onChosen);
  listenForPastes(onChosen);
  return {
    element,
    say: (titleText, hintText) => {
      setText(title, titleText);
      setText(hint, hintText);
    },
  };
}

/**
 * Open the browser's dialog. The newer one gives handles, by which a file is found again after a
 * reload without being chosen; where it is missing, an input does.
 *
 * @param {object} options
 * @param {boolean} options.isOne
 * @param {HTMLInputElement} options.input
 * @param {(source: Source) => void} options.onChosen
 */
export async function chooseFiles({ isOne, input, onChosen }) {
  const pick = /** @type {any} */ (window).showOpenFilePicker;
  if (pick === undefined) {
    input.click();
    return;
  }
  /** @type {FileSystemFileHandle[]} */
  let handles;
  try {
    handles = await pick({ multiple: !isOne });
  } catch (error) {
    // Nothing was chosen; or the browser does not let this page ask, as in a frame.
    if (error instanceof DOMException && error.name === "SecurityError") input.click();
    else if (!(error instanceof DOMException)) throw error;
    return;
  }
  onChosen(await Promise.all(handles.map(async (handle) => ({ file: await handle.getFile(), path: handle.name, handle }))));
}

/** Show that the whole page takes files while some are held over it. */
function listenForDrops(/** @type {(source: Source) => void} */ onChosen) {
  let depth = 0;
  const show = () => document.body.toggleAttribute("data-dragging", depth > 0);
  const holdsFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragenter", (event) => {
    if (!holdsFiles(event)) return;
    depth += 1;
    show();
  });
  addEventListener("dragleave", (event) => {
    if (!holdsFiles(event)) return;
    depth = Math.max(0, depth - 1);
    show();
  });
  addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    /** @type {DataTransfer} */ (event.dataTransfer).dropEffect = isBusyElsewhere() ? "none" : "copy";
  });
  addEventListener("drop", (event) => {
    depth = 0;
    show();
    if (!holdsFiles(event)) return;
    // Also where it is not taken: the browser would leave the page for the file.
    event.preventDefault();
    if (!isBusyElsewhere()) onChosen(/** @type {DataTransfer} */ (event.dataTransfer));
  });
}

function listenForPastes(/** @type {(source: Source) => void} */ onChosen) {
  addEventListener("paste", (event) => {
    const items = event.clipboardData;
    if (items === null || items.files.length === 0 || isBusyElsewhere()) return;
    event.preventDefault();
    onChosen(items);
  });
}

/** A question stands over the page. */
function isBusyElsewhere() {
  return document.querySelector("dialog[open]") !== null;
}
