import assert from "node:assert/strict";
import { test } from "node:test";

import { batchToSign, lifetimeOf, mostToSign, readSigned, windowOf } from "../../../coordinator/web/static/js/signing.js";

const MIB = 1024 * 1024;
const URL_ = "https://s3.example/b/k?partNumber=1&X-Amz-Date=20260102T030405Z&X-Amz-Expires=3600";

/**
 * Play one file through: each step `hashRate` chunks are hashed and `sendRate` of at most `lanes`
 * chunks arrive; a signing takes one step.
 */
function play({ total, lanes, hashRate, sendRate }) {
  const window = windowOf({ chunkSize: 8 * MIB, lanes: 12, memory: 256 * MIB });
  let [toHash, hashed, ready, sending, done, batches, signing] = [total, 0, 0, 0, 0, 0, 0];
  let credit = 0;
  for (let step = 0; step < 100_000; step += 1) {
    ready += signing;
    signing = 0;
    const ahead = () => hashed + ready + sending + signing;
    for (let each = 0; each < hashRate && toHash > 0 && ahead() < window; each += 1) {
      toHash -= 1;
      hashed += 1;
    }
    credit = Math.min(sending, credit + sendRate);
    const arrived = Math.floor(credit);
    credit -= arrived;
    sending -= arrived;
    done += arrived;
    while (ready > 0 && sending < lanes) {
      ready -= 1;
      sending += 1;
    }
    const count = batchToSign({ hashed, ready, sending, lanes, batches, total, window, isLast: toHash === 0, most: 1000 });
    assert.ok(count <= hashed, "nothing is signed that was not hashed");
    if (count > 0) {
      batches += 1;
      hashed -= count;
      signing = count;
    }
    if (done === total) return batches;
  }
  return assert.fail("it came to a standstill");
}

test("a file of 1 GiB in chunks of 8 MiB is signed in at most six requests", () => {
  for (const lanes of [3, 4, 6, 12]) assert.ok(play({ total: 128, lanes, hashRate: 4, sendRate: 1 }) <= 6, `${lanes} lanes`);
});

test("10,000 chunks are signed in far fewer requests than one for fifty", () => {
  assert.ok(play({ total: 10_000, lanes: 6, hashRate: 3, sendRate: 1 }) <= 220);
});

test("it never stands still, whatever is slow", () => {
  for (const total of [1, 2, 3, 7, 31, 32, 33, 96, 97, 500]) {
    for (const [hashRate, sendRate] of [[1, 5], [1, 0.1], [5, 0.3], [2, 2]]) {
      for (const lanes of [1, 3, 12]) assert.ok(play({ total, lanes, hashRate, sendRate }) >= 1);
    }
  }
});

test("if hashing is the bottleneck, requests still carry several chunks", () => {
  assert.ok(play({ total: 1280, lanes: 6, hashRate: 1, sendRate: 5 }) <= 1280 / 5);
});

test("one chunk is signed as soon as it is hashed, if it is all there is", () => {
  const small = { hashed: 1, ready: 0, sending: 0, lanes: 3, batches: 0, total: 1, window: 96, isLast: true, most: 1000 };

  assert.equal(batchToSign(small), 1);
});

test("while enough is signed for another round, nothing is asked", () => {
  const busy = { hashed: 500, ready: 3, sending: 3, lanes: 3, batches: 4, total: 9000, window: 96, isLast: false, most: 1000 };

  assert.equal(batchToSign(busy), 0);
  assert.equal(batchToSign({ ...busy, ready: 2 }), 500);
});

test("a slow network is given no more URLs than it can use before they end", () => {
  const slow = { bytesPerSecond: 100_000, lifetimeMs: 3_600_000, chunkSize: 8 * MIB, lanes: 2 };

  assert.equal(mostToSign(slow), 14);
  assert.equal(mostToSign({ ...slow, lanes: 12 }), 24);
  assert.equal(mostToSign({ ...slow, bytesPerSecond: 0 }), 1000);
});

test("how long a URL is good is read between the signer's own two clocks", () => {
  assert.equal(lifetimeOf(URL_, "2026-01-02T04:04:05.000Z"), 3_600_000);
  assert.equal(lifetimeOf(URL_, "2026-01-02T03:00:00.000Z"), 0);
  assert.throws(() => lifetimeOf("https://s3.example/b/k", "2026-01-02T04:04:05.000Z"), { code: "unexpected-answer" });
});

test("an answer becomes tickets and chunks that are there, and a margin is kept", () => {
  const asked = [{ index: 0, digest: "aa" }, { index: 3, digest: "bb" }];
  const answer = { chunks: [
    { chunkIndex: 0, status: "already_uploaded" },
    { chunkIndex: 3, method: "PUT", url: URL_, headers: { h: "1" }, size: 5, urlExpiresAt: "2026-01-02T03:04:45.000Z" },
  ] };

  const { tickets, present, lifetimeMs } = readSigned(answer, asked, 1000, () => 5);

  assert.deepEqual(present, [0]);
  assert.equal(lifetimeMs, 40_000);
  assert.deepEqual(tickets, [
    { index: 3, digest: "bb", method: "PUT", url: URL_, headers: { h: "1" }, attempt: 0, freshUntil: 31_000 },
  ]);
});

test("an answer about other chunks, or of another size, is not believed", () => {
  const chunk = { chunkIndex: 0, method: "PUT", url: URL_, headers: {}, size: 6, urlExpiresAt: "2026-01-02T03:04:45.000Z" };
  const read = (answer) => readSigned(answer, [{ index: 0, digest: "aa" }], 0, () => 5);

  for (const answer of [null, {}, { chunks: [] }, { chunks: [{ ...chunk, chunkIndex: 1 }] }, { chunks: [chunk] }]) {
    assert.throws(() => read(answer), { code: "unexpected-answer" });
  }
});
