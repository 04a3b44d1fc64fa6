/**
 * What waits and who works: workers, queues, and events that sinks have not heard of.
 */

import { announce, call, formatCount, formatSeconds, h, icon, plural, Problem, setText } from "../shell.js";
import { jobName } from "../shell/job-words.js";
import { card, choices, heading, nothing, pill, setPill, Since } from "./parts.js";
import { changed, linkTo, linkToUpload } from "./place.js";
import { Pages, Table } from "./rows.js";
import { DELIVERIES, PHASES, spaced } from "./words.js";

const SECONDS = 5;
const LIMIT = 50;
const SLOW_SECONDS = 600;

/** @type {Record<string, import("./words.js").Word>} */
const LIVES = {
  "true": { text: "Alive", tone: "good", icon: "check" },
  "false": { text: "Not heard of", tone: "bad", icon: "alert" },
};

/** @param {import("./main.js").Place} place */
export function show({ main, query, live, signal }) {
  const redis = h("p", { class: "notice", "data-tone": "warn", hidden: true }, "Redis is away: progress is not shown and chunks cannot be reported; uploads still complete.");
  const workers = new Table({
    caption: "Workers", keyOf: (/** @type {any} */ each) => String(each.worker), make: workerRow,
    columns: [{ text: "Worker" }, { text: "State" }, { text: "Last heard of" }],
  });
  const queues = new Table({
    caption: "Queues of jobs", keyOf: (/** @type {any} */ each) => each.kind, make: queueRow,
    columns: [{ text: "Kind" }, { text: "Queued", kind: "number" }, { text: "Running", kind: "number" }, { text: "First waits for" }],
  });
  const sinks = new Table({
    caption: "Sinks of events", keyOf: (/** @type {any} */ each) => each.sink, make: sinkRow,
    columns: [{ text: "Sink" }, { text: "Waiting", kind: "number" }, { text: "Given up", kind: "number" }, { text: "First waits for" }],
  });
  const noWorkers = nothing("No worker runs: completed uploads wait with their jobs. Start one with `coordinator work`.");
  const noQueues = nothing("No job waits or runs.");
  const noSinks = nothing("No event waits, and none was given up.");
  const phases = h("p", { class: "soft" });
  main.replaceChildren(
    heading("Health", phases), redis,
    h("div", { class: "pair" }, card("Workers", workers.element, noWorkers), card("Jobs", queues.element, noQueues)),
    card("Events", sinks.element, noSinks), ...deliveries(query, live, signal));

  live.repeat(async () => {
    const health = await call("/api/health", { signal });
    redis.hidden = health.redis === "ok";
    setText(phases, Object.entries(health.openUploads).map(([phase, count]) => `${formatCount(/** @type {number} */ (count))} ${PHASES[phase]?.text.toLowerCase()}`).join(" · "));
    for (const [table, none, items] of /** @type {[Table<any>, HTMLElement, any[]][]} */ ([[workers, noWorkers, health.workers], [queues, noQueues, health.queues], [sinks, noSinks, health.sinks]])) {
      table.show(items);
      none.hidden = items.length > 0;
    }
  }, { signal, seconds: SECONDS });
}

function workerRow(/** @type {any} */ { worker, lastHeartbeatAt, isAlive }) {
  const state = pill(LIVES[String(isAlive)], "");
  const heard = new Since(lastHeartbeatAt);
  return {
    element: h("tr", null, h("th", { scope: "row" }, `Worker ${worker}`), h("td", null, state), h("td", null, heard.element)),
    update(/** @type {any} */ newer) {
      setPill(state, LIVES[String(newer.isAlive)], "");
      heard.refresh(newer.lastHeartbeatAt);
    },
  };
}

/** @param {HTMLElement} element */
function showWait(element, /** @type {number | null} */ seconds) {
  setText(element, seconds === null ? "none waits" : formatSeconds(seconds));
  element.toggleAttribute("data-slow", seconds !== null && seconds > SLOW_SECONDS);
}

function queueRow(/** @type {any} */ { kind }) {
  const [queued, running, wait] = [h("td", { class: "number figures" }), h("td", { class: "number figures" }), h("td", null)];
  return {
    element: h("tr", null, h("th", { scope: "row" }, h("a", { href: linkTo("jobs", { kind }) }, jobName(kind))), queued, running, wait),
    update(/** @type {any} */ newer) {
      setText(queued, formatCount(newer.queued));
      setText(running, formatCount(newer.running));
      showWait(wait, newer.oldestSeconds);
    },
  };
}

function sinkRow(/** @type {any} */ { sink }) {
  const [waiting, dead, wait] = [h("td", { class: "number figures" }), h("td", { class: "number figures" }), h("td", null)];
  return {
    element: h("tr", null, h("th", { scope: "row" }, h("bdi", null, sink)), waiting, dead, wait),
    update(/** @type {any} */ newer) {
      setText(waiting, formatCount(newer.waiting));
      setText(dead, formatCount(newer.dead));
      showWait(wait, newer.oldestSeconds);
    },
  };
}

/**
 * @param {URLSearchParams} query
 * @param {import("./live.js").Live} live
 * @param {AbortSignal} signal
 */
function deliveries(query, live, signal) {
  const state = Object.hasOwn(DELIVERIES, query.get("state") ?? "") ? query.get("state") : null;
  const keyOf = (/** @type {any} */ each) => `${each.eventId} ${each.sink}`;
  const pages = new Pages(keyOf);
  const table = new Table({
    caption: "Deliveries, those of the newest events first", keyOf, make: (each) => deliveryRow(each, live),
    columns: [{ text: "Event" }, { text: "Sink" }, { text: "State" }, { text: "When" }, { text: "Do", kind: "doing" }],
  });
  const none = nothing(state === null ? "No event was sent to any sink: docs/events.md says how to name one." : "No delivery fits.");
  const more = h("button", { class: "button", type: "button", hidden: true }, "Show more");
  const ask = (/** @type {string | null} */ cursor) => {
    const asked = new URLSearchParams({ limit: String(LIMIT) });
    for (const [name, value] of Object.entries({ state, cursor })) if (value) asked.set(name, value);
    return call(`/api/deliveries?${asked}`, { signal });
  };
  const refresh = () => {
    const all = pages.all();
    table.show(all);
    none.hidden = all.length > 0;
    more.hidden = pages.next === null;
  };
  more.addEventListener("click", async () => {
    const answer = await ask(pages.next);
    pages.add(answer.deliveries, answer.nextCursor);
    refresh();
    announce(`${plural(answer.deliveries.length, "more delivery", "more deliveries")} shown.`);
  });
  live.repeat(async () => {
    const answer = await ask(null);
    pages.renew(answer.deliveries, answer.nextCursor);
    refresh();
  }, { signal, seconds: 2 * SECONDS });
  const which = choices("State of deliveries", [
    { text: "All", href: changed(query, { state: null }), isHere: state === null },
    ...Object.entries(DELIVERIES).map(([each, word]) => ({ text: word.text, href: changed(query, { state: each }), isHere: state === each })),
  ]);
  return [h("section", { class: "card" }, h("div", { class: "part part-head" }, h("h2", null, "Deliveries"), which), table.element, none), h("p", { class: "more" }, more)];
}

/**
 * @param {any} first
 * @param {import("./live.js").Live} live
 */
function deliveryRow(first, live) {
  const state = pill(DELIVERIES[first.status], first.status);
  const why = h("span", { class: "soft small why" });
  const since = new Since(first.createdAt);
  const again = h("button", { class: "quiet", type: "button", "aria-label": `Try again: ${first.type} to ${first.sink}` }, icon("retry"), "Try again");
  again.addEventListener("click", async () => {
    again.disabled = true;
    try {
      await call(`/api/deliveries/${first.eventId}/${encodeURIComponent(first.sink)}/retry`, { method: "POST" });
      announce("It is tried again.");
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setText(why, error.detail);
    } finally {
      again.disabled = false;
      live.wake(true);
    }
  });
  return {
    element: h("tr", null,
      h("th", { scope: "row", class: "name" }, spaced(first.type), h("a", { class: "mono soft id", href: linkToUpload(first.uploadId) }, first.uploadId)),
      h("td", null, h("bdi", null, first.sink)), h("td", null, state, why), h("td", null, since.element), h("td", { class: "doing" }, again)),
    update(/** @type {any} */ { status, attempt, lastError }) {
      setPill(state, DELIVERIES[status], status);
      setText(why, [plural(attempt, "attempt"), lastError].filter(Boolean).join(" · "));
      since.refresh();
      again.hidden = status !== "dead";
    },
  };
}
