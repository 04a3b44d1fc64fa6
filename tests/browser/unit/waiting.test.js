import assert from "node:assert/strict";
import { test } from "node:test";

import { Connection, delayMs, sleep } from "../../../coordinator/web/static/js/waiting.js";
import { never, settled, TestClock } from "./clock.js";

function connectionOf({ random = () => 1 } = {}) {
  const clock = new TestClock();
  const browser = { isOnline: true };
  const target = new EventTarget();
  const connection = new Connection({ clock, random, isOnline: () => browser.isOnline, target });
  const heard = [];
  const stop = connection.listen((isDown) => heard.push(isDown));
  const go = (isOnline) => {
    browser.isOnline = isOnline;
    target.dispatchEvent(new Event(isOnline ? "online" : "offline"));
  };
  return { clock, connection, heard, go, stop };
}

test("waits double up to a cap, and chance takes any part of them", () => {
  assert.deepEqual([0, 1, 2, 3].map((attempt) => delayMs(attempt, 1)), [300, 600, 1200, 2400]);
  assert.equal(delayMs(1000, 1), 15_000);
  assert.equal(delayMs(5, 0), 0);
});

test("a server's Retry-After is kept, and is no reason to wait for hours", () => {
  assert.ok(delayMs(0, 0, 7) >= 7000);
  assert.ok(delayMs(0, 1, 7) <= 7500);
  assert.ok(delayMs(0, 1, 86_400) <= 120_500);
});

test("a wait that is given up throws the reason and leaves no timer", async () => {
  const clock = new TestClock();
  const end = new AbortController();
  const waiting = sleep(1000, end.signal, clock);

  end.abort(new Error("enough"));

  await assert.rejects(waiting, /enough/);
  assert.deepEqual(clock.waits, []);
});

test("the word that the browser is online again ends a wait at once", async () => {
  const { clock, connection, go } = connectionOf({ random: () => 0 });
  go(false);
  let isOver = false;
  connection.wait(9, never).then(() => {
    isOver = true;
  });
  await settled();
  assert.deepEqual(clock.waits, [15_000]);

  go(true);
  await clock.advance(1);

  assert.ok(isOver);
});

test("while the browser says offline, it is asked again only by a probe now and then", async () => {
  const { clock, connection, go } = connectionOf();
  go(false);
  let isOver = false;
  connection.wait(0, never).then(() => {
    isOver = true;
  });

  await clock.advance(14_999);
  assert.equal(isOver, false);
  await clock.advance(1);

  assert.equal(isOver, true);
});

test("it is down after three requests without any answer, and up with the next answer", () => {
  const { connection, heard } = connectionOf();

  connection.failed();
  connection.failed();
  assert.equal(connection.isDown, false);
  connection.failed();
  assert.equal(connection.isDown, true);
  connection.answered();

  assert.deepEqual(heard, [true, false]);
});

test("the browser's word counts at once, both ways", () => {
  const { go, heard } = connectionOf();

  go(false);
  go(true);

  assert.deepEqual(heard, [true, false]);
});

test("who stops listening hears nothing more", () => {
  const { go, heard, stop } = connectionOf();

  stop();
  go(false);

  assert.deepEqual(heard, []);
});
