/**
 * What came of an upload: what was proven, and its jobs as they run.
 */

import { call, copyButton, formatCount, h, icon, plural, Problem, setAttribute, setText } from "../shell.js";
import { jobName, JOBS_OVER, outcomeOf, wordOf } from "../shell/job-words.js";

/**
 * @typedef {import("../../js/completing.js").Result} Result
 * @typedef {{ jobId: string, kind: string, status: string }} Job
 *
 * @typedef {object} Surroundings
 * @property {import("./job-watch.js").JobWatch} watch
 * @property {() => boolean} mayRead jobs with their results, and the operators' page
 * @property {() => boolean} isAlone few enough uploads to show their results at once
 */

export class ResultView {
  /** @type {Map<string, { row: HTMLElement, pill: HTMLElement, text: HTMLElement, shown: string }>} */
  #rows = new Map();
  #jobs = h("ol", { class: "jobs", role: "list" });
  #sum = h("span", { class: "pill" });
  #noJobs = h("p", { class: "soft small", hidden: true }, "No jobs run for this purpose.");
  #leave = () => {};
  #surroundings;

  /**
   * @param {Result} result
   * @param {number} chunks
   * @param {Surroundings} surroundings
   */
  constructor(result, chunks, surroundings) {
    this.result = result;
    this.#surroundings = surroundings;
    const details = h("details", { class: "result", open: surroundings.isAlone() },
      h("summary", null,
        h("span", { class: "pill", "data-tone": "good" }, icon("check"), "Proven"), this.#sum,
        h("span", { class: "result-open" }, "Proof and jobs", icon("chevron"))));
    let isBuilt = false;
    const build = () => {
      if (isBuilt || !details.open) return;
      isBuilt = true;
      details.append(h("div", { class: "result-parts" },
        this.#proof(chunks),
        h("div", { class: "result-part" }, h("h4", null, "Jobs"), this.#jobs, this.#noJobs)));
    };
    details.addEventListener("toggle", () => {
      build();
      if (details.open) surroundings.watch.prefer(result.uploadId);
    });
    build();
    this.element = details;
    this.#show(result.jobs);
    if (!result.jobs.every(isOver)) this.#leave = surroundings.watch.follow(result.uploadId, (jobs) => this.#show(jobs));
    else this.#readOutcomes();
  }

  close() {
    this.#leave();
  }

  #proof(/** @type {number} */ chunks) {
    const { root, uploadId, fileSize, alreadyUploaded } = this.result;
    const checks = [
      alreadyUploaded
        ? "It was uploaded before. This file was hashed again, and is the same."
        : `${chunks === 1 ? "Its one chunk" : `Each of its ${plural(chunks, "chunk")}`} was hashed here, and S3 took only bytes with that SHA-256.`,
      "S3’s checksum of the whole object is the root that follows from its chunks.",
      `The object has ${formatCount(fileSize)} bytes, as the file has.`,
    ];
    return h("div", { class: "result-part" },
      h("h4", null, "Proof"),
      h("ul", { class: "checks", role: "list" }, ...checks.map((text) => h("li", null, icon("check"), h("span", null, text)))),
      h("dl", { class: "facts" },
        ...copyable("Root", root ?? "unknown"),
        ...copyable("Upload", uploadId)),
      this.#surroundings.mayRead() && h("p", { class: "small" },
        h("a", { href: `/ops?${new URLSearchParams({ upload: uploadId })}` }, "Look at it in Operations")));
  }

  #show(/** @type {Job[]} */ jobs) {
    for (const job of jobs) this.#showJob(job);
    this.#noJobs.hidden = jobs.length > 0;
    const over = jobs.filter(isOver).length;
    const failed = jobs.filter(({ status }) => status === "failed").length;
    this.#sum.hidden = jobs.length === 0;
    const tone = failed > 0 ? "bad" : over === jobs.length ? "good" : "busy";
    setAttribute(this.#sum, "data-tone", tone);
    setText(this.#sum, failed > 0 ? `${plural(failed, "job")} failed` : over === jobs.length ? "Jobs done" : `Jobs ${over}/${jobs.length}`);
    if (jobs.length > 0 && over === jobs.length) this.#readOutcomes();
  }

  #showJob(/** @type {any} */ job) {
    const row = this.#rows.get(job.jobId) ?? this.#newRow(job);
    const outcome = outcomeOf(job);
    const word = wordOf(job);
    const shown = `${word.text} ${outcome}`;
    if (row.shown === shown) return;
    row.shown = shown;
    setAttribute(row.pill, "data-tone", word.tone || null);
    row.pill.replaceChildren(icon(word.icon), word.text);
    setText(row.text, outcome);
  }

  #newRow(/** @type {Job} */ { jobId, kind }) {
    const pill = h("span", { class: "pill" });
    const text = h("span", { class: "soft small job-outcome" });
    const row = h("li", { class: "job" }, h("span", { class: "job-name" }, jobName(kind)), pill, text);
    this.#jobs.append(row);
    const made = { row, pill, text, shown: "" };
    this.#rows.set(jobId, made);
    return made;
  }

  /** Events say how jobs stand; what they found is read once, at the end. */
  async #readOutcomes() {
    if (!this.#surroundings.mayRead()) return;
    try {
      const { jobs } = await call(`/api/uploads/${encodeURIComponent(this.result.uploadId)}/jobs`);
      for (const job of jobs) this.#showJob(job);
    } catch (error) {
      // The states are there; what was found can be looked at in Operations.
      if (!(error instanceof Problem)) throw error;
    }
  }
}

function isOver(/** @type {Job} */ { status }) {
  return JOBS_OVER.has(status);
}

function copyable(/** @type {string} */ name, /** @type {string} */ value) {
  const code = h("code", { class: "mono" }, value);
  const button = copyButton(code, {
    label: `Copy: ${name}`, copied: `Copied: ${name}.`, selected: `${name} is selected, to be copied by the keyboard.`,
  });
  return [h("dt", null, name), h("dd", null, code, button)];
}
