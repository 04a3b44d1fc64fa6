/** Reports of chunks that arrive while one is under way. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Reports } from "../../../coordinator/web/static/js/reporting.js";
import { settled, TestClock } from "./clock.js";

test("what arrived meanwhile is reported when the last report is through, though nothing more comes", async () => {
  const sent = [];
  let answer;
  const service = { report: (_id, batch) => new Promise((resolve) => { sent.push(batch.length); answer = resolve; }) };
  const reports = new Reports(service, "upl_1", new TestClock());

  for (let index = 0; index < 150; index += 1) reports.add(index);
  answer();
  await settled();

  assert.deepEqual(sent, [50, 100]);
});
