import assert from "node:assert/strict";
import { test } from "node:test";

import { Budget } from "../../../coordinator/web/static/js/budget.js";
import { UploadError } from "../../../coordinator/web/static/js/problems.js";
import { Meter } from "../../../coordinator/web/static/js/progress.js";
import { prove, proveCompleted, sampleOf } from "../../../coordinator/web/static/js/proving.js";
import { rootOf, sha256Hex } from "../../../coordinator/web/static/js/hashing.js";
import { never, TestClock } from "./clock.js";

const range = (count) => Array.from({ length: count }, (_, index) => index);

function given({ sign }) {
  const clock = new TestClock();
  const file = new File(["aaaabbbbcccc"], "a.txt");
  const facts = { uploadId: "upl_1", chunkSize: 4, totalChunks: 3, digests: [], uploaded: new Set([0, 2]), isProven: false, force: false };
  const tools = { service: { sign }, budget: new Budget({ clock, hashers: 2 }), meter: new Meter({ totalBytes: 12, now: clock.now }) };
  return { file, facts, tools };
}

test("a sample holds the first and the last chunk, others by chance, none twice, in order", () => {
  for (const random of [() => 0, () => 0.999, Math.random]) {
    const present = range(500).map((index) => 3 * index);
    const sample = sampleOf(present, random);

    assert.equal(sample.length, 8);
    assert.equal(new Set(sample).size, 8);
    assert.deepEqual([sample[0], sample[7]], [0, 1497]);
    assert.deepEqual(sample, [...sample].sort((a, b) => a - b));
    assert.ok(sample.every((index) => present.includes(index)));
  }
});

test("chance reaches every chunk", () => {
  const seen = new Set();
  for (let round = 0; round < 400; round += 1) for (const index of sampleOf(range(20), Math.random)) seen.add(index);

  assert.equal(seen.size, 20);
});

test("few chunks are all taken", () => {
  assert.deepEqual(sampleOf([4, 7], Math.random), [4, 7]);
  assert.deepEqual(sampleOf([], Math.random), []);
});

test("digests that the service takes prove the file, and nothing is forced", async () => {
  const asked = [];
  const { file, facts, tools } = given({ sign: async (...question) => asked.push(question) });

  await prove(file, facts, [0, 2], tools, never);

  const [[uploadId, chunks, { force }]] = asked;
  assert.equal(uploadId, "upl_1");
  assert.equal(force, false);
  assert.deepEqual(chunks, [
    { index: 0, digest: await sha256Hex(new Blob(["aaaa"])) }, { index: 2, digest: await sha256Hex(new Blob(["cccc"])) },
  ]);
  assert.equal(facts.isProven, true);
  assert.equal(tools.meter.look().hashedBytes, 8);
});

test("a digest that the service knows otherwise is another file, and says which chunk", async () => {
  const { file, facts, tools } = given({
    sign: () => Promise.reject(new UploadError("digest-conflict", "x", { status: 409, members: { chunks: [2] } })),
  });

  await assert.rejects(prove(file, facts, [0, 2], tools, never), { code: "another-file", chunkIndex: 2 });
  assert.equal(facts.isProven, false);
});

test("a file that is completed already is compared as a whole", async () => {
  const { file, facts, tools } = given({});
  const digests = await Promise.all(["aaaa", "bbbb", "cccc"].map((text) => sha256Hex(new Blob([text]))));

  await proveCompleted(file, facts, await rootOf(digests), tools, never);

  facts.digests = [];
  const other = await rootOf([digests[0], digests[0], digests[2]]);
  await assert.rejects(proveCompleted(file, facts, other, tools, never), { code: "another-file" });
});
