/**
 * The list of uploads: by phase, by user, by what somebody remembers of one.
 */

import { announce, call, formatBytes, h, icon, plural, setText } from "../shell.js";
import { choices, heading, nothing, pill, setPill, Since } from "./parts.js";
import { changed, linkTo, linkToUpload } from "./place.js";
import { Pages, Table } from "./rows.js";
import { PHASES, reasonText } from "./words.js";

const SECONDS = 5;
const LIMIT = 50;
/** A search looks through 10,000 uploads a page; so many pages it goes by itself. */
const PATIENCE = 5;

/**
 * @typedef {object} Summary
 * @property {string} uploadId
 * @property {string} userId
 * @property {string} fileName
 * @property {number} fileSize
 * @property {string} fileType
 * @property {string} status
 * @property {string | null} reason
 * @property {string} createdAt
 * @property {string} updatedAt
 */

/** @param {import("./main.js").Place} place */
export function show({ main, query, me, live, signal, go }) {
  const [status, text, user] = ["status", "q", "user"].map((name) => query.get(name));
  const seesAll = me.may.read === "tenant";
  const table = new Table({
    caption: "Uploads, the newest first", keyOf: (/** @type {Summary} */ each) => each.uploadId, make: (each) => row(each, query, seesAll),
    columns: [
      { text: "File" }, ...(seesAll ? [{ text: "User" }] : []), { text: "Size", kind: "number" },
      { text: "Phase" }, { text: "Opened" }, { text: "Last change" },
    ],
  });
  const none = nothing(text === null && user === null && status === null ? "Nothing was uploaded yet." : "No upload fits. Try less of a name, or another phase.");
  const more = h("button", { class: "button", type: "button", hidden: true }, "Show more");
  const told = h("p", { class: "soft small", role: "status" });
  const field = h("input", {
    class: "input", id: "uploads-q", type: "search", name: "q", value: text ?? "", maxLength: 255, autocomplete: "off", spellcheck: false,
    placeholder: "Id, or part of a file’s or user’s name",
  });
  const search = h("form", { class: "search", role: "search" },
    h("label", { class: "unseen", htmlFor: "uploads-q" }, "Search by id, file or user"), field,
    h("button", { class: "button", type: "submit" }, icon("search"), "Search"));
  search.addEventListener("submit", (event) => {
    event.preventDefault();
    go(changed(query, { q: field.value.trim() }));
  });
  const phases = choices("Phase", [
    { text: "All", href: changed(query, { status: null }), isHere: status === null },
    ...Object.entries(PHASES).map(([phase, word]) => ({ text: word.text, href: changed(query, { status: phase }), isHere: status === phase })),
  ]);
  const chips = h("p", { class: "chips" },
    text === null ? null : chip(`“${text}”`, changed(query, { q: null }), "the search"),
    user === null ? null : chip(`User ${user}`, changed(query, { user: null }), "the user"));
  main.replaceChildren(heading("Uploads", told), search, phases, chips, h("div", { class: "card" }, table.element, none), h("p", { class: "more" }, more));
  chips.hidden = chips.childElementCount === 0;

  const pages = new Pages((/** @type {Summary} */ each) => each.uploadId);
  const read = async (/** @type {string | null} */ cursor) => {
    /** @type {Summary[]} */
    const found = [];
    let next = cursor;
    for (let looks = 0; looks < PATIENCE; looks += 1) {
      const asked = new URLSearchParams({ limit: String(LIMIT) });
      for (const [name, value] of Object.entries({ status, q: text, userId: user, cursor: next })) if (value) asked.set(name, value);
      const answer = await call(`/api/uploads?${asked}`, { signal });
      found.push(...answer.uploads);
      next = answer.nextCursor;
      if (next === null || found.length > 0) break;
    }
    return { found, next };
  };
  const refresh = () => {
    const all = pages.all();
    table.show(all);
    none.hidden = all.length > 0;
    more.hidden = pages.next === null;
    setText(more, text === null ? "Show more" : "Look through older ones");
    setText(told, all.length === 0 ? "" : `${plural(all.length, "upload")}${pages.next === null ? "" : " and more"}`);
  };
  more.addEventListener("click", async () => {
    more.disabled = true;
    const before = pages.all().length;
    try {
      const { found, next } = await read(pages.next);
      pages.add(found, next);
      refresh();
      announce(`${plural(pages.all().length - before, "more upload")} shown.`);
    } finally {
      more.disabled = false;
    }
  });
  live.repeat(async () => {
    const { found, next } = await read(null);
    pages.renew(found, next);
    refresh();
  }, { signal, seconds: SECONDS });
}

/**
 * @param {string} text
 * @param {string} href
 * @param {string} what
 */
function chip(text, href, what) {
  return h("a", { class: "pill chip", href, "aria-label": `${text}: take ${what} away` }, h("bdi", null, text), icon("cross"));
}

/**
 * @param {Summary} upload
 * @param {URLSearchParams} query
 * @param {boolean} seesAll
 */
function row(upload, query, seesAll) {
  const phase = pill(PHASES[upload.status], upload.status);
  const why = h("span", { class: "soft small why" });
  const [opened, changedAt] = [new Since(upload.createdAt), new Since(upload.updatedAt)];
  const size = formatBytes(upload.fileSize);
  const who = () => h("a", { class: "plain", href: linkTo("uploads", { status: query.get("status"), user: upload.userId }) }, h("bdi", null, upload.userId));
  const element = h("tr", null,
    h("th", { scope: "row", class: "name" },
      h("a", { href: linkToUpload(upload.uploadId) }, h("bdi", null, upload.fileName)),
      h("span", { class: "mono soft id" }, upload.uploadId)),
    seesAll && h("td", null, who()),
    h("td", { class: "number figures" }, size),
    h("td", null, phase, why),
    h("td", null, opened.element),
    h("td", null, changedAt.element));
  return {
    element,
    update(/** @type {Summary} */ { status, reason, updatedAt }) {
      setPill(phase, PHASES[status], status);
      setText(why, reasonText(reason));
      opened.refresh();
      changedAt.refresh(updatedAt);
    },
  };
}
