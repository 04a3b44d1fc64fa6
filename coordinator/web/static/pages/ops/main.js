/**
 * The operators' page: who looks, at what, and the way from one view to another.
 */

import { announce, h, icon, setText, startShell } from "../shell.js";
import { Live } from "./live.js";
import { linkTo, viewOf } from "./place.js";

/**
 * @typedef {import("./place.js").ViewName} ViewName
 *
 * @typedef {object} Place what a view gets
 * @property {HTMLElement} main where it shows itself
 * @property {URLSearchParams} query
 * @property {import("../shell.js").Me} me
 * @property {Live} live
 * @property {AbortSignal} signal ends when somebody goes elsewhere
 * @property {(href: string, options?: { isSame?: boolean }) => void} go `isSame`: in place of where we are
 *
 * @typedef {object} View
 * @property {string} title
 * @property {(me: import("../shell.js").Me) => boolean} isFor nobody else sees that there is one
 * @property {() => Promise<{ show: (place: Place) => void }>} load
 */

/** @type {(action: string) => View["isFor"]} */
const whoMay = (action) => ({ may }) => may[action] !== undefined && may[action] !== "upload";

/** @type {Record<ViewName, View>} */
const VIEWS = {
  overview: { title: "Overview", isFor: whoMay("count"), load: () => import("./overview.js") },
  uploads: { title: "Uploads", isFor: whoMay("read"), load: () => import("./uploads.js") },
  upload: { title: "Upload", isFor: whoMay("read"), load: () => import("./upload.js") },
  jobs: { title: "Jobs", isFor: whoMay("read"), load: () => import("./jobs.js") },
  health: { title: "Health", isFor: whoMay("retry"), load: () => import("./health.js") },
  audit: { title: "Audit", isFor: whoMay("administer"), load: () => import("./audit.js") },
  tenants: {
    title: "Tenants", load: () => import("./tenants.js"),
    isFor: (me) => whoMay("administer")(me) && me.scopes.includes("every-tenant"),
  },
};

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const trouble = h("p", { class: "notice", "data-tone": "bad", role: "status", hidden: true });
const content = h("div", { class: "view" });
const nav = h("nav", { class: "views", "aria-label": "Operations" });
const liveButton = h("button", { class: "quiet live", type: "button", role: "switch" }, icon("pause"), "Live");
const live = new Live((problem) => {
  trouble.hidden = problem === null;
  setText(trouble, problem === null ? "" : problem.status === 0 || problem.status >= 500 || problem.status === 429
    ? `${problem.detail} What you see may be old; this page asks again by itself.` : problem.detail);
});

let visit = new AbortController();
let lastView = "";

addEventListener("unhandledrejection", ({ reason }) => {
  if (reason?.name === "AbortError") return;
  trouble.hidden = false;
  setText(trouble, `Something went wrong on this page: ${reason?.detail ?? reason?.message ?? reason}. Load it again.`);
});

const shell = await startShell({ tab: "operations", onRenewed: () => visitNow({ isFirst: false }) });
main.append(h("div", { class: "views-bar" }, nav, liveButton), trouble, content);
liveButton.addEventListener("click", () => {
  live.isOn = !live.isOn;
  showLive();
});
document.addEventListener("click", followLink);
addEventListener("popstate", () => visitNow({ isFirst: false }));
showLive();
visitNow({ isFirst: true });

function showLive() {
  liveButton.setAttribute("aria-checked", String(live.isOn));
  liveButton.title = live.isOn ? "What you see is renewed by itself. Press to hold it." : "Held. Press to renew it by itself again.";
  liveButton.firstChild?.replaceWith(icon(live.isOn ? "pause" : "play"));
}

/** @param {MouseEvent} event */
function followLink(event) {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  const isPlain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  if (link === null || !isPlain || event.defaultPrevented || link.origin !== location.origin || link.pathname !== "/ops" || link.hash !== "") return;
  event.preventDefault();
  go(link.href);
}

/**
 * @param {string} href
 * @param {{ isSame?: boolean }} [options]
 */
function go(href, { isSame = false } = {}) {
  if (isSame) history.replaceState(null, "", href);
  else history.pushState(null, "", href);
  visitNow({ isFirst: false });
}

/** @param {{ isFirst: boolean }} options */
async function visitNow({ isFirst }) {
  visit.abort();
  visit = new AbortController();
  const { signal } = visit;
  const { me } = shell;
  const query = new URLSearchParams(location.search);
  const name = viewOf(query);
  const view = VIEWS[name];
  showNav(name);
  document.title = `${view.title} · Operations · Coordinator`;
  const isElsewhere = name !== lastView;
  lastView = name;
  if (!view.isFor(me)) {
    content.replaceChildren(refusal(me.uploadId !== null));
    return;
  }
  const { show } = await view.load();
  if (signal.aborted) return;
  live.forget();
  const focused = wayTo(document.activeElement);
  show({ main: content, query, me, live, signal, go });
  if (isFirst) return;
  if (isElsewhere) {
    scrollTo(0, 0);
    content.querySelector("h1")?.focus();
    announce(view.title);
  } else if (focused !== null && document.activeElement === document.body) {
    /** @type {HTMLElement | null} */ (content.querySelector(focused))?.focus();
  }
}

/**
 * How to find again what has the focus, once the view is made anew.
 *
 * @param {Element | null} element
 * @returns {string | null}
 */
function wayTo(element) {
  if (element === null || !content.contains(element)) return null;
  if (element.id !== "") return `#${CSS.escape(element.id)}`;
  const href = element.getAttribute("href");
  return href === null ? null : `[href="${CSS.escape(href)}"]`;
}

/** @param {ViewName} here */
function showNav(here) {
  const named = /** @type {ViewName[]} */ (Object.keys(VIEWS)).filter((name) => name !== "upload" && VIEWS[name].isFor(shell.me));
  const isHere = (/** @type {ViewName} */ name) => name === here || (name === "uploads" && here === "upload");
  nav.replaceChildren(...named.map((name) => h("a", { href: linkTo(name), "aria-current": isHere(name) ? "page" : null }, VIEWS[name].title)));
}

/** @param {boolean} isToken */
function refusal(isToken) {
  return h("div", { class: "card part" },
    h("h1", { tabIndex: -1 }, "Not for this key"),
    h("p", null, isToken
      ? "The token of one upload can watch that upload only, on the upload page. Use an API key here."
      : "The roles of this key do not allow what this page shows. Ask an admin for a key with another role."),
    h("p", null, h("a", { href: "/" }, "Go to the upload page")));
}
