/** What the pages decide without a document: streams, schemas, types, figures, words. */

import assert from "node:assert/strict";
import test from "node:test";

import { formatBytes, formatSeconds } from "../../../coordinator/web/static/pages/shell/format.js";
import { follow, readMessages } from "../../../coordinator/web/static/pages/shell/stream.js";
import { ChunkMap } from "../../../coordinator/web/static/pages/upload/chunk-map.js";
import { mediaTypeOf } from "../../../coordinator/web/static/pages/upload/media-types.js";
import { percentOf, progressText } from "../../../coordinator/web/static/pages/upload/progress-text.js";
import { outcomeOf, wordOf } from "../../../coordinator/web/static/pages/shell/job-words.js";
import { read } from "../../../coordinator/web/static/pages/upload/wish.js";

/** A stream that breaks its text into pieces of so many bytes. */
function inPieces(text, size) {
  const bytes = new TextEncoder().encode(text);
  return new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
      controller.close();
    },
  });
}

async function all(messages) {
  const found = [];
  for await (const message of messages) found.push(message);
  return found;
}

test("events are the same however the network cuts them, in the middle of a letter, too", async () => {
  const text = "retry: 1000\n\nid: a.b.c\nevent: phase\ndata: {\"name\":\"größe 📷\"}\n\n: nothing new\n\nevent: jobs\ndata: {\"jobs\":[]}\n\n";
  const expected = [
    { kind: "phase", data: { name: "größe 📷" }, id: "a.b.c" },
    { kind: "jobs", data: { jobs: [] }, id: "" },
  ];

  for (const size of [1, 2, 3, 7, 4096]) assert.deepEqual(await all(readMessages(inPieces(text, size))), expected);
});

test("a stream that broke off goes on behind the last event, and ends when the service says so", async (t) => {
  const asked = [];
  const answers = [new Response(inPieces("id: 7\nevent: jobs\ndata: {}\n\n", 9)), new Response(null, { status: 204 })];
  t.mock.method(globalThis, "fetch", async (_path, { headers }) => {
    asked.push(headers["Last-Event-ID"]);
    return answers.shift();
  });
  const kinds = [];

  const seen = await follow("/events", { signal: new AbortController().signal, onMessage: ({ kind }) => kinds.push(kind) });

  assert.deepEqual([seen, kinds, asked], ["7", ["jobs"], [undefined, "7"]]);
});

test("a stream that is refused for good is not asked for again", async (t) => {
  const refused = t.mock.method(globalThis, "fetch", async () => Response.json({ code: "upload-not-found", detail: "There is none." }, { status: 404 }));

  const following = follow("/events", { signal: new AbortController().signal, onMessage: () => {} });

  await assert.rejects(following, { name: "Problem", status: 404, code: "upload-not-found", detail: "There is none." });
  assert.equal(refused.mock.callCount(), 1);
});

test("an event that broke off with its connection is none", async () => {
  const found = await all(readMessages(inPieces("event: phase\ndata: {\"status\":", 5)));

  assert.deepEqual(found, []);
});

test("a schema is an object, is JSON, and fits into the metadata", () => {
  assert.deepEqual(read('{"type": "object"}'), { schema: { type: "object" }, fault: "" });
  for (const text of ["", "  ", "{oops", "[]", "null", "7", JSON.stringify({ description: "ä".repeat(8_000) })]) {
    const { schema, fault } = read(text);
    assert.equal(schema, null, text.slice(0, 20));
    assert.notEqual(fault, "");
  }
});

test("a table's type is told by its name, all else by the browser, and nonsense by nobody", () => {
  assert.equal(mediaTypeOf("train.JSONL", ""), "application/x-ndjson");
  assert.equal(mediaTypeOf("a.csv", "application/vnd.ms-excel"), "text/csv");
  assert.equal(mediaTypeOf("photo.png", "image/png"), "image/png");
  assert.equal(mediaTypeOf("weights", ""), "application/octet-stream");
  assert.equal(mediaTypeOf("odd", "no type"), "application/octet-stream");
});

test("nothing is 100 percent before all of it is there", () => {
  assert.equal(percentOf({ uploadedBytes: 999_999, totalBytes: 1_000_000 }), 99);
  assert.equal(percentOf({ uploadedBytes: 1_000_000, totalBytes: 1_000_000 }), 100);
  assert.equal(percentOf({ uploadedBytes: 0, totalBytes: 0 }), 0);
});

test("speed and time left are not shown of what stands still", () => {
  const progress = { uploadedBytes: 500, totalBytes: 1000, bytesPerSecond: 100, secondsLeft: 5 };

  assert.equal(progressText(progress, { isMoving: false }).includes("/s"), false);
  assert.equal(progressText(progress, { isMoving: true }).replaceAll("\u00a0", " "), "50 % · 500 B of 1 KB · 100 B/s · 5 s left");
});

test("sizes and times are rounded as people say them", () => {
  const plain = (text) => text.replaceAll("\u00a0", " ");

  assert.deepEqual([0, 999, 1_000, 1_500, 999_499, 999_600, 142_742_000, 1.5e12].map((n) => plain(formatBytes(n))),
    ["0 B", "999 B", "1 KB", "1.5 KB", "999 KB", "1 MB", "143 MB", "1.5 TB"]);
  assert.deepEqual([0.2, 59, 60, 3_600, 4_800, 200_000].map((n) => plain(formatSeconds(n))),
    ["1 s", "59 s", "1 min", "1 h", "1 h 20 min", "2 days"]);
});

test("a job that ran and had nothing to do does not look like one that did it", () => {
  const job = (result) => ({ kind: "generate_embeddings", status: "succeeded", result });

  assert.equal(wordOf(job({ status: "skipped", detail: "No model." })).text, "Nothing to do");
  assert.equal(outcomeOf(job({ status: "skipped", detail: "No model." })), "No model.");
  assert.equal(wordOf(job({ status: "done", rows: 3, dimensions: 8 })).text, "Done");
  assert.equal(wordOf({ kind: "scan_pii", status: "failed", errorCode: "worker-lost" }).text, "Failed");
});

test("findings of a kind are counted together, over columns", () => {
  const findings = [{ kind: "email", column: "a", count: 2 }, { kind: "email", column: "b", count: 3 }, { kind: "phone_number", column: "a", count: 1 }];

  assert.equal(outcomeOf({ kind: "scan_pii", status: "succeeded", result: { status: "done", findings } }), "5 × email, 1 × phone number");
  assert.equal(outcomeOf({ kind: "scan_pii", status: "succeeded", result: { status: "done", findings: [] } }), "Nothing found");
});

/** As much of an element as a bar needs: where it is painted, and whether it has gaps. */
function canvas() {
  const attributes = new Set();
  return {
    style: { backgroundImage: "", setProperty() {} },
    toggleAttribute: (name, isOn) => (isOn ? attributes.add(name) : attributes.delete(name)),
    attributes,
  };
}

test("a chunk that is sent fills its own cell, and one that failed is marked until it is sent again", () => {
  const element = canvas();
  const map = new ChunkMap(element, 400);
  map.plan(4);
  map.note({ chunkIndex: 0, state: "uploaded", uploadedBytes: 100 });
  map.note({ chunkIndex: 2, state: "sending", uploadedBytes: 50 });
  map.note({ chunkIndex: 3, state: "retrying", uploadedBytes: 0 });
  map.paint();

  assert.equal(element.style.backgroundImage, "linear-gradient(90deg, "
    + "var(--chunk-there) 0.00% 25.00%, var(--chunk-missing) 25.00% 50.00%, var(--chunk-moving) 50.00% 62.50%, "
    + "var(--chunk-missing) 62.50% 75.00%, var(--chunk-failed) 75.00% 100.00%)");

  map.note({ chunkIndex: 3, state: "uploaded", uploadedBytes: 100 });
  map.paint();

  assert.equal(element.style.backgroundImage.includes("failed"), false);
});

test("ten thousand chunks are painted as a few cells, each showing its share", () => {
  const element = canvas();
  const map = new ChunkMap(element, 10_000);
  map.plan(10_000);
  for (let chunkIndex = 0; chunkIndex < 5_000; chunkIndex += 1) map.note({ chunkIndex, state: "uploaded", uploadedBytes: 1 });
  map.paint();

  assert.equal(element.style.backgroundImage, "linear-gradient(90deg, var(--chunk-there) 0.00% 50.00%, var(--chunk-missing) 50.00% 100.00%)");
  assert.equal(element.attributes.has("data-gaps"), false);
});
