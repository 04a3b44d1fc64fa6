/**
 * The wire of an Upload: what it sends is noted, and answered by what a test says, by path.
 *
 * It decides nothing: an answer is a function of the request, given by the test or the plain one.
 */

import { Upload } from "../../../coordinator/web/static/js/coordinator.js";
import { UploadError } from "../../../coordinator/web/static/js/problems.js";
import { settled, TestClock } from "./clock.js";

export const STORED = { kind: "answer", status: 200, code: "", retryAfter: null };
export const refusedBy = (status, code) => ({ kind: "answer", status, code, retryAfter: null });

export const json = (body, status = 200) => new Response(JSON.stringify(body), { status });
export const problem = (code, status, members = {}) => json({ code, detail: code, status, ...members }, status);

const signed = ({ uploadId, chunks }, sizeOf, seconds) => json({
  uploadId,
  chunks: chunks.map(({ chunkIndex, sha256 }) => ({
    chunkIndex, method: "PUT", headers: { "x-amz-checksum-sha256": sha256 }, size: sizeOf(chunkIndex),
    url: `https://s3.example/k?partNumber=${chunkIndex + 1}&X-Amz-Date=20260101T000000Z`,
    urlExpiresAt: new Date(Date.UTC(2026, 0, 1) + 1000 * seconds).toISOString(),
  })),
});

const completed = ({ uploadId }) => json({
  uploadId, status: "completed", filePath: "datasets/x", manifest: { root: "root-1", checksum: "sha256-tree:root-1" },
  aiPipeline: { jobs: [{ jobId: "job_1", kind: "generate_metadata", status: "queued" }] },
});

export class Wire {
  calls = [];
  bodies = [];
  sessions = [];
  puts = [];
  /** Answers that a test puts before the plain ones: `[path part, answer]`, each used once. */
  next = [];
  /** What S3 answers to a PUT; a promise that never ends is a PUT under way. */
  s3 = async () => STORED;
  urlSeconds = 3600;
  clock = new TestClock();

  constructor({ text = "aaaabbbbcc", chunkSize = 4, session = {} } = {}) {
    this.file = new File([text], "a.txt", { type: "text/plain", lastModified: 7 });
    this.chunkSize = chunkSize;
    this.session = session;
  }

  get options() {
    return {
      endpoint: "https://coordinator.example",
      clock: this.clock,
      random: () => 0,
      isOnline: () => true,
      target: new EventTarget(),
      hashers: 2,
      session: async (request) => {
        this.sessions.push(request);
        const answer = {
          uploadId: "upl_1", token: "ut_1", chunkSize: this.chunkSize, totalChunks: Math.max(1, Math.ceil(this.file.size / this.chunkSize)),
          resumed: false,
        };
        return { ...answer, ...(typeof this.session === "function" ? this.session(request) : this.session) };
      },
      seams: {
        fetch: async (url, { method, body }) => this.#answer(method, new URL(url), body && JSON.parse(body)),
        put: async (request) => {
          const chunkIndex = Number(/partNumber=(\d+)/.exec(request.url)[1]) - 1;
          this.puts.push({ chunkIndex, text: await request.body.text(), headers: request.headers });
          return new Promise((resolve, reject) => {
            request.signal.addEventListener("abort", () => reject(request.signal.reason));
            Promise.resolve(this.s3({ ...request, chunkIndex, number: this.puts.length })).then((outcome) => {
              if (outcome.status === 200) request.onProgress(request.body.size);
              resolve(outcome);
            }, reject);
          });
        },
      },
    };
  }

  #answer(method, { pathname, search }, body) {
    this.calls.push(`${method} ${pathname}${search}`);
    if (body !== undefined) this.bodies.push(body);
    const at = this.next.findIndex(([part]) => `${method} ${pathname}`.includes(part));
    if (at >= 0) return this.next.splice(at, 1)[0][1](body);
    if (pathname === "/api/upload/urls") {
      return signed(body, (index) => this.file.slice(index * this.chunkSize, (index + 1) * this.chunkSize).size, this.urlSeconds);
    }
    if (pathname === "/api/upload/complete") return completed(body);
    if (pathname === "/api/upload/chunk") return json({ chunks: [], progress: {} });
    if (method === "DELETE") return new Response(null, { status: 204 });
    throw new UploadError("no-answer", `The test has none to ${method} ${pathname}.`);
  }

  status(missingChunks, status = "UPLOADING", reason = null) {
    const { file, chunkSize } = this;
    return json({
      fileSize: file.size, chunkSize, totalChunks: Math.ceil(file.size / chunkSize), missingChunks, status, reason,
    });
  }

  /** Follow what the upload promises while the clock moves on. */
  async over(promise, ms = 60_000) {
    let outcome;
    promise.then((value) => (outcome = { value }), (error) => (outcome = { error }));
    for (let passed = 0; passed < ms && outcome === undefined; passed += 100) await this.clock.advance(100);
    return outcome;
  }

  /** Let the clock move until something is so. */
  async until(isSo) {
    for (let step = 0; step < 2000; step += 1) {
      if (isSo()) return;
      await this.clock.advance(10);
      await settled();
    }
    throw new Error(`never: ${isSo}`);
  }
}

/** Start an upload over the wire, and note what it tells. */
export function begun(wire, options = {}) {
  const upload = new Upload(wire.file, { ...wire.options, ...options });
  const seen = { states: [], warnings: [], uploaded: [], chunks: [] };
  upload.on("state", ({ state }) => seen.states.push(state));
  upload.on("warning", ({ error }) => seen.warnings.push(error.code));
  upload.on("progress", ({ uploadedBytes }) => seen.uploaded.push(uploadedBytes));
  upload.on("chunk", ({ chunkIndex, state, attempt }) => seen.chunks.push([chunkIndex, state, attempt]));
  return { upload, seen, outcome: upload.start() };
}
