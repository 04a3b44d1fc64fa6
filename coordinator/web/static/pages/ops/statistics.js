/**
 * Counts over time, with every period in them: the service leaves out those in which nothing happened.
 */

import { call } from "../shell.js";

/**
 * @typedef {object} Count
 * @property {string} key
 * @property {string} period
 * @property {number} opened
 * @property {number} completed
 * @property {number} failed
 * @property {number} bytes
 *
 * @typedef {object} Range
 * @property {string} text
 * @property {"hour" | "day" | "month"} every
 * @property {number} periods
 */

/** @type {Record<string, Range>} by their name in the query */
export const RANGES = {
  "2d": { text: "48 hours", every: "hour", periods: 48 },
  "7d": { text: "7 days", every: "hour", periods: 168 },
  "30d": { text: "30 days", every: "day", periods: 30 },
  "12m": { text: "12 months", every: "month", periods: 12 },
};

const HOUR_MS = 3_600_000;

/**
 * @param {Range} range
 * @param {number} now
 * @returns {string[]} in UTC as the service spells them: `2026-11-28T04`, `2026-11-28`, `2026-11`
 */
export function periodsOf({ every, periods }, now) {
  const date = new Date(now);
  return Array.from({ length: periods }, (_, index) => {
    const back = periods - 1 - index;
    if (every === "hour") return new Date(now - back * HOUR_MS).toISOString().slice(0, 13);
    if (every === "day") return new Date(now - back * 24 * HOUR_MS).toISOString().slice(0, 10);
    return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() - back, 1)).toISOString().slice(0, 7);
  });
}

/**
 * @param {object} wanted
 * @param {Range} wanted.range
 * @param {string} wanted.by
 * @param {string | null} [wanted.tenant] null: all that the key may see
 * @param {"hour" | "day" | "month"} [wanted.every]
 * @param {AbortSignal} signal
 * @returns {Promise<Count[]>} all pages
 */
export async function readCounts({ range, by, tenant = null, every = range.every }, signal) {
  const [first] = periodsOf(range, Date.now());
  const query = new URLSearchParams({ by, every, from: first.slice(0, 10).padEnd(10, "-01") });
  if (tenant !== null) query.set("tenant", tenant);
  /** @type {Count[]} */
  const rows = [];
  for (;;) {
    const answer = await call(`/api/stats?${query}`, { signal });
    rows.push(...answer.rows);
    if (answer.nextCursor === null) return rows;
    query.set("to", answer.to);
    query.set("cursor", answer.nextCursor);
  }
}

/** @param {readonly Count[]} rows */
export function sumOf(rows) {
  const sum = { opened: 0, completed: 0, failed: 0, bytes: 0 };
  for (const row of rows) {
    sum.opened += row.opened;
    sum.completed += row.completed;
    sum.failed += row.failed;
    sum.bytes += row.bytes;
  }
  return sum;
}

const hours = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });
const days = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
const months = new Intl.DateTimeFormat(undefined, { month: "short", year: "2-digit", timeZone: "UTC" });
const wholeHours = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const wholeDays = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeZone: "UTC" });
const wholeMonths = new Intl.DateTimeFormat(undefined, { month: "long", year: "numeric", timeZone: "UTC" });

/**
 * @param {string} period
 * @returns {{ label: string, title: string }} hours as the clock on the wall has them, days as UTC has them
 */
export function namesOf(period) {
  if (period.length === 13) {
    const moment = new Date(`${period}:00:00Z`);
    return { label: hours.format(moment), title: wholeHours.format(moment) };
  }
  const [short, long] = period.length === 10 ? [days, wholeDays] : [months, wholeMonths];
  const moment = new Date(period.padEnd(10, "-01"));
  return { label: short.format(moment), title: long.format(moment) };
}
