import assert from "node:assert/strict";
import { test } from "node:test";

import { Meter, Speed } from "../../../coordinator/web/static/js/progress.js";

function meterAt(start = 0) {
  const clock = { now: start };
  const meter = new Meter({ totalBytes: 100, now: () => clock.now });
  meter.totalChunks = 4;
  return { clock, meter };
}

test("what was shown is never taken back, whatever fails", () => {
  const { meter } = meterAt();
  const shown = [];
  const look = () => shown.push(meter.look().uploadedBytes);

  meter.moving(0, 20);
  look();
  meter.failed(0);
  look();
  meter.moving(0, 5);
  look();
  meter.arrived(0, 25);
  look();
  meter.lost(0);
  look();
  meter.arrived(0, 25);
  meter.moving(1, 10);
  look();

  assert.deepEqual(shown, [20, 20, 20, 25, 25, 35]);
});

test("a chunk that arrives twice counts once", () => {
  const { meter } = meterAt();

  meter.arrived(2, 25);
  meter.arrived(2, 25);

  assert.equal(meter.look().uploadedBytes, 25);
  assert.deepEqual(meter.look().chunks, { uploaded: 1, total: 4 });
});

test("a restart of the same file counts from nothing, and shows no step back", () => {
  const { meter } = meterAt();
  meter.arrived(0, 25);
  meter.arrived(1, 25);
  meter.look();

  meter.reset();
  meter.arrived(0, 25);

  assert.equal(meter.look().uploadedBytes, 50);
  assert.equal(meter.look().chunks.uploaded, 1);
});

test("speed is of what moved, and time left follows from it", () => {
  const { clock, meter } = meterAt();
  for (let step = 0; step <= 5; step += 1) {
    meter.moving(0, 10 * step);
    clock.now += 1000;
  }

  const { bytesPerSecond, secondsLeft } = meter.look();

  assert.equal(bytesPerSecond, 8);
  assert.equal(secondsLeft, Math.ceil(50 / 8));
});

test("an upload that has not moved says that nobody knows how long it takes", () => {
  const { meter } = meterAt();

  assert.deepEqual([meter.look().bytesPerSecond, meter.look().secondsLeft], [0, null]);
});

test("a finished upload has no seconds left, even if nothing was measured", () => {
  const { meter } = meterAt();
  meter.arrived(0, 100);

  assert.equal(meter.look().secondsLeft, 0);
});

test("speed forgets what is longer ago than ten seconds, and a stall slows it down", () => {
  const clock = { now: 0 };
  const speed = new Speed(() => clock.now);
  for (let step = 0; step < 100; step += 1) {
    speed.moved(step < 50 ? 1000 : 100);
    clock.now += 500;
  }

  const steady = speed.bytesPerSecond;
  clock.now += 10_000;

  assert.ok(Math.abs(steady - 200) < 25, `${steady} is not near 200`);
  assert.ok(speed.bytesPerSecond < 120, "a stall shows");
});
