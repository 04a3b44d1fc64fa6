import assert from "node:assert/strict";
import { test } from "node:test";

import { judge } from "../../../coordinator/web/static/js/putting.js";

test("S3's answers are judged by what mends them", () => {
  const verdicts = [
    [200, "", "stored"],
    [403, "AccessDenied", "sign-again"],
    [403, "SignatureDoesNotMatch", "sign-again"],
    [400, "ExpiredToken", "sign-again"],
    [404, "NoSuchUpload", "sign-again"],
    [400, "BadDigest", "hash-again"],
    [400, "XAmzContentSHA256Mismatch", "hash-again"],
    [400, "XAmzContentChecksumMismatch", "hash-again"],
    [400, "RequestTimeout", "try-again"],
    [408, "", "try-again"],
    [429, "", "try-again"],
    [500, "InternalError", "try-again"],
    [503, "SlowDown", "try-again"],
    [400, "EntityTooLarge", "refused"],
    [404, "NoSuchBucket", "refused"],
    [405, "", "refused"],
    [204, "", "refused"],
    [400, "constructor", "refused"],
  ];

  for (const [status, code, verdict] of verdicts) assert.equal(judge(status, code), verdict, `${status} ${code}`);
});
