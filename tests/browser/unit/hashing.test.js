import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { Hashers, rootOf, sha256Hex } from "../../../coordinator/web/static/js/hashing.js";
import { Sha256 } from "../../../coordinator/web/static/js/sha256.js";
import { never } from "./clock.js";

const hexOf = (bytes) => createHash("sha256").update(bytes).digest("hex");
const bytesOf = (length) => Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8)) & 255);

test("our own SHA-256 is SHA-256, at every length around its blocks", () => {
  for (const length of [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 129, 1000, 65_537]) {
    const digest = new Sha256();
    digest.update(bytesOf(length));
    assert.equal(Buffer.from(digest.finish()).toString("hex"), hexOf(bytesOf(length)), `${length} bytes`);
  }
});

test("fed in pieces of any size it is the same", () => {
  const bytes = bytesOf(10_000);
  for (const piece of [1, 3, 63, 64, 65, 1000]) {
    const digest = new Sha256();
    for (let at = 0; at < bytes.length; at += piece) digest.update(bytes.subarray(at, at + piece));
    assert.equal(Buffer.from(digest.finish()).toString("hex"), hexOf(bytes), `pieces of ${piece}`);
  }
});

test("more than 512 MiB do not overflow the counter of bits", () => {
  const digest = new Sha256();
  const expected = createHash("sha256");
  const block = new Uint8Array(1 << 20);
  for (let each = 0; each < 513; each += 1) {
    digest.update(block);
    expected.update(block);
  }

  assert.equal(Buffer.from(digest.finish()).toString("hex"), expected.digest("hex"));
});

test("a slice is hashed alone, at once or piece by piece", async () => {
  const bytes = bytesOf(300_000);
  const slice = new Blob([bytes]).slice(1000, 250_000);
  const expected = hexOf(bytes.subarray(1000, 250_000));

  assert.equal(await sha256Hex(slice), expected);
  assert.equal(await sha256Hex(slice, { wholeBytes: 10 }), expected);
});

test("the root is S3's composite checksum: sha256 of the raw digests, and their number", async () => {
  const digests = [hexOf("a"), hexOf("b"), hexOf("")];
  const packed = Buffer.concat(digests.map((digest) => Buffer.from(digest, "hex")));

  assert.equal(await rootOf(digests), `${createHash("sha256").update(packed).digest("base64")}-3`);
});

test("hashers take turns, and no more are at work than they were told", async () => {
  const hashers = new Hashers({ count: 2 });
  let [atWork, most] = [0, 0];
  const begun = [];
  const slices = [0, 1, 2, 3, 4].map((number) => {
    const slice = new Blob([String(number)]);
    const read = slice.arrayBuffer.bind(slice);
    slice.arrayBuffer = async () => {
      begun.push(number);
      atWork += 1;
      most = Math.max(most, atWork);
      const buffer = await read();
      atWork -= 1;
      return buffer;
    };
    return slice;
  });

  const digests = await Promise.all(slices.map((slice) => hashers.hash(slice, never)));

  assert.deepEqual(digests, [0, 1, 2, 3, 4].map((number) => hexOf(String(number))));
  assert.deepEqual(begun, [0, 1, 2, 3, 4]);
  assert.equal(most, 2);
});

test("who gives up waiting is not hashed, and a file that cannot be read fails alone", async () => {
  const hashers = new Hashers({ count: 1 });
  const broken = new Blob(["x"]);
  broken.arrayBuffer = () => Promise.reject(new DOMException("gone", "NotReadableError"));
  const end = new AbortController();

  const first = hashers.hash(broken, never);
  const second = hashers.hash(new Blob(["given up"]), end.signal);
  const third = hashers.hash(new Blob(["c"]), never);
  end.abort(new Error("enough"));

  await assert.rejects(first, { name: "NotReadableError" });
  await assert.rejects(second, /enough/);
  assert.equal(await third, hexOf("c"));
});
