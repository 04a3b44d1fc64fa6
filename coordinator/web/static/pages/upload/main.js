/**
 * The upload page: puts its parts together, and files into the queue.
 */

import { openUploads, Uploads } from "../../js/coordinator.js";
import { filesOf } from "../../js/dropped.js";
import { announce, call, formatBytes, h, plural, Problem, setText, startShell } from "../shell.js";
import { chooseFiles, dropZone } from "./choosing.js";
import { FoundUploads, hold } from "./found.js";
import { JobWatch } from "./job-watch.js";
import { UploadList } from "./list.js";
import { sessionByKey, sessionByToken } from "./session.js";
import { WishForm } from "./wish.js";

/**
 * @typedef {import("../../js/coordinator.js").Upload} Upload
 * @typedef {import("../../js/dropped.js").Source} Source
 * @typedef {import("../../js/dropped.js").FoundFile} FoundFile
 * @typedef {import("../../js/remembered.js").Entry} Entry
 * @typedef {Partial<import("../../js/options.js").OwnOptions>} Options
 */

const order = new Intl.Collator(undefined, { numeric: true });
const OVER = new Set(["completed", "failed", "cancelled"]);

const shell = await startShell({
  tab: "upload",
  onRenewed: () => {
    watch.goOn();
    for (const upload of uploads) if (upload.error?.code === "unauthenticated") uploads.retry(upload);
  },
});
const isOne = shell.me.uploadId !== null;
/** @type {WeakMap<Upload, Options>} */
const optionsOf = new WeakMap();
const notice = h("p", { class: "notice", "data-tone": "warn", role: "alert", hidden: true });
const otherFile = h("input", { type: "file", id: "other-file", class: "unseen", tabIndex: -1, "aria-hidden": "true" });
const wish = isOne ? null : new WishForm();
const watch = new JobWatch();
const uploads = new Uploads({ session: isOne ? sessionByToken(shell) : sessionByKey(shell, {}), remember: !isOne });
const list = new UploadList(uploads, { chooseAgain, onRemoved: () => found.look() }, { watch, mayRead: () => shell.me.may.read !== undefined });
const found = new FoundUploads({
  onFile: goOn,
  say,
  isHere: (uploadId) => [...uploads].some((upload) => (upload.uploadId ?? optionsOf.get(upload)?.resume?.uploadId) === uploadId),
});
const zone = dropZone({ onChosen: take, isOne });
const start = h("div", { class: wish === null ? "start start-one" : "start" }, zone.element, wish?.element);

document.querySelector("main")?.append(
  h("div", { class: "page-head" },
    h("h1", null, "Upload"),
    h("p", { class: "soft" }, "Files go from this browser straight to storage. Every chunk is hashed here and proven there.")),
  start,
  notice, found.element, list.element, otherFile);
addEventListener("beforeunload", (event) => {
  if ([...uploads].some(({ state }) => !OVER.has(state))) event.preventDefault();
});

if (isOne) await introduceOne();
else await introduce();

async function introduce() {
  zone.say("Drop files or folders here", "Or paste them. What breaks off can be gone on with, also after a restart.");
  if (shell.me.may.open === undefined) {
    start.hidden = true;
    say("This key may look, but not upload. Ask for one with the role “uploader”, or go to Operations.");
    return;
  }
  const count = await found.look();
  if (count > 0) announce(`${plural(count, "upload")} of an earlier visit can be finished.`, "found");
}

/** Say which file the link is for, or that it has arrived. */
async function introduceOne() {
  try {
    const { fileName, fileSize, status } = await call(`/api/upload/status/${encodeURIComponent(/** @type {string} */ (shell.me.uploadId))}`);
    if (status === "COMPLETED" || status === "FAILED") {
      start.hidden = true;
      if (status === "COMPLETED") say(`${fileName} has been uploaded and proven. There is nothing left to do.`, "good");
      else say("This upload was ended. Ask whoever gave you the link for a new one.");
      return;
    }
    uploads.on("done", ({ completed }) => {
      start.hidden = completed > 0;
    });
    zone.say(`Drop ${fileName} here`, `This link is for one file of ${formatBytes(fileSize)}. If the upload breaks off, choose the file again: only what is missing is sent.`);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    say(error.detail);
  }
}

/** Take files in. Called inside the event that brought them: the source is read before anything else. */
async function take(/** @type {Source} */ source) {
  const harvesting = filesOf(source);
  notice.hidden = true;
  const metadata = wish === null ? {} : wish.metadata;
  const { files, unreadable } = await harvesting;
  if (metadata === null) {
    say("The schema has to be mended first. Then add the files again.");
    return;
  }
  // Folders come in whatever order the disk has them.
  files.sort((a, b) => order.compare(a.path, b.path));
  if (files.length === 0 && unreadable.length === 0) say("There was no file in that: folders that are empty have nothing to upload.");
  for (const error of unreadable) say(`${error.detail} ${error.advice}`);
  if (isOne && files.length > 1) {
    say("This link is for one file. Choose that one alone.");
    return;
  }
  /** @type {FoundFile[]} */
  const plain = [];
  const fresh = files.filter((each) => !isUnderWay(each));
  if (fresh.length < files.length) say(`${plural(files.length - fresh.length, "file")} already in the list and on the way: not added again.`);
  for (const each of fresh) {
    const entry = found.match(each);
    if (entry === null) {
      plain.push(each);
      continue;
    }
    found.withdraw(entry);
    await goOn(each, entry);
  }
  await enqueue(plain, isOne ? {} : { session: sessionByKey(shell, metadata) });
}

/** The same file twice would be one upload with two senders. */
function isUnderWay(/** @type {FoundFile} */ { file, path }) {
  return [...uploads].some((upload) => !OVER.has(upload.state) && upload.path === path
    && upload.file.size === file.size && upload.file.lastModified === file.lastModified);
}

/** Go on with an upload of an earlier visit. Whether it is the same file is proven first. */
async function goOn(/** @type {FoundFile} */ file, /** @type {Entry} */ entry) {
  await enqueue([{ ...file, path: entry.path }], { resume: entry });
}

async function enqueue(/** @type {FoundFile[]} */ files, /** @type {Options} */ options) {
  const added = await uploads.add(files, options);
  for (const upload of added) {
    optionsOf.set(upload, options);
    holdWhileOpen(upload);
  }
  if (added.length > 0) list.add(added);
}

function holdWhileOpen(/** @type {Upload} */ upload) {
  /** @type {(() => void) | null} */
  let release = null;
  upload.on("state", ({ state }) => {
    if (OVER.has(state)) {
      release?.();
      release = null;
    } else if (release === null && upload.uploadId !== null) {
      hold(upload.uploadId, new Promise((resolve) => {
        release = () => resolve(undefined);
      }));
    }
  });
}

/** A file that cannot be gone on with is chosen again, by a click on its row. */
function chooseAgain(/** @type {Upload} */ upload) {
  const onChosen = async (/** @type {Source} */ source) => {
    const { files: [file] } = await filesOf(source);
    if (file !== undefined) await replace(upload, file);
  };
  otherFile.onchange = () => {
    const [...files] = otherFile.files ?? [];
    otherFile.value = "";
    if (files.length > 0) onChosen(files);
  };
  chooseFiles({ isOne: true, input: otherFile, onChosen });
}

async function replace(/** @type {Upload} */ upload, /** @type {FoundFile} */ file) {
  const { error, uploadId } = upload;
  // Of a file that changed, half was sent as it was: that upload is given up, and a new one begun.
  const entry = error?.code === "file-changed" ? undefined
    : (await openUploads()).find((each) => each.uploadId === uploadId);
  if (error?.code === "file-changed") await upload.cancel();
  const { resume: _resume, ...options } = optionsOf.get(upload) ?? {};
  if (entry === undefined) await enqueue([file], options);
  else await goOn(file, entry);
  list.remove(upload);
}

/** Show a sentence above the list, and have it read out. */
function say(/** @type {string} */ text, /** @type {"good" | "warn"} */ tone = "warn") {
  notice.dataset.tone = tone;
  setText(notice, text);
  notice.hidden = false;
}
