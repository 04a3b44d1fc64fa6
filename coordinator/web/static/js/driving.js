/**
 * The way of one upload, from opening to completed: what each run does, and what it leaves the next.
 */

import { sliceOf } from "./chunks.js";
import { complete, endedElsewhere, isOvertaken, resultOf } from "./completing.js";
import { askSession, findPlan, keyOfAttempt, resumeKeyOf } from "./opening.js";
import { UploadError } from "./problems.js";
import { prove, proveCompleted, sampleOf } from "./proving.js";
import { Sending } from "./sending.js";

/**
 * @typedef {import("./chunks.js").Facts} Facts
 * @typedef {import("./chunks.js").Tools} Tools
 * @typedef {import("./completing.js").Result} Result
 * @typedef {import("./opening.js").NamedBlob} NamedBlob
 * @typedef {import("./opening.js").Session & { token: string | null }} Opened
 *
 * @typedef {object} Wish
 * @property {import("./opening.js").SessionCall} session
 * @property {string} endpoint
 * @property {string} path
 * @property {string | null} resumeKey
 * @property {import("./remembered.js").Entry} [resume]
 *
 * @typedef {object} Course where the run tells how far it is
 * @property {(work: "proving" | "uploading" | "completing") => void} at
 * @property {() => void} begun the upload is open and planned
 */

const ROUNDS = 5;
const FRESH_ATTEMPTS = 20;

/** Drives one upload. Several runs, one after the other, share it. */
export class Driving {
  /** @type {Facts | null} */
  facts = null;
  /** Hash every chunk that is there, and not only a sample. */
  provesAll = false;
  /** @type {Promise<Opened> | null} */
  #opening = null;
  #attempt = 0;
  /** @type {string | null} */
  #uploadId = null;
  #isSettled = false;
  #isMute = false;

  /**
   * @param {NamedBlob} file
   * @param {Wish} wish
   * @param {Tools} tools
   * @param {Course} course
   */
  constructor(file, wish, tools, course) {
    this.file = file;
    this.wish = wish;
    this.tools = tools;
    this.course = course;
    this.resumeKey = wish.resume?.resumeKey ?? wish.resumeKey;
  }

  /** Whether there is something to come back to after a reload. */
  get isOpen() {
    return this.facts !== null && !this.#isSettled;
  }

  /**
   * Go on from wherever the last run ended, to the proven end.
   *
   * @param {AbortSignal} signal
   * @returns {Promise<Result>}
   */
  async run(signal) {
    let facts = this.facts ?? (await this.#prepare(signal));
    if (this.#isSettled) {
      const result = await this.#foundSettled(facts, signal);
      if (result !== null) return result;
      facts = await this.#prepare(signal);
    }
    await this.#proveWhatIsThere(facts, signal);
    for (let round = 1; ; round += 1) {
      this.course.at("uploading");
      try {
        await new Sending(this.file, facts, this.tools).run(signal);
      } catch (error) {
        if (!isOvertaken(error)) throw error;
      }
      this.course.at("completing");
      try {
        const answer = await complete(this.tools.service, facts.uploadId, signal);
        this.#allArrived(facts);
        return this.#resultOf(answer, false);
      } catch (error) {
        if (!(error instanceof UploadError) || error.code !== "parts-missing" || round >= ROUNDS) throw error;
        this.#lost(facts, /** @type {number[]} */ (error.members.missingChunks));
      }
    }
  }

  /**
   * Ask the page for another token of the same upload.
   *
   * @param {AbortSignal} signal
   * @returns {Promise<string>}
   */
  async renew(signal) {
    const uploadId = this.#uploadId;
    const renewed = await this.#ask(signal, uploadId, "token-ended");
    if (renewed.uploadId !== uploadId || renewed.token === null) {
      throw new UploadError("session-failed", "`session` answered no new token for the upload.", { retryable: false });
    }
    return renewed.token;
  }

  /**
   * Give the upload up at the service, also one that is only being opened. The next run opens another.
   *
   * @returns {Promise<boolean>} false if it was completed before
   */
  async abort() {
    const opened = await this.#opening?.catch(() => null);
    this.#opening = null;
    this.#isSettled = false;
    this.facts = null;
    this.tools.meter.reset();
    this.#attempt += 1;
    if (!opened || opened.token === null) return true;
    this.tools.service.token = opened.token;
    this.#uploadId = opened.uploadId;
    try {
      await this.tools.service.abort(opened.uploadId, new AbortController().signal);
      return true;
    } catch (error) {
      if (error instanceof UploadError && error.code === "upload-not-found") return true;
      if (error instanceof UploadError && error.code === "wrong-phase") return error.members.phase !== "COMPLETED";
      throw error;
    }
  }

  /** @returns {Promise<Facts>} */
  async #prepare(/** @type {AbortSignal} */ signal) {
    const { service } = this.tools;
    const { resume } = this.wish;
    this.resumeKey ??= await resumeKeyOf(this.file, this.wish);
    if (resume !== undefined && resume.fileSize !== this.file.size) {
      throw new UploadError("another-file", `${this.file.name} is not the file that this upload was begun with.`);
    }
    for (;;) {
      this.#opening ??= this.#ask(signal, resume?.uploadId ?? null, resume ? "resume" : "start");
      const session = await this.#opening.catch((error) => {
        this.#opening = null;
        throw error;
      });
      service.token = session.token;
      this.#uploadId = session.uploadId;
      // No token, no question: what the session said is all there is.
      this.#isMute = session.token === null;
      const found = this.#isMute ? withoutToken(session, this.file.size)
        : await findPlan(session, this.file, (uploadId) => service.status(uploadId, signal, { verify: true }));
      if (found.phase === "failed" && resume === undefined && this.#attempt < FRESH_ATTEMPTS) {
        // The same file was given up before: its key finds that upload for a day.
        this.#opening = null;
        this.#attempt += 1;
        continue;
      }
      if (found.phase === "failed") throw endedElsewhere(found.reason);
      return this.#begin(session, found);
    }
  }

  #begin(/** @type {import("./opening.js").Session} */ session, /** @type {import("./opening.js").Found} */ found) {
    const missing = new Set(found.missing);
    /** @type {Facts} */
    const facts = {
      uploadId: session.uploadId,
      chunkSize: found.chunkSize,
      totalChunks: found.totalChunks,
      digests: [],
      uploaded: new Set(),
      isProven: session.resumed === false,
      force: false,
    };
    this.tools.meter.uploadId = session.uploadId;
    this.tools.meter.totalChunks = found.totalChunks;
    this.#isSettled = found.phase !== "open";
    for (let index = 0; index < found.totalChunks && found.phase === "open"; index += 1) {
      if (missing.has(index)) continue;
      facts.uploaded.add(index);
      this.tools.meter.arrived(index, sliceOf(this.file, index, found.chunkSize).size);
    }
    this.facts = facts;
    this.course.begun();
    for (const chunkIndex of facts.uploaded) {
      const uploadedBytes = sliceOf(this.file, chunkIndex, facts.chunkSize).size;
      this.tools.onChunk({ chunkIndex, state: "uploaded", uploadedBytes, attempt: 0 });
    }
    return facts;
  }

  /** Another time of the file is a reason to look at all of it. */
  async #proveWhatIsThere(/** @type {Facts} */ facts, /** @type {AbortSignal} */ signal) {
    const { resume } = this.wish;
    if (facts.uploaded.size === 0 || (facts.isProven && !this.provesAll)) return;
    const present = [...facts.uploaded].sort((a, b) => a - b);
    const isOther = resume !== undefined && resume.lastModified !== (this.file.lastModified ?? null);
    const { random } = this.tools.connection;
    this.course.at("proving");
    await prove(this.file, facts, this.provesAll || isOther ? present : sampleOf(present, random), this.tools, signal);
    this.provesAll = false;
  }

  /**
   * It was completed before, or is being completed: say so, of this very file only.
   *
   * @returns {Promise<Result | null>} null if chunks were lost and it is open again
   */
  async #foundSettled(/** @type {Facts} */ facts, /** @type {AbortSignal} */ signal) {
    if (this.#isMute) {
      this.#allArrived(facts);
      return this.#resultOf({ uploadId: facts.uploadId }, true);
    }
    this.course.at("completing");
    let answer;
    try {
      answer = await complete(this.tools.service, facts.uploadId, signal);
    } catch (error) {
      if (!(error instanceof UploadError) || error.code !== "parts-missing") throw error;
      this.#isSettled = false;
      return null;
    }
    this.course.at("proving");
    await proveCompleted(this.file, facts, answer.manifest.root, this.tools, signal);
    this.#allArrived(facts);
    return this.#resultOf(answer, true);
  }

  #allArrived(/** @type {Facts} */ { totalChunks, chunkSize }) {
    for (let index = 0; index < totalChunks; index += 1) {
      this.tools.meter.arrived(index, sliceOf(this.file, index, chunkSize).size);
    }
  }

  #lost(/** @type {Facts} */ facts, /** @type {number[]} */ missing) {
    facts.force = true;
    for (const index of missing) {
      facts.uploaded.delete(index);
      this.tools.meter.lost(index);
    }
  }

  #ask(/** @type {AbortSignal} */ signal, /** @type {string | null} */ uploadId, /** @type {any} */ reason) {
    const { file } = this;
    const { connection, warn } = this.tools;
    return askSession(this.wish.session, {
      fileName: file.name, fileSize: file.size, fileType: file.type, path: this.wish.path,
      resumeKey: keyOfAttempt(/** @type {string} */ (this.resumeKey), this.#attempt), uploadId, reason,
    }, { connection, signal, warn });
  }

  #resultOf(/** @type {any} */ answer, /** @type {boolean} */ alreadyUploaded) {
    return resultOf(answer, { fileName: this.file.name, fileSize: this.file.size, alreadyUploaded });
  }
}

/**
 * An upload that is over gets no token.
 *
 * @param {import("./opening.js").Session} session
 * @param {number} fileSize
 * @returns {import("./opening.js").Found}
 */
function withoutToken(session, fileSize) {
  const { status, chunkSize = Math.max(1, fileSize) } = session;
  const phases = /** @type {const} */ ({ COMPLETED: "completed", FAILED: "failed" });
  const phase = phases[/** @type {keyof typeof phases} */ (status)];
  if (phase === undefined) throw new UploadError("session-failed", "`session` answered no token.", { retryable: false });
  return { phase, chunkSize, totalChunks: Math.max(1, Math.ceil(fileSize / chunkSize)), missing: [], reason: null };
}
