import assert from "node:assert/strict";
import { test } from "node:test";

import { Emitter } from "../../../coordinator/web/static/js/events.js";
import { settled } from "./clock.js";

test("a listener gets details until it is taken away, and so does addEventListener", () => {
  const emitter = new Emitter(["end"]);
  const heard = [];
  const off = emitter.on("change", ({ value }) => heard.push(value));
  emitter.addEventListener("change", ({ detail }) => heard.push(-detail.value));

  emitter.emit("change", { value: 1 });
  off();
  emitter.emit("change", { value: 2 });

  assert.deepEqual(heard, [1, -1, -2]);
});

test("iteration sees every event until the last, with progress cut to the newest", async () => {
  const emitter = new Emitter(["end"]);
  const seen = [];
  const reading = (async () => {
    for await (const event of emitter) seen.push(event);
  })();
  await settled();

  emitter.emit("state", { state: "uploading" });
  for (let value = 0; value < 1000; value += 1) emitter.emit("progress", { value });
  emitter.emit("state", { state: "completed" });
  emitter.emit("end", { result: 1 });
  await reading;

  assert.deepEqual(seen, [
    { type: "state", state: "uploading" }, { type: "progress", value: 999 }, { type: "state", state: "completed" }, { type: "end", result: 1 },
  ]);
});

test("a reader that leaves takes nothing with it", async () => {
  const emitter = new Emitter(["end"]);
  const reading = (async () => {
    for await (const event of emitter) return event;
    return null;
  })();
  await settled();

  emitter.emit("state", { state: "x" });

  assert.deepEqual(await reading, { type: "state", state: "x" });
});
