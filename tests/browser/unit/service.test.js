import assert from "node:assert/strict";
import { test } from "node:test";

import { Service } from "../../../coordinator/web/static/js/service.js";
import { Connection } from "../../../coordinator/web/static/js/waiting.js";
import { never, TestClock } from "./clock.js";

const json = (body, status = 200, headers = {}) => new Response(JSON.stringify(body), { status, headers });
const lost = () => Promise.reject(new TypeError("Failed to fetch"));

/** A service whose transport answers from a list; the last answer repeats. */
function serviceOf(answers, { renew = () => Promise.reject(new Error("not asked for")), patienceMs = 10_000 } = {}) {
  const clock = new TestClock();
  const browser = { isOnline: true };
  const connection = new Connection({ clock, random: () => 1, isOnline: () => browser.isOnline });
  const requests = [];
  const warnings = [];
  const service = new Service({
    endpoint: "https://coordinator.example/",
    clock,
    connection,
    renew,
    patienceMs,
    warn: (error) => warnings.push(error.code),
    fetch: async (url, { method, headers, body }) => {
      requests.push({ url, method, token: headers.Authorization, body: body && JSON.parse(body) });
      return (answers.length > 1 ? answers.shift() : answers[0])();
    },
  });
  service.token = "ut_1";
  return { browser, clock, requests, service, warnings };
}

/** Follow a promise while the clock moves on. */
async function over(promise, clock, ms) {
  let outcome;
  promise.then((value) => (outcome = { value }), (error) => (outcome = { error }));
  for (let passed = 0; passed < ms && outcome === undefined; passed += 250) await clock.advance(250);
  return outcome;
}

test("a request carries the token in its header, and nothing in its address", async () => {
  const { requests, service } = serviceOf([() => json({ ok: 1 })]);

  await service.sign("upl_1", [{ index: 4, digest: "ab" }], { force: false, signal: never });

  assert.deepEqual(requests, [{
    url: "https://coordinator.example/api/upload/urls",
    method: "POST",
    token: "Bearer ut_1",
    body: { uploadId: "upl_1", force: false, chunks: [{ chunkIndex: 4, sha256: "ab" }] },
  }]);
});

test("a service that is busy is asked again when it says, and each time is told", async () => {
  const busy = () => json({ code: "unavailable", detail: "x" }, 503, { "Retry-After": "2" });
  const { clock, requests, service, warnings } = serviceOf([busy, busy, () => json({ fine: true })]);

  const asked = service.status("upl_1", never);
  await clock.advance(1999);
  assert.equal(requests.length, 1);

  assert.deepEqual(await over(asked, clock, 10_000), { value: { fine: true } });
  assert.deepEqual(warnings, ["unavailable", "unavailable"]);
});

test("a service that answers nothing but errors is given up after a while", async () => {
  const { clock, service } = serviceOf([() => json({ code: "unavailable", detail: "x" }, 503)]);

  const { error } = await over(service.status("upl_1", never), clock, 60_000);

  assert.equal(error.code, "unavailable");
  assert.ok(clock.now() >= 10_000);
});

test("a refusal is final at once", async () => {
  const { requests, service } = serviceOf([() => json({ code: "wrong-phase", phase: "FAILED", detail: "x" }, 409)]);

  await assert.rejects(service.complete("upl_1", never), { code: "wrong-phase", retryable: false });
  assert.equal(requests.length, 1);
});

test("a service that was reached before may be away for hours", async () => {
  const { clock, service } = serviceOf([() => json({}), ...Array.from({ length: 500 }, () => lost), () => json({ back: true })]);
  await service.status("upl_1", never);

  const outcome = await over(service.status("upl_1", never), clock, 4 * 3_600_000);

  assert.deepEqual(outcome, { value: { back: true } });
  assert.ok(clock.now() > 3_600_000);
});

test("a service that was never reached is most likely the wrong address: that ends", async () => {
  const { clock, service } = serviceOf([lost]);

  const { error } = await over(service.status("upl_1", never), clock, 60_000);

  assert.equal(error.code, "network");
});

test("while the browser is offline, time does not count", async () => {
  const { browser, clock, service, warnings } = serviceOf([...Array.from({ length: 20 }, () => lost), () => json({ back: true })]);
  browser.isOnline = false;

  const outcome = await over(service.status("upl_1", never), clock, 3_600_000);

  assert.deepEqual(outcome, { value: { back: true } });
  assert.ok(warnings.every((code) => code === "offline"));
});

test("an answer that breaks off is asked for again", async () => {
  const { clock, service } = serviceOf([() => new Response('{"chunks": ['), () => json({ whole: true })]);

  assert.deepEqual(await over(service.status("upl_1", never), clock, 10_000), { value: { whole: true } });
});

test("the end of a token is met with one new one, for all requests that met it", async () => {
  let renewals = 0;
  const renew = async () => {
    renewals += 1;
    return "ut_2";
  };
  const ended = () => json({ code: "unauthenticated", detail: "x" }, 401);
  const { requests, service } = serviceOf([ended, ended, () => json({ fine: true })], { renew });

  const answers = await Promise.all([service.status("upl_1", never), service.status("upl_1", never)]);

  assert.deepEqual(answers, [{ fine: true }, { fine: true }]);
  assert.equal(renewals, 1);
  assert.deepEqual(requests.map(({ token }) => token), ["Bearer ut_1", "Bearer ut_1", "Bearer ut_2", "Bearer ut_2"]);
});

test("a request that meets the end late takes the token that is there by then", async () => {
  let renewals = 0;
  const renew = async () => `ut_${(renewals += 1) + 1}`;
  const ended = () => json({ code: "unauthenticated", detail: "x" }, 401);
  let release;
  const late = new Promise((resolve) => (release = resolve));
  const { clock, requests, service } = serviceOf([ended, () => late.then(ended), () => json({ fine: true })], { renew });

  const [first, second] = [service.status("upl_1", never), service.status("upl_1", never)];
  await first;
  release();

  assert.deepEqual(await over(second, clock, 1000), { value: { fine: true } });
  assert.equal(renewals, 1);
  assert.equal(requests.at(-1).token, "Bearer ut_2");
});

test("a service that takes no new token either is believed", async () => {
  let renewals = 0;
  const { service } = serviceOf([() => json({ code: "unauthenticated", detail: "x" }, 401)], {
    renew: async () => `ut_${(renewals += 1)}`,
  });

  await assert.rejects(service.status("upl_1", never), { code: "unauthenticated" });
  assert.equal(renewals, 2);
});

test("whoever ends a request ends its waiting, too, with the reason", async () => {
  const { clock, service } = serviceOf([() => json({ code: "unavailable", detail: "x" }, 503)]);
  const end = new AbortController();

  const asked = over(service.status("upl_1", end.signal), clock, 5000);
  await clock.advance(1);
  end.abort(new Error("paused"));

  assert.match((await asked).error.message, /paused/);
});

test("nothing of an address or a token gets into an error", async () => {
  const { clock, service } = serviceOf([lost]);

  const { error } = await over(service.status("upl_1", never), clock, 60_000);

  assert.doesNotMatch(`${error.message} ${error.detail} ${error.advice} ${JSON.stringify(error)}`, /ut_1|coordinator\.example/);
});
