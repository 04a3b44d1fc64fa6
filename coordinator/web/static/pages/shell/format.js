/**
 * Numbers and times as people read them, in the browser's language.
 */

const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"];
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const one = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const two = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
const moments = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const ago = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

/**
 * @param {number} bytes
 * @returns {string} in powers of 1,000, as disks are sold: `1.5 GB`
 */
export function formatBytes(bytes) {
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const format = unit === 0 || value >= 100 ? whole : value >= 10 ? one : two;
  return `${format.format(value)}\u00a0${UNITS[unit]}`;
}

/** @param {number} bytesPerSecond */
export function formatSpeed(bytesPerSecond) {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/** @param {number} count */
export function formatCount(count) {
  return whole.format(count);
}

/**
 * @param {number} seconds
 * @returns {string} `42 s`, `3 min`, `1 h 20 min`, `2 days`; rough on purpose, so that it does not flicker
 */
export function formatSeconds(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))}\u00a0s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes}\u00a0min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours}\u00a0h` : `${hours}\u00a0h ${minutes % 60}\u00a0min`;
  return `${Math.round(hours / 24)}\u00a0days`;
}

/** @param {number | string | Date} moment */
export function formatMoment(moment) {
  return moments.format(new Date(moment));
}

/**
 * @param {number | string | Date} moment
 * @param {number} [now]
 * @returns {string} `5 minutes ago`
 */
export function formatAgo(moment, now = Date.now()) {
  const seconds = (new Date(moment).getTime() - now) / 1000;
  const size = Math.abs(seconds);
  if (size < 60) return ago.format(Math.round(seconds), "second");
  if (size < 3600) return ago.format(Math.round(seconds / 60), "minute");
  if (size < 86_400) return ago.format(Math.round(seconds / 3600), "hour");
  return ago.format(Math.round(seconds / 86_400), "day");
}

/**
 * @param {number} count
 * @param {string} one_ `file`
 * @param {string} [many] `files`
 */
export function plural(count, one_, many = `${one_}s`) {
  return `${formatCount(count)}\u00a0${count === 1 ? one_ : many}`;
}
