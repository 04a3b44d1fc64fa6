import assert from "node:assert/strict";
import { test } from "node:test";

import { Upload } from "../../../coordinator/web/static/js/coordinator.js";
import { begun, problem, refusedBy, STORED, Wire } from "./wire.js";

test("a small file costs session, urls, PUT, complete, and nothing else", async () => {
  const wire = new Wire({ text: "tiny" });
  const { upload, seen, outcome } = begun(wire);

  const { value } = await wire.over(outcome);

  assert.deepEqual(wire.calls, ["POST /api/upload/urls", "POST /api/upload/complete"]);
  assert.equal(wire.sessions.length, 1);
  assert.deepEqual(wire.puts.map(({ text }) => text), ["tiny"]);
  assert.deepEqual(value, {
    uploadId: "upl_1", fileName: "a.txt", fileSize: 4, root: "root-1", checksum: "sha256-tree:root-1", filePath: "datasets/x",
    jobs: [{ jobId: "job_1", kind: "generate_metadata", status: "queued" }], alreadyUploaded: false,
  });
  assert.deepEqual(seen.states, ["preparing", "uploading", "completing", "completed"]);
  assert.equal(upload.progress.uploadedBytes, 4);
});

test("an empty file has one empty chunk, and is uploaded like any other", async () => {
  const wire = new Wire({ text: "" });

  const { value } = await wire.over(begun(wire).outcome);

  assert.deepEqual(wire.puts.map(({ chunkIndex, text }) => [chunkIndex, text]), [[0, ""]]);
  assert.equal(value.fileSize, 0);
});

test("each chunk is sent as its own slice, with exactly the headers that were signed", async () => {
  const wire = new Wire();

  await wire.over(begun(wire).outcome);

  const sent = wire.puts.sort((a, b) => a.chunkIndex - b.chunkIndex);
  assert.deepEqual(sent.map(({ text }) => text), ["aaaa", "bbbb", "cc"]);
  assert.ok(sent.every(({ headers }) => Object.keys(headers).join() === "x-amz-checksum-sha256"));
});

test("the session is told what the file is, and a key that a backend can use", async () => {
  const wire = new Wire();

  await wire.over(begun(wire, { path: "folder/a.txt" }).outcome);

  const [{ resumeKey, ...rest }] = wire.sessions;
  assert.deepEqual(rest, {
    fileName: "a.txt", fileSize: 10, fileType: "text/plain", path: "folder/a.txt", uploadId: null, reason: "start",
  });
  assert.match(resumeKey, /^js-[0-9a-f]{64}$/);
});

test("a URL that S3 finds too old is signed again, without fuss", async () => {
  const wire = new Wire();
  wire.s3 = async ({ number }) => (number === 1 ? refusedBy(403, "AccessDenied") : STORED);
  const { seen, outcome } = begun(wire);

  assert.ok((await wire.over(outcome)).value);

  assert.deepEqual(seen.warnings, ["s3-refused"]);
  assert.equal(wire.calls.filter((call) => call.endsWith("/urls")).length, 2);
  assert.equal(wire.puts.length, 4);
});

test("a chunk that S3 refuses under every new URL ends the upload with S3's code", async () => {
  const wire = new Wire();
  wire.s3 = async ({ chunkIndex }) => (chunkIndex === 1 ? refusedBy(403, "SignatureDoesNotMatch") : STORED);

  const { error } = await wire.over(begun(wire).outcome, 600_000);

  assert.deepEqual([error.code, error.chunkIndex, error.members.s3Code], ["s3-refused", 1, "SignatureDoesNotMatch"]);
});

test("a URL that grew old while it waited is not even tried", async () => {
  const wire = new Wire({ text: "aaaabbbb" });
  wire.urlSeconds = 4;
  let release;
  wire.s3 = ({ number }) => (number === 1 ? new Promise((resolve) => (release = () => resolve(STORED))) : STORED);
  const signed = () => wire.bodies.flatMap(({ chunks = [] }) => chunks).filter(({ sha256 }) => sha256 !== undefined);
  const { outcome } = begun(wire, { parallel: { min: 1, max: 1 } });
  await wire.until(() => wire.puts.length === 1 && signed().length === 2);
  await wire.clock.advance(5000);
  release();

  assert.ok((await wire.over(outcome)).value);

  assert.deepEqual(wire.puts.map(({ chunkIndex }) => chunkIndex), [0, 1]);
  assert.deepEqual(signed().map(({ chunkIndex }) => chunkIndex), [0, 1, 1]);
});

test("bytes altered on the way are told, and sent again", async () => {
  const wire = new Wire();
  wire.s3 = async ({ number }) => (number === 2 ? refusedBy(400, "BadDigest") : STORED);
  const { seen, outcome } = begun(wire);

  assert.ok((await wire.over(outcome)).value);

  assert.deepEqual(seen.warnings, ["altered-on-the-way"]);
  const again = seen.chunks.filter(([, state, attempt]) => state === "sending" && attempt === 2);
  assert.ok(again.length > 0, "the chunk was sent a second time");
});

test("a file that changed while it was sent is never completed", async () => {
  const wire = new Wire({ text: "aaaabbbbcc" });
  const slice = wire.file.slice.bind(wire.file);
  let isChanged = false;
  wire.file.slice = (from, to) => (isChanged ? new Blob(["zzzzzzzzzz"]).slice(from, to) : slice(from, to));
  wire.s3 = async () => {
    isChanged = true;
    return refusedBy(400, "BadDigest");
  };

  const { error } = await wire.over(begun(wire).outcome);

  assert.equal(error.code, "file-changed");
  assert.ok(!wire.calls.some((call) => call.endsWith("/complete")));
});

test("a network error under a file that cannot be read any more is the file's, not the network's", async () => {
  const wire = new Wire();
  wire.s3 = async () => {
    wire.file.slice = () => ({ size: 4, slice: () => ({ arrayBuffer: () => Promise.reject(new DOMException("", "NotReadableError")) }) });
    return { kind: "network" };
  };

  const { error } = await wire.over(begun(wire, { parallel: { max: 1 } }).outcome);

  assert.equal(error.code, "file-changed");
});

test("lost and stalled requests are sent again, and progress never runs backwards", async () => {
  const wire = new Wire({ text: "x".repeat(100) });
  wire.s3 = async ({ number, onProgress }) => {
    onProgress(3);
    return number % 3 === 0 ? { kind: "network" } : number % 5 === 0 ? { kind: "stalled" } : STORED;
  };
  const { seen, outcome } = begun(wire);

  assert.ok((await wire.over(outcome, 600_000)).value);

  assert.ok(seen.warnings.includes("network") && seen.warnings.includes("stalled"));
  assert.deepEqual(seen.uploaded, [...seen.uploaded].sort((a, b) => a - b));
  assert.equal(seen.uploaded.at(-1), 100);
});

test("without any answer it is offline, and back with the next answer", async () => {
  const wire = new Wire({ text: "aaaa" });
  wire.s3 = async ({ number }) => (number <= 4 ? { kind: "network" } : STORED);
  const { seen, outcome } = begun(wire);

  assert.ok((await wire.over(outcome, 600_000)).value);

  assert.deepEqual(seen.states, ["preparing", "uploading", "offline", "uploading", "completing", "completed"]);
});

test("chunks that S3 has lost are sent again, whatever the ledger says", async () => {
  const wire = new Wire();
  wire.next.push(["/complete", () => problem("parts-missing", 409, { missingChunks: [1] })]);
  const { outcome } = begun(wire);

  assert.ok((await wire.over(outcome)).value);

  assert.deepEqual(wire.puts.map(({ chunkIndex }) => chunkIndex).sort(), [0, 1, 1, 2]);
  const forced = [...new Set(wire.bodies.filter((body) => body.force !== undefined).map(({ force }) => force))];
  assert.deepEqual(forced, [false, true]);
});

test("while it is assembled it is followed, and then asked for its result", async () => {
  const wire = new Wire();
  const assembling = () => new Response(JSON.stringify({ uploadId: "upl_1", status: "assembling" }), { status: 202 });
  wire.next.push(["/complete", assembling], ["/status/", () => wire.status([], "ASSEMBLING")], ["/status/", () => wire.status([], "COMPLETED")]);

  assert.ok((await wire.over(begun(wire).outcome)).value);

  assert.deepEqual(wire.calls.slice(-4).map((call) => call.split("/")[3]), ["complete", "status", "status", "complete"]);
});

test("another tab that was faster is no failure", async () => {
  const wire = new Wire();
  wire.next.push(["/urls", () => problem("wrong-phase", 409, { phase: "COMPLETED" })]);

  const { value } = await wire.over(begun(wire).outcome);

  assert.equal(value.root, "root-1");
  assert.equal(wire.puts.length, 0);
});

test("an upload that was ended elsewhere says how", async () => {
  for (const [reason, code] of [["aborted", "upload-failed"], ["expired", "upload-expired"]]) {
    const wire = new Wire();
    wire.next.push(["/urls", () => problem("wrong-phase", 409, { phase: "FAILED", reason })]);

    const { error } = await wire.over(begun(wire).outcome);

    assert.equal(error.code, code);
  }
});

test("iteration ends with the upload, and tells how", async () => {
  const wire = new Wire({ text: "tiny" });
  const upload = new Upload(wire.file, wire.options);
  const types = [];
  const reading = (async () => {
    for await (const { type } of upload) types.push(type);
  })();

  upload.start();
  await wire.over(reading);

  assert.equal(types[0], "state");
  assert.equal(types.at(-1), "completed");
});

test("what is no file, and what has no session, is refused at once", () => {
  assert.throws(() => new Upload("text", { session: () => {} }), TypeError);
  assert.throws(() => new Upload(new Blob(["x"]), { session: () => {} }), TypeError);
  assert.throws(() => new Upload(new File(["x"], "x"), {}), TypeError);
});
