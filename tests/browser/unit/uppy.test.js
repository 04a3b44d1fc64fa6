import assert from "node:assert/strict";
import { test } from "node:test";

import Uppy from "@uppy/core";

import { CoordinatorUploader } from "../../../coordinator/web/static/js/uppy.js";
import { refusedBy, STORED, Wire } from "./wire.js";

/** The real Uppy, without its user interface, over a wire. */
function uppyOf(options = {}) {
  const wire = new Wire({ text: "xxx" });
  const logger = { debug() {}, warn() {}, error() {} };
  const uppy = new Uppy({ logger, meta: { album: "seals" } }).use(CoordinatorUploader, { ...wire.options, ...options });
  const add = (name) => uppy.addFile({ name, type: "text/plain", data: new File(["xxx"], name, { lastModified: 1 }) });
  return { wire, uppy, add };
}

test("Uppy's files are uploaded, and each has its result", async () => {
  const { wire, uppy, add } = uppyOf();
  add("a.txt");
  add("b.txt");

  const { value } = await wire.over(uppy.upload());

  assert.deepEqual(value.failed, []);
  assert.deepEqual(value.successful.map(({ name, response }) => [name, response.body.root]), [["a.txt", "root-1"], ["b.txt", "root-1"]]);
  assert.deepEqual(uppy.getFiles().map(({ progress }) => [progress.uploadComplete, progress.bytesTotal]), [[true, 3], [true, 3]]);
});

test("the session is told the file's meta, and its name in Uppy", async () => {
  const { wire, uppy, add } = uppyOf();
  const id = add("a.txt");
  uppy.setFileState(id, { name: "renamed.txt" });

  await wire.over(uppy.upload());

  const [{ fileName, meta }] = wire.sessions;
  assert.deepEqual([fileName, meta.album], ["renamed.txt", "seals"]);
});

test("a failure is Uppy's, with advice, and a retry goes on where it was", async () => {
  const { wire, uppy, add } = uppyOf();
  wire.s3 = async () => refusedBy(405, "MethodNotAllowed");
  const id = add("a.txt");
  const seen = [];
  uppy.on("upload-error", (file, { code, details }) => seen.push([file.name, code, details]));

  const { value } = await wire.over(uppy.upload());
  assert.equal(value.failed.length, 1);
  wire.s3 = async () => STORED;
  const again = await wire.over(uppy.retryUpload(id));

  assert.deepEqual(seen.map(([name, code]) => [name, code]), [["a.txt", "s3-refused"]]);
  assert.match(seen[0][2], /Try again/);
  assert.equal(again.value.successful.length, 1);
  assert.equal(wire.sessions.length, 1);
});

test("a session that throws at once is a failure like any other", async () => {
  const session = () => {
    throw new Error("logged out");
  };
  const { wire, uppy, add } = uppyOf({ session, resumeKey: "given" });
  add("a.txt");

  const { value } = await wire.over(uppy.upload());

  assert.match(value.failed[0].error, /did not open the upload/);
});

test("pause, resume, and removal are passed on", async () => {
  const { wire, uppy, add } = uppyOf();
  wire.s3 = () => new Promise(() => {});
  const [first, second] = [add("a.txt"), add("b.txt")];
  const done = uppy.upload();
  await wire.until(() => wire.puts.length === 2);

  uppy.pauseAll();
  await wire.clock.advance(1000);
  wire.s3 = () => STORED;
  uppy.removeFile(second);
  uppy.resumeAll();

  const { value } = await wire.over(done);
  assert.deepEqual(value.successful.map(({ id }) => id), [first]);
  assert.equal(wire.calls.filter((call) => call.startsWith("DELETE")).length, 1);
});

test("Uppy knows that it can pause, and forgets it without the plugin", () => {
  const { uppy } = uppyOf();
  assert.equal(uppy.getState().capabilities.resumableUploads, true);

  uppy.removePlugin(uppy.getPlugin("Coordinator"));

  assert.equal(uppy.getState().capabilities.resumableUploads, false);
});
