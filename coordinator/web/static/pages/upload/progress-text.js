/**
 * How far something is, in figures for the eye and in words for the ear.
 */

import { formatBytes, formatSeconds, formatSpeed } from "../shell.js";

/** @typedef {{ uploadedBytes: number, totalBytes: number, bytesPerSecond: number, secondsLeft: number | null }} Far */

/** @param {Far} progress */
export function percentOf({ uploadedBytes, totalBytes }) {
  if (totalBytes === 0) return 0;
  const share = (100 * uploadedBytes) / totalBytes;
  // Nothing is all there before it is all there.
  return uploadedBytes >= totalBytes ? 100 : Math.min(99, Math.floor(share));
}

/**
 * @param {Far} progress
 * @param {{ isMoving: boolean }} how
 * @returns {string} `42 % · 1.2 GB of 3 GB · 83 MB/s · 25 s left`
 */
export function progressText(progress, { isMoving }) {
  const { uploadedBytes, totalBytes, bytesPerSecond, secondsLeft } = progress;
  const parts = [`${percentOf(progress)}\u00a0%`, `${formatBytes(uploadedBytes)} of ${formatBytes(totalBytes)}`];
  if (isMoving && bytesPerSecond > 0) parts.push(formatSpeed(bytesPerSecond));
  if (isMoving && secondsLeft !== null && secondsLeft > 0) parts.push(`${formatSeconds(secondsLeft)} left`);
  return parts.join(" · ");
}
