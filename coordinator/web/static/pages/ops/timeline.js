/**
 * What happened to an upload, one thing below the other, and how fast its chunks were signed.
 */

import { formatCount, formatMoment, formatSeconds, h, icon, plural } from "../shell.js";
import { jobName, wordOf } from "../shell/job-words.js";
import { card, nothing } from "./parts.js";
import { Plot } from "./plot.js";
import { MOMENTS, reasonText } from "./words.js";

const BARS = 60;
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

/**
 * @typedef {{ at: string, what: string, detail: string | null, jobId: string | null, kind: string | null }} Moment
 * @typedef {{ uploadId: string, asOf: string, expiresAt: string, moments: Moment[], signed: { at: string, chunks: number }[] }} Answer
 */

export class Timeline {
  #list = h("ol", { class: "timeline", role: "list" });
  #none = nothing("Nothing happened yet.");
  #shown = "";

  constructor() {
    this.element = card("Timeline", this.#list, this.#none);
  }

  /**
   * @param {Answer} answer
   * @param {boolean} isOpen it may still expire
   */
  show({ moments, expiresAt, asOf }, isOpen) {
    this.#none.hidden = moments.length > 0;
    const text = JSON.stringify([moments, isOpen]);
    if (text === this.#shown) return;
    this.#shown = text;
    let before = 0;
    const rows = moments.map((moment) => {
      const at = Date.parse(moment.at);
      const gap = before === 0 ? null : (at - before) / 1000;
      before = at;
      return row(moment, gap);
    });
    if (isOpen) {
      const left = (Date.parse(expiresAt) - Date.parse(asOf)) / 1000;
      rows.push(h("li", { class: "soft", "data-look": "future" }, icon("clock"),
        h("span", null, left > 0 ? `Runs out in ${formatSeconds(left)}` : "Is out of time"), h("span", { class: "small" }, formatMoment(expiresAt))));
    }
    this.#list.replaceChildren(...rows);
  }
}

/**
 * @param {Moment} moment
 * @param {number | null} gap
 */
function row({ at, what, detail, kind }, gap) {
  const job = kind === null ? "" : jobName(kind);
  const text = what === "job-started" ? `${job}: begun` : what === "job-ended" ? `${job}: ${wordOf({ status: detail }).text.toLowerCase()}` : `${MOMENTS[what] ?? what}${detail === null ? "" : `: ${reasonText(detail)}`}`;
  const look = what === "failed" || detail === "failed" ? "bad" : what === "completed" || detail === "succeeded" ? "good" : "plain";
  return h("li", { "data-look": look },
    icon(look === "bad" ? "alert" : look === "good" ? "check" : what === "opened" ? "file" : what === "job-started" ? "play" : "clock"),
    h("span", null, text),
    h("span", { class: "soft small figures" }, h("time", { dateTime: at, title: formatMoment(at) }, gap === null ? formatMoment(at) : clock.format(new Date(at))), gap === null ? "" : ` · ${gap < 1 ? "at once" : `after ${formatSeconds(gap)}`}`));
}

/** How many chunks were signed when: what the client's network takes, as seen from here. */
export class Pace {
  #plot = new Plot({ title: "Chunks signed", series: [{ name: "Chunks", look: "accent" }], format: (value) => formatCount(value) });

  constructor() {
    this.element = this.#plot.element;
    this.element.hidden = true;
  }

  /** @param {Answer} answer */
  show({ signed, asOf }) {
    const chunks = signed.reduce((sum, each) => sum + each.chunks, 0);
    this.element.hidden = chunks < 2;
    if (this.element.hidden) return;
    const [start, end] = [Date.parse(signed[0].at), Math.max(Date.parse(asOf), Date.parse(signed[0].at) + 1000 * BARS)];
    const width = (end - start) / BARS;
    const counts = new Array(BARS).fill(0);
    for (const each of signed) counts[Math.min(BARS - 1, Math.floor((Date.parse(each.at) - start) / width))] += each.chunks;
    const periods = counts.map((count, index) => {
      const from = clock.format(new Date(start + index * width));
      return { label: from, title: `From ${from} on, for ${formatSeconds(width / 1000)}`, values: [count] };
    });
    this.#plot.show(periods, `${plural(chunks, "chunk")} signed since ${formatMoment(start)}; a client asks for more as it sends them.`);
  }
}
