/** An upload that somebody pauses, resumes or gives up. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { begun, problem, STORED, Wire } from "./wire.js";

const never = () => new Promise(() => {});

test("pausing ends what is under way; resuming sends only what has not arrived", async () => {
  const wire = new Wire();
  wire.s3 = ({ chunkIndex }) => (chunkIndex === 0 ? STORED : never());
  const { upload, seen, outcome } = begun(wire);
  await wire.until(() => seen.chunks.some(([index, state]) => index === 0 && state === "uploaded") && wire.puts.length === 3);

  upload.pause();
  await wire.clock.advance(1000);
  assert.equal(upload.state, "paused");
  wire.s3 = () => STORED;
  wire.puts = [];
  upload.resume();

  assert.ok((await wire.over(outcome)).value);
  assert.deepEqual(wire.puts.map(({ chunkIndex }) => chunkIndex).sort(), [1, 2]);
  assert.equal(wire.sessions.length, 1);
});

test("paused, it says that nothing moves", async () => {
  const wire = new Wire();
  wire.s3 = ({ onProgress, number }) => {
    setImmediate(() => onProgress(3));
    return number === 3 ? never() : wire.clock.advance(1000).then(() => STORED);
  };
  const { upload } = begun(wire);
  await wire.until(() => upload.progress.bytesPerSecond > 0);
  const told = [];
  upload.on("progress", ({ bytesPerSecond }) => told.push(bytesPerSecond));

  upload.pause();

  assert.deepEqual(told, [0]);
  assert.equal(upload.progress.bytesPerSecond, 0);
});

test("pausing and resuming in the same breath loses nothing", async () => {
  const wire = new Wire();
  const { upload, outcome } = begun(wire);

  for (let each = 0; each < 5; each += 1) {
    upload.pause();
    upload.resume();
  }

  assert.ok((await wire.over(outcome)).value);
});

test("cancelling ends it here and at the service, and the same file starts anew", async () => {
  const wire = new Wire();
  wire.s3 = never;
  const { upload, outcome } = begun(wire);
  await wire.until(() => wire.puts.length > 0);

  assert.deepEqual(await wire.over(upload.cancel()), { value: true });
  const { error } = await wire.over(outcome);
  assert.equal(error.code, "cancelled");
  assert.equal(wire.calls.at(-1), "DELETE /api/uploads/upl_1");
  wire.s3 = () => STORED;

  assert.ok((await wire.over(upload.start())).value);
  assert.notEqual(wire.sessions[1].resumeKey, wire.sessions[0].resumeKey);
});

test("cancelling while the page's backend still opens it gives that upload up, too", async () => {
  const wire = new Wire();
  let open;
  const { upload } = begun(wire, { session: () => new Promise((resolve) => (open = resolve)) });
  await wire.until(() => open !== undefined);

  const cancelled = upload.cancel();
  open({ uploadId: "upl_9", token: "ut_9" });

  assert.deepEqual(await wire.over(cancelled), { value: true });
  assert.deepEqual(wire.calls, ["DELETE /api/uploads/upl_9"]);
});

test("an upload that is completed cannot be cancelled any more, and says so", async () => {
  const wire = new Wire();
  wire.s3 = never;
  const { upload } = begun(wire);
  await wire.until(() => wire.puts.length > 0);
  wire.next.push(["DELETE", () => problem("wrong-phase", 409, { phase: "COMPLETED" })]);

  assert.deepEqual(await wire.over(upload.cancel()), { value: false });
});
