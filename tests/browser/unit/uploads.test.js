import assert from "node:assert/strict";
import { test } from "node:test";

import { Uploads } from "../../../coordinator/web/static/js/coordinator.js";
import { refusedBy, STORED, Wire } from "./wire.js";

const filesOf = (count, size = 3) => Array.from({ length: count }, (_, at) => new File(["x".repeat(size)], `${at}.txt`, { lastModified: at }));
const never = () => new Promise(() => {});

/** A queue over one wire; files have three bytes, and so one chunk each. */
function queueOf(options = {}) {
  const wire = new Wire({ text: "xxx" });
  const uploads = new Uploads({ ...wire.options, ...options });
  const done = new Promise((resolve) => uploads.on("done", resolve));
  return { wire, uploads, done };
}

const count = (uploads, state) => [...uploads].filter((upload) => upload.state === state).length;

test("hundreds of small files are uploaded, so many at once and no more", async () => {
  const { wire, uploads, done } = queueOf({ filesAtOnce: 5 });
  let most = 0;
  uploads.on("state", () => {
    most = Math.max(most, uploads.progress.files.running);
  });

  await uploads.add(filesOf(200));

  assert.deepEqual(await wire.over(done), { value: { completed: 200, failed: 0, cancelled: 0 } });
  assert.equal(most, 5);
  assert.equal(wire.calls.length, 400, "urls and complete for each, and nothing else");
  assert.deepEqual([uploads.progress.uploadedBytes, uploads.progress.secondsLeft], [600, 0]);
});

test("a file that waits is new, and keeps its place and path", async () => {
  const { wire, uploads } = queueOf({ filesAtOnce: 1 });
  wire.s3 = never;

  await uploads.add(filesOf(3));
  await wire.until(() => wire.puts.length === 1);

  assert.deepEqual([...uploads].map(({ state, path }) => [state, path]), [["uploading", "0.txt"], ["new", "1.txt"], ["new", "2.txt"]]);
});

test("large files are few at once, and small ones pass them by", async () => {
  const { wire, uploads } = queueOf({ largeFilesAtOnce: 1, session: never });
  const large = filesOf(2).map((file) => Object.defineProperty(file, "size", { value: 65 * 1024 * 1024 }));

  await uploads.add([...large, ...filesOf(1)]);
  await wire.clock.advance(100);

  assert.deepEqual([...uploads].map(({ state }) => state === "new"), [false, true, false]);
});

test("one that fails keeps no other from being uploaded, and only it is tried again", async () => {
  const { wire, uploads, done } = queueOf();
  wire.s3 = ({ number }) => (number === 2 ? refusedBy(405, "MethodNotAllowed") : STORED);
  await uploads.add(filesOf(4));

  assert.deepEqual((await wire.over(done)).value, { completed: 3, failed: 1, cancelled: 0 });
  const again = new Promise((resolve) => uploads.on("done", resolve));
  const sessions = wire.sessions.length;
  uploads.retry();

  assert.deepEqual((await wire.over(again)).value, { completed: 4, failed: 0, cancelled: 0 });
  assert.equal(wire.sessions.length, sessions, "it went on where it had failed");
});

test("paused, nothing begins and nothing moves; resumed, all goes on", async () => {
  const { wire, uploads, done } = queueOf({ filesAtOnce: 2 });
  wire.s3 = never;
  await uploads.add(filesOf(4));
  await wire.until(() => wire.puts.length === 2);

  uploads.pause();
  await wire.clock.advance(5000);
  assert.deepEqual([count(uploads, "paused"), count(uploads, "new")], [2, 2]);
  wire.s3 = () => STORED;
  uploads.resume();

  assert.deepEqual((await wire.over(done)).value, { completed: 4, failed: 0, cancelled: 0 });
});

test("one that is paused while it waits is passed over until it is resumed", async () => {
  const { wire, uploads } = queueOf({ filesAtOnce: 1, autoStart: false });
  const [first, second] = await uploads.add(filesOf(2));
  first.pause();

  uploads.resume();
  first.pause();
  await wire.until(() => second.state === "completed");
  assert.notEqual(first.state, "completed");
  first.resume();

  await wire.until(() => first.state === "completed");
});

test("cancelled, nothing is left to do, and nobody is left waiting", async () => {
  const { wire, uploads, done } = queueOf({ filesAtOnce: 1 });
  wire.s3 = never;
  await uploads.add(filesOf(3));
  await wire.until(() => wire.puts.length === 1);

  await wire.over(uploads.cancel());

  assert.deepEqual((await wire.over(done)).value, { completed: 0, failed: 0, cancelled: 3 });
  assert.equal(wire.calls.filter((call) => call.startsWith("DELETE")).length, 1);
});

test("one that is removed is given up, and makes room for the next", async () => {
  const { wire, uploads } = queueOf({ filesAtOnce: 1 });
  wire.s3 = ({ number }) => (number === 1 ? never() : STORED);
  const [first, second] = await uploads.add(filesOf(2));
  await wire.until(() => wire.puts.length === 1);

  await wire.over(uploads.remove(first));
  await wire.until(() => second.state === "completed");

  assert.equal(uploads.length, 1);
  assert.equal(wire.calls.filter((call) => call.startsWith("DELETE")).length, 1);
});

test("options given with files are theirs alone", async () => {
  const { wire, uploads } = queueOf();
  const asked = [];
  const session = (request) => {
    asked.push(request.fileName);
    return { uploadId: "upl_2", token: "ut_2", chunkSize: 4, totalChunks: 1, resumed: false };
  };

  await uploads.add(filesOf(1));
  const [own] = await uploads.add([new File(["yyy"], "own.txt")], { session });
  await wire.until(() => own.state === "completed");

  assert.deepEqual(asked, ["own.txt"]);
  assert.equal(own.uploadId, "upl_2");
});

test("totals never run backwards while files are added", async () => {
  const { wire, uploads, done } = queueOf({ filesAtOnce: 2 });
  const uploaded = [];
  uploads.on("progress", ({ uploadedBytes }) => uploaded.push(uploadedBytes));

  await uploads.add(filesOf(10));
  await uploads.add(filesOf(10));
  await wire.over(done);

  assert.deepEqual(uploaded, [...uploaded].sort((a, b) => a - b));
});
