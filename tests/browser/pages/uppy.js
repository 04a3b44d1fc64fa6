/** A page with Uppy's Dashboard, whose uploads go by our plugin; tests read `seen`. */

import { Dashboard, Uppy } from "/builds/uppy-dashboard.js";
import { CoordinatorUploader } from "/js/uppy.js";

const endpoint = new URLSearchParams(location.search).get("endpoint");

async function session({ meta, ...asked }) {
  const answer = await fetch("/session", { method: "POST", body: JSON.stringify({ ...asked, album: meta.album }) });
  if (!answer.ok) throw new Error(`The backend refused: ${answer.status}`);
  return answer.json();
}

const uppy = new Uppy({ meta: { album: "seals" } })
  .use(Dashboard, { inline: true, target: "#dashboard", height: 400, disableThumbnailGenerator: true })
  .use(CoordinatorUploader, { endpoint, session });

window.seen = { progress: [], complete: null, errors: [] };
uppy.on("progress", (percent) => seen.progress.push(percent));
uppy.on("upload-error", (file, error) => seen.errors.push({ name: file.name, code: error.code, details: error.details }));
uppy.on("complete", ({ successful, failed }) => {
  seen.complete = {
    successful: successful.map(({ name, response }) => ({ name, uploadId: response.body.uploadId, root: response.body.root })),
    failed: failed.map(({ name }) => name),
  };
});
window.uppy = uppy;
document.title = "ready";
