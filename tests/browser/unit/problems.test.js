import assert from "node:assert/strict";
import { test } from "node:test";

import { readRetryAfter, unreadable, UploadError } from "../../../coordinator/web/static/js/problems.js";

function answer(body, status, headers = {}) {
  return new Response(typeof body === "string" ? body : JSON.stringify(body), { status, headers });
}

test("a problem document keeps its code, its field and what else it says", async () => {
  const members = { code: "digest-conflict", detail: "Chunk 3.", status: 409, field: "chunks[0].sha256", chunks: [3], requestId: "r1" };

  const error = await UploadError.from(answer(members, 409));

  assert.deepEqual(
    { code: error.code, detail: error.detail, field: error.field, status: error.status, id: error.requestId, chunks: error.members.chunks },
    { code: "digest-conflict", detail: "Chunk 3.", field: "chunks[0].sha256", status: 409, id: "r1", chunks: [3] },
  );
  assert.equal(error.retryable, false);
  assert.ok(error instanceof Error && error.message === "Chunk 3.");
});

test("a proxy's page is an error of its status, and its text is not shown", async () => {
  const away = await UploadError.from(answer("<html>Bad gateway, secret</html>", 502, { "Retry-After": "4" }));
  const refused = await UploadError.from(answer("no", 403));

  assert.deepEqual([away.code, away.retryable, away.retryAfterSeconds], ["unavailable", true, 4]);
  assert.deepEqual([refused.code, refused.retryable], ["refused", false]);
  assert.doesNotMatch(away.detail, /secret/);
});

test("JSON that is no problem document is none", async () => {
  for (const body of ["null", "[]", '"text"', '{"code": 5, "detail": {}}']) {
    const error = await UploadError.from(answer(body, 400));
    assert.deepEqual([error.code, error.detail], ["refused", "The service answered with status 400."]);
  }
});

test("what passes by itself is retryable, what does not is not", async () => {
  const statuses = [400, 401, 403, 404, 408, 409, 410, 413, 422, 425, 429, 500, 501, 502, 503, 504];

  const passing = [];
  for (const status of statuses) if ((await UploadError.from(answer({}, status))).retryable) passing.push(status);

  assert.deepEqual(passing, [408, 425, 429, 500, 502, 503, 504]);
});

test("every code has advice, known or not", () => {
  for (const code of ["another-file", "network", "something-new"]) assert.match(new UploadError(code, "x").advice, /\.$/);
});

test("Retry-After is seconds or a date, and nonsense is nothing", () => {
  const now = Date.UTC(2026, 0, 1);

  assert.equal(readRetryAfter("7", now), 7);
  assert.equal(readRetryAfter("Thu, 01 Jan 2026 00:00:09 GMT", now), 9);
  assert.equal(readRetryAfter("Wed, 31 Dec 2025 00:00:00 GMT", now), 0);
  for (const nonsense of [null, "", "soon", "-"]) assert.equal(readRetryAfter(nonsense, now), undefined);
});

test("a file that was read before and cannot be now has changed; another is unreadable", () => {
  const changed = new DOMException("", "NotReadableError");
  const code = (error, wasRead) => unreadable(error, { wasRead, name: "a.txt", chunkIndex: 2 }).code;

  assert.equal(code(changed, true), "file-changed");
  assert.equal(code(changed, false), "file-unreadable");
  assert.equal(code(new DOMException("", "NotFoundError"), true), "file-unreadable");
});
