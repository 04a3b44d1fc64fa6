import assert from "node:assert/strict";
import { test } from "node:test";

import { askSession, findPlan, keyOfAttempt, resumeKeyOf } from "../../../coordinator/web/static/js/opening.js";
import { UploadError } from "../../../coordinator/web/static/js/problems.js";
import { Connection } from "../../../coordinator/web/static/js/waiting.js";
import { never, TestClock } from "./clock.js";

const fileOf = (size, facts = {}) => new File([new Uint8Array(size)], facts.name ?? "a.bin", { lastModified: facts.time ?? 5 });
const where = { endpoint: "https://c.example", path: "folder/a.bin" };
const unread = () => assert.fail("nobody needs the status");

function toolsOf() {
  const clock = new TestClock();
  const warnings = [];
  const connection = new Connection({ clock, random: () => 0, isOnline: () => true });
  return { clock, warnings, tools: { connection, signal: never, warn: (error) => warnings.push(error.code) } };
}

test("the same file has the same key, and every difference another", async () => {
  const key = await resumeKeyOf(fileOf(3), where);
  const others = await Promise.all([
    resumeKeyOf(fileOf(4), where),
    resumeKeyOf(fileOf(3, { time: 6 }), where),
    resumeKeyOf(fileOf(3, { name: "b.bin" }), where),
    resumeKeyOf(fileOf(3), { ...where, path: "other/a.bin" }),
    resumeKeyOf(fileOf(3), { ...where, endpoint: "https://d.example" }),
  ]);

  assert.equal(await resumeKeyOf(fileOf(3), where), key);
  assert.equal(new Set([key, ...others]).size, 6);
  assert.match(key, /^[\x21-\x7e]{1,255}$/, "fit for an Idempotency-Key");
});

test("a Blob without a time is never taken for another one", async () => {
  const blob = Object.assign(new Blob(["x"]), { name: "x" });

  assert.notEqual(await resumeKeyOf(blob, where), await resumeKeyOf(blob, where));
});

test("the first attempt has the key itself, later ones their own", () => {
  assert.deepEqual([0, 1, 2].map((attempt) => keyOfAttempt("js-a", attempt)), ["js-a", "js-a.1", "js-a.2"]);
});

test("a session may pass on what init answered, under its name of the token", async () => {
  const { tools } = toolsOf();

  const session = await askSession(() => ({ uploadId: "upl_1", uploadToken: "ut_1", chunkSize: 8 }), {}, tools);

  assert.deepEqual([session.uploadId, session.token, session.chunkSize], ["upl_1", "ut_1", 8]);
});

test("a session that fails for want of network is asked again; another failure is final", async () => {
  const { clock, tools, warnings } = toolsOf();
  const answers = [new TypeError("Failed to fetch"), new UploadError("unavailable", "busy"), { uploadId: "upl_1", token: "ut_1" }];
  const asked = askSession(() => {
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  }, {}, tools);
  await clock.advance(10_000);

  assert.equal((await asked).token, "ut_1");
  assert.deepEqual(warnings, ["session-failed", "unavailable"]);
  const broken = new ReferenceError("x is not defined");
  await assert.rejects(askSession(() => { throw broken; }, {}, tools), { code: "session-failed", cause: broken, retryable: false });
});

test("the code of a refusal that the session throws reaches the page", async () => {
  const { tools } = toolsOf();
  const refusal = new UploadError("quota-exceeded", "Full.");

  await assert.rejects(askSession(() => { throw refusal; }, {}, tools), refusal);
});

test("a session without id or with a token of another kind is refused", async () => {
  const { tools } = toolsOf();
  for (const answer of [null, {}, { uploadId: 5, token: "x" }, { uploadId: "upl_1", token: 5 }]) {
    await assert.rejects(askSession(() => answer, {}, tools), { code: "session-failed" });
  }
});

test("a new upload whose plan the session told needs no request", async () => {
  const plan = await findPlan({ uploadId: "upl_1", resumed: false, chunkSize: 4, totalChunks: 3 }, fileOf(10), unread);

  assert.deepEqual(plan, { phase: "open", chunkSize: 4, totalChunks: 3, missing: [0, 1, 2], reason: null });
});

test("an empty file has one empty chunk", async () => {
  const plan = await findPlan({ uploadId: "upl_1", resumed: false, chunkSize: 4, totalChunks: 1 }, fileOf(0), unread);

  assert.deepEqual(plan.missing, [0]);
});

test("what was found again is looked up, whatever the session believed", async () => {
  const status = { status: "UPLOADING", fileSize: 10, chunkSize: 4, totalChunks: 3, missingChunks: [2], reason: null };

  const plan = await findPlan({ uploadId: "upl_1", resumed: true, chunkSize: 4, totalChunks: 3 }, fileOf(10), async () => status);

  assert.deepEqual(plan, { phase: "open", chunkSize: 4, totalChunks: 3, missing: [2], reason: null });
});

test("a file of another size is another file", async () => {
  const status = { status: "UPLOADING", fileSize: 11, chunkSize: 4, totalChunks: 3, missingChunks: [2], reason: null };

  await assert.rejects(findPlan({ uploadId: "upl_1" }, fileOf(10), async () => status), { code: "another-file" });
  await assert.rejects(findPlan({ uploadId: "upl_1", resumed: false, chunkSize: 4, totalChunks: 5 }, fileOf(10), unread), { code: "another-file" });
});
