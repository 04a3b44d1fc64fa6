import assert from "node:assert/strict";
import { test } from "node:test";

import { Upload } from "../../../coordinator/web/static/js/coordinator.js";
import { json, problem, STORED, Wire } from "./wire.js";

const again = { session: { chunkSize: undefined, resumed: true } };
const entryOf = (wire, changes = {}) => ({
  endpoint: "https://coordinator.example", uploadId: "upl_1", resumeKey: "js-old", fileName: "a.txt", fileSize: wire.file.size,
  fileType: "text/plain", lastModified: 7, path: "a.txt", startedAt: "2026-01-01T00:00:00.000Z", uploadedBytes: 4, ...changes,
});

/** What was asked to be signed, request by request. */
function signings(wire) {
  const seen = [];
  const { options } = wire;
  const { fetch } = options.seams;
  options.seams.fetch = (url, request) => {
    if (url.endsWith("/urls")) seen.push(JSON.parse(request.body).chunks.map(({ chunkIndex }) => chunkIndex));
    return fetch(url, request);
  };
  return { seen, options };
}

test("what is there is proven first, and only what is missing is sent", async () => {
  const wire = new Wire(again);
  wire.next.push(["/status/", () => wire.status([2])]);
  const { seen, options } = signings(wire);
  const upload = new Upload(wire.file, { ...options, resume: entryOf(wire) });
  const states = [];
  upload.on("state", ({ state }) => states.push(state));

  assert.ok((await wire.over(upload.start())).value);

  assert.equal(wire.calls[0], "GET /api/upload/status/upl_1?verify=true");
  assert.deepEqual(seen, [[0, 1], [2]]);
  assert.deepEqual(wire.puts.map(({ text }) => text), ["cc"]);
  assert.deepEqual(states, ["preparing", "proving", "uploading", "completing", "completed"]);
  assert.deepEqual(wire.sessions.map(({ uploadId, reason, resumeKey }) => [uploadId, reason, resumeKey]), [["upl_1", "resume", "js-old"]]);
});

test("another file of the same size is refused, and nothing of it is sent", async () => {
  const wire = new Wire(again);
  wire.next.push(["/status/", () => wire.status([2])], ["/urls", () => problem("digest-conflict", 409, { chunks: [0] })]);
  const upload = new Upload(wire.file, { ...wire.options, resume: entryOf(wire) });

  const { error } = await wire.over(upload.start());

  assert.deepEqual([error.code, error.retryable, wire.puts.length], ["another-file", false, 0]);
  assert.match(error.advice, /^Choose the file/);
});

test("another file that only a chunk not yet there gives away is refused, too", async () => {
  const wire = new Wire(again);
  wire.next.push(
    ["/status/", () => wire.status([0, 1, 2])],
    ["/urls", () => problem("digest-conflict", 409, { chunks: [1] })],
  );
  const upload = new Upload(wire.file, { ...wire.options, resume: entryOf(wire) });

  const { error } = await wire.over(upload.start());

  assert.deepEqual([error.code, error.chunkIndex, error.retryable, wire.puts.length], ["another-file", 1, false, 0]);
});

test("a file of another size is refused without any request", async () => {
  const wire = new Wire(again);
  const upload = new Upload(wire.file, { ...wire.options, resume: entryOf(wire, { fileSize: 11 }) });

  const { error } = await wire.over(upload.start());

  assert.deepEqual([error.code, wire.sessions.length, wire.calls.length], ["another-file", 0, 0]);
});

const many = { text: "0123456789".repeat(10), chunkSize: 4, ...again };

test("of many chunks a sample is proven, unless the file's time is another", async () => {
  const proven = [];
  for (const lastModified of [7, 8]) {
    const wire = new Wire(many);
    wire.next.push(["/status/", () => wire.status([24])]);
    const { seen, options } = signings(wire);

    await wire.over(new Upload(wire.file, { ...options, resume: entryOf(wire, { lastModified }) }).start());

    proven.push(seen[0].length);
  }

  assert.deepEqual(proven, [8, 24]);
});

test("all is proven on demand", async () => {
  const wire = new Wire(many);
  wire.next.push(["/status/", () => wire.status([24])]);
  const { seen, options } = signings(wire);
  const upload = new Upload(wire.file, { ...options, resume: entryOf(wire) });

  upload.proveAll();
  await wire.over(upload.start());

  assert.equal(seen[0].length, 24);
});

test("all is proven on demand in the middle, and sending goes on afterwards", async () => {
  const wire = new Wire(many);
  wire.next.push(["/status/", () => wire.status([23, 24])]);
  wire.s3 = ({ number }) => (number <= 2 ? new Promise(() => {}) : STORED);
  const { seen, options } = signings(wire);
  const upload = new Upload(wire.file, { ...options, resume: entryOf(wire) });
  const outcome = upload.start();
  await wire.until(() => wire.puts.length === 2);

  upload.proveAll();

  assert.ok((await wire.over(outcome)).value);
  assert.ok(seen.some((chunks) => chunks.length === 23), JSON.stringify(seen));
});

test("a failed upload of the same file is passed over, by a key of its own", async () => {
  const wire = new Wire({
    session: ({ resumeKey }) => (resumeKey.endsWith(".1") ? {} : { token: null, status: "FAILED", resumed: true }),
  });

  assert.ok((await wire.over(new Upload(wire.file, wire.options).start())).value);

  const [first, second] = wire.sessions.map(({ resumeKey }) => resumeKey);
  assert.equal(second, `${first}.1`);
});

test("an upload that was completed before is not sent again; without token, that is all there is to say", async () => {
  const wire = new Wire({ session: { token: null, status: "COMPLETED", resumed: true } });

  const upload = new Upload(wire.file, wire.options);

  const { value } = await wire.over(upload.start());

  assert.deepEqual([value.alreadyUploaded, value.uploadId, value.root, wire.calls.length], [true, "upl_1", null, 0]);
  const { uploadedBytes, secondsLeft, chunks } = upload.progress;
  assert.deepEqual([uploadedBytes, secondsLeft, chunks], [10, 0, { uploaded: 3, total: 3 }]);
});

test("a completed upload is compared as a whole, and another file is not passed off as it", async () => {
  const wire = new Wire(again);
  wire.next.push(["/status/", () => wire.status([], "COMPLETED")]);

  const { error } = await wire.over(new Upload(wire.file, wire.options).start());

  assert.equal(error.code, "another-file");
  assert.equal(wire.puts.length, 0);
});

test("chunks that the service has meanwhile are not sent", async () => {
  const wire = new Wire();
  const there = ({ chunks }) => json({ chunks: chunks.map(({ chunkIndex }) => ({ chunkIndex, status: "already_uploaded" })) });
  wire.next.push(["/urls", there], ["/urls", there], ["/urls", there]);

  assert.ok((await wire.over(new Upload(wire.file, wire.options).start())).value);

  assert.equal(wire.puts.length, 0);
});

test("a token that ends is renewed by the session, for this upload", async () => {
  const wire = new Wire();
  wire.next.push(["/complete", () => problem("unauthenticated", 401)]);

  assert.ok((await wire.over(new Upload(wire.file, wire.options).start())).value);

  const { uploadId, reason } = wire.sessions[1];
  assert.deepEqual([uploadId, reason], ["upl_1", "token-ended"]);
});
