/**
 * Painting, once a frame: whatever changed several times in between is painted once.
 */

/** @type {Set<{ paint: () => void }>} */
const due = new Set();
let isAsked = false;

/** @param {{ paint: () => void }} view */
export function paintSoon(view) {
  due.add(view);
  if (isAsked) return;
  isAsked = true;
  requestAnimationFrame(() => {
    isAsked = false;
    const views = [...due];
    due.clear();
    for (const each of views) each.paint();
  });
}
