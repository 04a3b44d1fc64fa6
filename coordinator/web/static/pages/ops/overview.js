/**
 * How things go, at a glance: what is under way, what came and what failed over time, what to look at.
 */

import { call, formatBytes, formatCount, formatSeconds, h, plural, setAttribute, setText } from "../shell.js";
import { jobName } from "../shell/job-words.js";
import { card, choices, heading, nothing, Since } from "./parts.js";
import { changed, linkTo, linkToUpload } from "./place.js";
import { Plot } from "./plot.js";
import { namesOf, periodsOf, RANGES, readCounts, sumOf } from "./statistics.js";
import { reasonText } from "./words.js";

const OFTEN = 10;
const RARELY = 30;
const FEW = 5;

/** @param {import("./main.js").Place} place */
export function show({ main, query, me, live, signal }) {
  const name = Object.hasOwn(RANGES, query.get("range") ?? "") ? /** @type {string} */ (query.get("range")) : "2d";
  const range = RANGES[name];
  const isOperator = me.may.retry !== undefined;
  const scope = me.may.count === "tenant" ? `tenant ${me.tenant}` : "your uploads";
  const ranges = choices("Time", Object.entries(RANGES).map(([each, { text }]) => (
    { text, href: changed(query, { range: each === "2d" ? null : each }), isHere: each === name })));

  const tiles = h("ul", { class: "tiles", role: "list" });
  const throughput = new Plot({ title: "Throughput", series: [{ name: "Completed", look: "bytes" }], format: formatBytes });
  const ends = new Plot({
    title: "Completed and failed", format: formatCount,
    series: [{ name: "Completed", look: "good" }, { name: "Failed", look: "bad" }],
  });
  const failures = new Attention("Uploads that failed last", "No upload has failed.", linkTo("uploads", { status: "FAILED" }));
  const jobs = new Attention("Jobs that failed last", "No job has failed.", linkTo("jobs", { status: "failed" }));
  main.replaceChildren(
    heading("Overview", h("span", { class: "soft" }, scope), ranges),
    tiles, throughput.element, ends.element,
    h("div", { class: "pair" }, failures.element, jobs.element));

  const numbers = new Tiles(tiles, range.text);
  live.repeat(async () => {
    const counts = await readCounts({ range, by: "tenant", tenant: me.tenant }, signal);
    const periods = periodsOf(range, Date.now());
    const shown = counts.filter(({ period }) => periods.includes(period));
    const sum = sumOf(shown);
    numbers.showCounts(sum);
    const byPeriod = new Map(shown.map((row) => [row.period, row]));
    const rows = periods.map((period) => ({ ...namesOf(period), count: byPeriod.get(period) ?? { opened: 0, completed: 0, failed: 0, bytes: 0 } }));
    const seconds = range.periods * { hour: 3600, day: 86_400, month: 30 * 86_400 }[range.every];
    throughput.show(
      rows.map(({ count, ...names }) => ({ ...names, values: [count.bytes], note: plural(count.completed, "upload") })),
      `${formatBytes(sum.bytes)} in ${range.text}, ${formatBytes(sum.bytes / seconds)}/s on average${range.every === "hour" ? "" : "; days are UTC’s"}.`);
    ends.show(
      rows.map(({ count, ...names }) => ({ ...names, values: [count.completed, count.failed], note: `${formatCount(count.opened)} opened` })),
      `${plural(sum.completed, "upload")} completed, ${formatCount(sum.failed)} failed${sum.failed === 0 ? "" : ` (${share(sum)})`}.`);
  }, { signal, seconds: RARELY });

  live.repeat(async () => {
    const [uploads, failed, health] = await Promise.all([
      call(`/api/uploads?status=FAILED&limit=${FEW}`, { signal }),
      call(`/api/jobs?status=failed&limit=${FEW}`, { signal }),
      isOperator ? call("/api/health", { signal }) : null,
    ]);
    failures.show(uploads.uploads.map((/** @type {any} */ upload) => (
      { id: upload.uploadId, text: upload.fileName, why: reasonText(upload.reason), at: upload.updatedAt })));
    jobs.show(failed.jobs.map((/** @type {any} */ job) => (
      { id: job.uploadId, text: jobName(job.kind), why: job.errorCode ?? "", at: job.finishedAt ?? job.createdAt })));
    if (health !== null) numbers.showHealth(health);
  }, { signal, seconds: OFTEN });
}

/** @param {{ completed: number, failed: number }} sum */
function share({ completed, failed }) {
  return `${new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 }).format(failed / (completed + failed))}`;
}

/** Numbers with a name, and where they lead. */
class Tiles {
  /** @type {Map<string, { link: HTMLAnchorElement, value: HTMLElement, note: HTMLElement }>} */
  #tiles = new Map();
  #list;
  #time;

  /**
   * @param {HTMLElement} list
   * @param {string} time
   */
  constructor(list, time) {
    this.#list = list;
    this.#time = time;
  }

  /** @param {{ opened: number, completed: number, failed: number, bytes: number }} sum */
  showCounts(sum) {
    this.#set("Uploaded", linkTo("uploads", { status: "COMPLETED" }), formatBytes(sum.bytes), `in ${this.#time}`);
    this.#set("Completed", linkTo("uploads", { status: "COMPLETED" }), formatCount(sum.completed), `of ${formatCount(sum.opened)} opened in ${this.#time}`);
    this.#set("Failed", linkTo("uploads", { status: "FAILED" }), formatCount(sum.failed), sum.failed === 0 ? `in ${this.#time}` : `${share(sum)} of all that ended`, sum.failed > 0 ? "bad" : "");
  }

  /** @param {any} health */
  showHealth({ openUploads, workers, queues, sinks }) {
    const open = Object.values(openUploads).reduce((sum, each) => sum + each, 0);
    this.#set("Open now", linkTo("uploads", { status: "UPLOADING" }), formatCount(open), `${formatCount(openUploads.UPLOADING)} uploading, ${formatCount(openUploads.ASSEMBLING)} assembling`);
    const alive = workers.filter((/** @type {any} */ each) => each.isAlive).length;
    this.#set("Workers", linkTo("health"), formatCount(alive), alive === 0 ? "none is alive" : alive === workers.length ? "all alive" : `${formatCount(workers.length - alive)} lost`, alive === 0 ? "bad" : alive < workers.length ? "warn" : "");
    const queued = queues.reduce((/** @type {number} */ sum, /** @type {any} */ each) => sum + each.queued, 0);
    const oldest = Math.max(0, ...queues.map((/** @type {any} */ each) => each.oldestSeconds ?? 0));
    this.#set("Jobs queued", linkTo("jobs", { status: "queued" }), formatCount(queued), queued === 0 ? "none waits" : `the first for ${formatSeconds(oldest)}`, oldest > 600 ? "warn" : "");
    const dead = sinks.reduce((/** @type {number} */ sum, /** @type {any} */ each) => sum + each.dead, 0);
    if (sinks.length > 0) this.#set("Events given up", linkTo("health", { state: "dead" }), formatCount(dead), plural(sinks.length, "sink"), dead > 0 ? "bad" : "");
  }

  /**
   * @param {string} name
   * @param {string} href
   * @param {string} value
   * @param {string} note
   * @param {string} [tone]
   */
  #set(name, href, value, note, tone = "") {
    let tile = this.#tiles.get(name);
    if (tile === undefined) {
      const parts = { value: h("strong", { class: "figures" }), note: h("span", { class: "soft small" }) };
      const link = h("a", { class: "card tile", href }, h("span", { class: "tile-name" }, name), parts.value, parts.note);
      tile = { link, ...parts };
      this.#tiles.set(name, tile);
      this.#list.append(h("li", null, link));
    }
    setText(tile.value, value);
    setText(tile.note, note);
    setAttribute(tile.link, "data-tone", tone === "" ? null : tone);
  }
}

/** @typedef {{ id: string, text: string, why: string, at: string }} Case */

/** A few things that somebody may want to look at. */
class Attention {
  #list = h("ul", { class: "attention", role: "list" });
  #none;
  #all;

  /**
   * @param {string} title
   * @param {string} none
   * @param {string} href
   */
  constructor(title, none, href) {
    this.#none = nothing(none);
    this.#all = h("a", { href, class: "small" }, "See all", h("span", { class: "unseen" }, `: ${title.toLowerCase()}`));
    this.element = card(title, this.#list, this.#none, h("p", null, this.#all));
  }

  /** @param {Case[]} cases */
  show(cases) {
    this.#none.hidden = cases.length > 0;
    const text = JSON.stringify(cases);
    if (this.#list.dataset.shown === text) return;
    this.#list.dataset.shown = text;
    this.#list.replaceChildren(...cases.map(({ id, text: name, why, at }) => h("li", null,
      h("a", { href: linkToUpload(id) }, h("bdi", null, name)), h("span", { class: "soft small" }, why), h("span", { class: "soft small" }, new Since(at).element))));
  }
}
