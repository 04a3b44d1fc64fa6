import assert from "node:assert/strict";
import { test } from "node:test";

import { Lanes } from "../../../coordinator/web/static/js/lanes.js";
import { never, settled, TestClock } from "./clock.js";

/** Keep all lanes busy for some time on a network whose speed depends on how many are. */
async function drive(lanes, clock, speedOf, seconds) {
  const held = [];
  const limits = [];
  const fill = async () => {
    while (lanes.active < lanes.limit) held.push(await lanes.acquire(never));
  };
  await fill();
  // Somebody always waits, as in an upload that has more to send.
  const waiting = new AbortController();
  const place = lanes.acquire(waiting.signal).then((leave) => held.push(leave), () => {});
  for (let step = 0; step < seconds * 20; step += 1) {
    await clock.advance(50);
    lanes.moved(speedOf(lanes.active) / 20);
    await fill();
    limits.push(lanes.limit);
  }
  waiting.abort();
  await place;
  for (const leave of held) leave();
  return limits;
}

test("places are given in order, and no more than the limit", async () => {
  const lanes = new Lanes({ start: 2, max: 2, clock: new TestClock() });
  const entered = [];
  const enter = async (name) => {
    const leave = await lanes.acquire(never);
    entered.push(name);
    return leave;
  };
  const first = await enter("first");
  await enter("second");
  const third = enter("third");
  enter("fourth");
  await settled();
  assert.deepEqual(entered, ["first", "second"]);

  first();
  (await third)();
  await settled();

  assert.deepEqual(entered, ["first", "second", "third", "fourth"]);
  assert.equal(lanes.active, 2);
});

test("a place is given back once, however often that is said", async () => {
  const lanes = new Lanes({ start: 2, max: 2, clock: new TestClock() });
  const leave = await lanes.acquire(never);
  await lanes.acquire(never);

  leave();
  leave();

  assert.equal(lanes.active, 1);
});

test("who gives up waiting leaves the queue, and takes no place", async () => {
  const lanes = new Lanes({ start: 1, max: 1, clock: new TestClock() });
  const leave = await lanes.acquire(never);
  const end = new AbortController();
  const waiting = lanes.acquire(end.signal);

  end.abort(new Error("gone"));
  await assert.rejects(waiting, /gone/);
  leave();

  assert.equal(lanes.active, 0);
});

test("it grows while more lanes carry more, and stops where they do not", async () => {
  const clock = new TestClock();
  const lanes = new Lanes({ clock });

  const limits = await drive(lanes, clock, (active) => 1_000_000 * Math.min(active, 6), 20);

  const settledAt = limits.slice(-100);
  assert.ok(Math.min(...settledAt) >= 5 && Math.max(...settledAt) <= 9, `${limits.join(" ")}`);
});

test("where one lane fills the network, it does not pile up more", async () => {
  const clock = new TestClock();
  const lanes = new Lanes({ clock });

  const limits = await drive(lanes, clock, () => 1_000_000, 30);

  assert.ok(Math.max(...limits) <= 5, `${limits.join(" ")}`);
});

test("a failure halves it, several at once halve it once, and never below the least", async () => {
  const clock = new TestClock();
  const lanes = new Lanes({ start: 8, clock, min: 3 });

  lanes.failed();
  lanes.failed();
  assert.equal(lanes.limit, 4);
  await clock.advance(2000);
  lanes.failed();

  assert.equal(lanes.limit, 3);
});

test("after a failure it grows again, when the network allows", async () => {
  const clock = new TestClock();
  const lanes = new Lanes({ start: 8, clock });
  lanes.failed();

  const limits = await drive(lanes, clock, (active) => 1_000_000 * active, 60);

  assert.ok(Math.max(...limits) >= 8, `${limits.join(" ")}`);
});

test("bounds that cannot be kept are refused", () => {
  assert.throws(() => new Lanes({ min: 0, clock: new TestClock() }), RangeError);
  assert.throws(() => new Lanes({ min: 5, max: 4, clock: new TestClock() }), RangeError);
});
