/**
 * What both pages share. A page imports from here, calls `startShell`, and has the bar at the top, a
 * credential that works, and requests that carry it.
 */

import { announce, startAnnouncing } from "./shell/announcer.js";
import { authorize, call, Problem } from "./shell/api.js";
import { keep, recall, takeFromAddress } from "./shell/credential.js";
import { h, svg } from "./shell/dom.js";
import { askForKey } from "./shell/signin.js";

export { announce } from "./shell/announcer.js";
export { ask, call, Problem } from "./shell/api.js";
export { confirmed } from "./shell/confirming.js";
export { copyButton } from "./shell/copying.js";
export { add, h, icon, setAttribute, setText, svg } from "./shell/dom.js";
export * from "./shell/format.js";
export { follow } from "./shell/stream.js";

/**
 * @typedef {import("./shell/credential.js").Credential} Credential
 *
 * @typedef {object} Me what `GET /api/me` says
 * @property {string} tenant
 * @property {string} userId
 * @property {string[]} roles
 * @property {string[]} scopes
 * @property {Record<string, "upload" | "own" | "tenant">} may by action: open, send, watch, abort, read, …
 * @property {string | null} uploadId of an upload token
 *
 * @typedef {object} Shell
 * @property {Me} me renewed when another key is given
 * @property {Credential} credential
 */

const FIRST = "This page works with an API key, or with the token of one upload that somebody opened for you.";
const ENDED = "The key that this page used no longer works: it ended or was revoked. What you see stays as it is.";

/**
 * Draw the bar, find or ask for a credential, and show the page: whatever in `main` is hidden until
 * then. Resolves once; when the key ends later, another is asked for over the page.
 *
 * @param {object} options
 * @param {"upload" | "operations"} options.tab
 * @param {(shell: Shell) => void} [options.onRenewed] another key was given meanwhile
 * @returns {Promise<Shell>}
 */
export async function startShell({ tab, onRenewed = () => {} }) {
  const who = h("div", { class: "whoami" });
  const operations = tabLink("/ops", "Operations", tab === "operations");
  document.body.prepend(
    h("a", { class: "skip", href: "#main" }, "Skip to the content"),
    h("header", { class: "topbar" },
      h("a", { class: "brand", href: "/" }, mark(), "Coordinator"),
      h("nav", { class: "tabs", "aria-label": "Pages" }, tabLink("/", "Upload", tab === "upload"), operations),
      who));
  startAnnouncing();

  /** @type {Shell} */
  const shell = { me: /** @type {any} */ (null), credential: { secret: "", uploadId: null } };
  const attempt = async (/** @type {Credential} */ credential) => {
    const me = await call("/api/me", { as: credential.secret });
    Object.assign(shell, { me, credential: { ...credential, uploadId: me.uploadId } });
    keep(shell.credential);
    authorize(credential.secret, refused);
    showWho(who, shell);
    operations.hidden = me.uploadId !== null;
  };

  let isAsking = false;
  const refused = async () => {
    if (isAsking) return;
    isAsking = true;
    await askForKey({ isFirst: false, why: ENDED, attempt });
    isAsking = false;
    announce("The new key works.");
    onRenewed(shell);
  };

  // A link that is opened in a tab with this page in it changes the fragment and loads nothing.
  addEventListener("hashchange", () => {
    const given = takeFromAddress();
    if (given === null) return;
    keep(given);
    location.reload();
  });
  await begin(attempt);
  for (const element of document.querySelectorAll("main[hidden]")) element.removeAttribute("hidden");
  return shell;
}

/** @param {(credential: Credential) => Promise<void>} attempt */
async function begin(attempt) {
  const known = takeFromAddress() ?? recall();
  let why = FIRST;
  if (known !== null) {
    try {
      return await attempt(known);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status === 401) keep(null);
      why = error.status === 401 ? "The key in the link, or of before, no longer works. Ask for a new one, or type it here." : error.detail;
    }
  }
  return askForKey({ isFirst: true, why, attempt });
}

function tabLink(/** @type {string} */ href, /** @type {string} */ text, /** @type {boolean} */ isHere) {
  return h("a", { href, "aria-current": isHere ? "page" : null }, text);
}

function showWho(/** @type {HTMLElement} */ who, /** @type {Shell} */ { me }) {
  const names = me.userId === me.tenant ? me.userId : `${me.userId} · ${me.tenant}`;
  const name = me.uploadId === null ? names : "A link for one upload";
  const leave = h("button", { class: "quiet", type: "button", on: { click: forgetKey } }, "Forget key");
  who.replaceChildren(h("bdi", { title: name }, name), leave);
}

/** What runs is lost with the page, so the browser asks before (`beforeunload`). */
function forgetKey() {
  keep(null);
  location.assign(location.pathname);
}

/** Three chunks and the fourth that is being proven. */
function mark() {
  const block = (/** @type {number} */ x, /** @type {number} */ y) => svg("rect", { x, y, width: 9, height: 9, rx: 2 });
  const check = svg("path", { d: "m13.6 18 2.6 2.6 5-5.4", fill: "none", stroke: "currentColor", "stroke-width": 2.4, "stroke-linecap": "round", "stroke-linejoin": "round" });
  return svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, block(2, 2), block(13, 2), block(2, 13), check);
}
