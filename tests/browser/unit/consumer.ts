/** What users write, for the compiler alone: types.test.js checks it. */

import Uppy from "@uppy/core";

import { forget, openUploads, Upload, UploadError, Uploads } from "../../../coordinator/web/static/js/types/coordinator.js";
import CoordinatorUploader from "../../../coordinator/web/static/js/types/uppy.js";

async function session(request: { fileName: string; resumeKey: string; uploadId: string | null; reason: string }) {
  const response = await fetch("/uploads", { method: "POST", body: JSON.stringify(request) });
  if (!response.ok) throw await UploadError.from(response);
  return (await response.json()) as { uploadId: string; token: string };
}

export async function one(file: File): Promise<string | null> {
  const upload = new Upload(file, { session, parallel: { max: 6 } });
  const off: () => void = upload.on("progress", ({ uploadedBytes, secondsLeft }) => console.log(uploadedBytes + (secondsLeft ?? 0)));
  upload.on("chunk", ({ chunkIndex, state, error }) => console.log(chunkIndex, state === "retrying" ? error?.advice : ""));
  // @ts-expect-error there is no such event
  upload.on("progres", () => {});
  for await (const event of upload) if (event.type === "failed") console.log(event.error.code);
  off();
  return (await upload.start()).root;
}

export async function many(list: DataTransferItemList): Promise<number> {
  const uploads = new Uploads({ session, filesAtOnce: 4 });
  uploads.on("done", ({ failed }) => console.log(failed));
  await uploads.add(list, { session });
  return [...uploads].filter(({ state }) => state === "completed").length;
}

export async function again(file: File): Promise<void> {
  const [entry] = await openUploads({ endpoint: "https://coordinator.example" });
  await new Upload(file, { session, resume: entry }).start();
  await forget(entry);
}

// @ts-expect-error an upload without a session cannot be opened
new Upload(new File([], "x"), {});

new Uppy().use(CoordinatorUploader, { session: ({ meta, ...request }) => session({ ...request, fileName: String(meta.name) }) });
