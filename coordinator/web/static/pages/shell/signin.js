/**
 * The question for a key: over an empty page at first, over the page as it stands when a key ends.
 */

import { Problem } from "./api.js";
import { h, setAttribute, setText } from "./dom.js";

/** @typedef {import("./credential.js").Credential} Credential */

/**
 * Ask until there is a credential that the service takes.
 *
 * @template Found
 * @param {object} options
 * @param {boolean} options.isFirst nothing is behind it yet
 * @param {string} options.why
 * @param {(credential: Credential) => Promise<Found>} options.attempt throws a Problem if it does not work
 * @returns {Promise<Found>}
 */
export function askForKey({ isFirst, why, attempt }) {
  const input = h("input", {
    class: "input mono", id: "signin-key", type: "password", autocomplete: "off", spellcheck: false, required: true,
    autocapitalize: "none", "aria-describedby": "signin-hint signin-error",
  });
  const problem = h("p", { class: "notice", id: "signin-error", "data-tone": "bad", role: "alert", hidden: true });
  const button = h("button", { class: "button", "data-primary": true, type: "submit" }, "Continue");
  const form = h("form", { noValidate: true },
    h("div", null,
      h("h2", { id: "signin-title" }, isFirst ? "Which key shall we use?" : "Another key is needed"),
      h("p", { class: "soft small" }, why)),
    h("div", { class: "field" },
      h("label", { htmlFor: "signin-key" }, "API key or upload token"),
      input,
      h("p", { class: "soft small", id: "signin-hint" },
        "A key begins with “ck_”, the token of an upload with “ut_”. It is kept in this tab and forgotten with it.")),
    problem, button);
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": "signin-title", "data-first": isFirst }, form);
  document.body.append(dialog);
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.showModal();
  input.focus();

  return new Promise((resolve) => {
    const complain = (/** @type {string} */ text) => {
      setText(problem, text);
      problem.hidden = false;
      setAttribute(input, "aria-invalid", "true");
      input.focus();
    };
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const secret = input.value.trim();
      problem.hidden = true;
      setAttribute(input, "aria-invalid", null);
      if (!/^[\x21-\x7e]+$/.test(secret)) {
        complain("Type or paste the key here. It has letters, digits and “_”, and no spaces.");
        return;
      }
      button.disabled = true;
      try {
        const found = await attempt({ secret, uploadId: null });
        dialog.close();
        dialog.remove();
        resolve(found);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        complain(
          error.status === 401
            ? "The service does not know this key. It may be mistyped, revoked or out of date: ask whoever gave it to you."
            : error.detail,
        );
      } finally {
        button.disabled = false;
      }
    });
  });
}
