/**
 * What the files are for: the purpose, and the schema that its rows are checked against.
 */

import { h, icon, setAttribute, setText } from "../shell.js";

/** @typedef {import("./session.js").Metadata} Metadata */

const PURPOSES = [
  { value: "archive", name: "Archive", text: "Kept as it is, and described." },
  { value: "training", name: "Training", text: "Checked, scanned for personal data, and made a training set." },
  { value: "retrieval", name: "Retrieval", text: "Checked, scanned, embedded, and indexed for search." },
];
const MAX_SCHEMA_BYTES = 15_000;
const AUTO = "auto-detect";

/** The form. What it says counts for files that are added from then on. */
export class WishForm {
  #purpose = "archive";
  #schema = h("textarea", {
    class: "input mono", id: "wish-schema", rows: 6, spellcheck: false, "aria-describedby": "wish-schema-error",
    placeholder: '{"type": "object", "required": ["id", "text"]}',
  });
  #problem = h("p", { class: "wrong small", id: "wish-schema-error" });
  #choice = h("select", { class: "input", id: "wish-schema-kind" },
    h("option", { value: AUTO }, "Found out from the rows"),
    h("option", { value: "given" }, "A JSON Schema of mine"));
  #given;
  #schemaPart;

  constructor() {
    const file = h("input", { type: "file", accept: ".json,application/json", class: "unseen", tabIndex: -1, "aria-hidden": "true" });
    file.addEventListener("change", async () => {
      this.#schema.value = (await file.files?.[0]?.text()) ?? "";
      file.value = "";
      this.#check();
    });
    const choose = h("button", { class: "quiet", type: "button", on: { click: () => file.click() } }, icon("file"), "Read it from a file");
    this.#given = h("div", { class: "field", hidden: true },
      h("label", { htmlFor: "wish-schema" }, "JSON Schema"), this.#schema, this.#problem, h("div", null, choose, file));
    this.#schemaPart = h("div", { class: "wish-schema", hidden: true },
      h("div", { class: "field" }, h("label", { htmlFor: "wish-schema-kind" }, "Schema of the rows"), this.#choice), this.#given);
    this.#choice.addEventListener("change", () => this.#show());
    this.#schema.addEventListener("change", () => this.#check());
    this.element = h("section", { class: "card wish", "aria-label": "What the files are for" },
      h("fieldset", { class: "field" },
        h("legend", null, "What are the files for?"),
        h("div", { class: "purposes" }, ...PURPOSES.map((purpose) => this.#radio(purpose)))),
      this.#schemaPart);
  }

  /**
   * What the next files are opened with; null if the form has to be mended first, and says so.
   *
   * @returns {Metadata | null}
   */
  get metadata() {
    if (this.#purpose === "archive") return { purpose: "archive" };
    if (this.#choice.value === AUTO) return { purpose: this.#purpose, schema: AUTO };
    const schema = this.#check();
    if (schema === null) {
      this.#schema.focus();
      return null;
    }
    return { purpose: this.#purpose, schema };
  }

  #radio(/** @type {{ value: string, name: string, text: string }} */ { value, name, text }) {
    const input = h("input", { type: "radio", name: "purpose", value, checked: value === this.#purpose });
    input.addEventListener("change", () => {
      this.#purpose = value;
      this.#show();
    });
    return h("label", { class: "purpose" }, input, h("span", null, h("strong", null, name), h("span", { class: "soft small" }, text)));
  }

  #show() {
    this.#schemaPart.hidden = this.#purpose === "archive";
    this.#given.hidden = this.#choice.value === AUTO;
  }

  /** @returns {object | null} the schema, or null for none that can be used */
  #check() {
    const { schema, fault } = read(this.#schema.value);
    setText(this.#problem, fault);
    setAttribute(this.#schema, "aria-invalid", fault === "" ? null : "true");
    return schema;
  }
}

/**
 * @param {string} text
 * @returns {{ schema: object | null, fault: string }}
 */
export function read(text) {
  if (text.trim() === "") return { schema: null, fault: "Paste the schema here, read it from a file, or have it found out." };
  if (new TextEncoder().encode(text).length > MAX_SCHEMA_BYTES) {
    return { schema: null, fault: "The schema is too long: 15 KB fit beside a file. Have it found out from the rows instead." };
  }
  let schema;
  try {
    schema = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { schema: null, fault: `This is no JSON. ${error.message}` };
  }
  const isObject = schema !== null && typeof schema === "object" && !Array.isArray(schema);
  return isObject ? { schema, fault: "" } : { schema: null, fault: "A JSON Schema is an object: it begins with “{”." };
}
