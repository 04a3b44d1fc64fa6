import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { forget, openUploads, Upload } from "../../../coordinator/web/static/js/coordinator.js";
import { problem, STORED, Wire } from "./wire.js";

const endpoint = "https://coordinator.example";
let rows;

/** As much of IndexedDB as one store with a compound key needs; Node has none. */
function storeOf() {
  const keyOf = (key) => JSON.stringify(key);
  const later = (work) => {
    const request = {};
    setImmediate(() => {
      request.result = work();
      request.onsuccess();
    });
    return request;
  };
  const store = {
    put: (row) => later(() => rows.set(keyOf([row.endpoint, row.uploadId]), structuredClone(row))),
    delete: (key) => later(() => rows.delete(keyOf(key))),
    getAll: () => later(() => [...rows.values()]),
  };
  const database = { close() {}, transaction: () => ({ objectStore: () => store }) };
  return { open: () => later(() => database) };
}

beforeEach(() => {
  rows = new Map();
  globalThis.indexedDB = storeOf();
});

afterEach(() => {
  delete globalThis.indexedDB;
});

test("while it is open it is remembered, without any token, and then it is not", async () => {
  const wire = new Wire();
  wire.s3 = ({ chunkIndex }) => (chunkIndex === 0 ? STORED : new Promise(() => {}));
  const upload = new Upload(wire.file, wire.options);
  const outcome = upload.start();
  await wire.until(() => wire.puts.length === 3);
  await wire.clock.advance(5000);

  const [entry] = await openUploads({ endpoint: `${endpoint}/` });
  assert.deepEqual(
    { ...entry, startedAt: "", uploadedBytes: 0 },
    {
      endpoint, uploadId: "upl_1", resumeKey: upload.resumeKey, fileName: "a.txt", fileSize: 10, fileType: "text/plain",
      lastModified: 7, path: "a.txt", startedAt: "", uploadedBytes: 0,
    },
  );
  assert.doesNotMatch(JSON.stringify([...rows.values()]), /ut_1/);
  upload.pause();
  wire.s3 = () => STORED;
  upload.resume();
  await wire.over(outcome);
  await wire.clock.advance(5000);

  assert.deepEqual(await openUploads({ endpoint }), []);
});

test("one that takes long to complete is forgotten all the same", async () => {
  const wire = new Wire();
  wire.next.push(["/complete", async () => {
    await wire.clock.advance(5000);
    return problem("rate-limited", 429);
  }]);

  await wire.over(new Upload(wire.file, wire.options).start());
  await wire.clock.advance(5000);

  assert.deepEqual(await openUploads({ endpoint }), []);
});

test("one that was cancelled or is gone is forgotten, one that merely failed is kept", async () => {
  const kept = [];
  for (const [code, status] of [["upload-not-found", 404], ["upload-expired", 410], ["invalid-field", 422]]) {
    const wire = new Wire();
    wire.next.push(["/complete", () => problem(code, status)]);
    await wire.over(new Upload(wire.file, wire.options).start());
    await wire.clock.advance(1000);
    kept.push((await openUploads({ endpoint })).length);
  }
  const wire = new Wire();
  wire.s3 = () => new Promise(() => {});
  const upload = new Upload(wire.file, wire.options);
  upload.start();
  await wire.until(() => wire.puts.length > 0);
  await wire.over(upload.cancel());
  await wire.clock.advance(1000);

  assert.deepEqual(kept, [0, 0, 1]);
  assert.deepEqual(await openUploads({ endpoint }), []);
});

test("who does not want to be remembered is not", async () => {
  const wire = new Wire();
  wire.s3 = () => new Promise(() => {});
  const upload = new Upload(wire.file, { ...wire.options, remember: false });
  upload.start();
  await wire.until(() => wire.puts.length > 0);
  await wire.clock.advance(5000);

  assert.equal(rows.size, 0);
});

test("the newest is first, others' are not shown, and each can be forgotten", async () => {
  const row = (uploadId, startedAt, where = endpoint) => rows.set(JSON.stringify([where, uploadId]), { endpoint: where, uploadId, startedAt });
  row("upl_1", "2026-01-01T00:00:00.000Z");
  row("upl_2", "2026-01-02T00:00:00.000Z");
  row("upl_3", "2026-01-03T00:00:00.000Z", "https://other.example");

  const ids = async () => (await openUploads({ endpoint })).map(({ uploadId }) => uploadId);
  assert.deepEqual(await ids(), ["upl_2", "upl_1"]);
  await forget({ endpoint, uploadId: "upl_2" });

  assert.deepEqual(await ids(), ["upl_1"]);
  assert.equal(rows.size, 2);
});

test("a browser that keeps nothing uploads all the same", async () => {
  globalThis.indexedDB = { open: () => { throw new DOMException("private window", "InvalidStateError"); } };
  const wire = new Wire();

  assert.ok((await wire.over(new Upload(wire.file, wire.options).start())).value);
  assert.deepEqual(await openUploads({ endpoint }), []);
});
