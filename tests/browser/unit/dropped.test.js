import assert from "node:assert/strict";
import { test } from "node:test";

import { filesOf, taking, walkEntry, walkHandle } from "../../../coordinator/web/static/js/dropped.js";

const harvested = () => ({ files: [], unreadable: [] });
const pathsOf = ({ files }) => files.map(({ path }) => path);

/** A tree as browsers show it in a drop: `{ "a.txt": "text", folder: { … } }`. */
function entryOf(name, content) {
  if (typeof content === "string") return { name, isFile: true, isDirectory: false, file: (found) => found(new File([content], name)) };
  const children = Object.entries(content).map(([child, inner]) => entryOf(child, inner));
  return {
    name, isFile: false, isDirectory: true,
    // Chromium hands out a hundred at a time.
    createReader: () => ({ readEntries: (found) => found(children.splice(0, 100)) }),
  };
}

function handleOf(name, content) {
  if (typeof content === "string") return { kind: "file", name, getFile: async () => new File([content], name) };
  return {
    kind: "directory", name,
    async *values() {
      for (const [child, inner] of Object.entries(content)) yield handleOf(child, inner);
    },
  };
}

const tree = { "a.txt": "1", deep: { er: { "b.txt": "2" } }, empty: {}, "naïve 🎈 <b>.txt": "3" };
const paths = ["top/a.txt", "top/deep/er/b.txt", "top/naïve 🎈 <b>.txt"];

test("a dropped folder is walked through, and each file has its path", async () => {
  const harvest = harvested();
  await walkEntry(entryOf("top", tree), "top", harvest);

  assert.deepEqual(pathsOf(harvest), paths);
  assert.equal(await harvest.files[1].file.text(), "2");
});

test("folders of more than a hundred files are read to their end", async () => {
  const harvest = harvested();
  const many = Object.fromEntries(Array.from({ length: 250 }, (_, at) => [`${at}.txt`, "x"]));

  await walkEntry(entryOf("top", many), "top", harvest);

  assert.equal(harvest.files.length, 250);
});

test("handles are walked through alike, and kept with their files", async () => {
  const harvest = harvested();
  await walkHandle(handleOf("top", tree), "top", harvest);

  assert.deepEqual(pathsOf(harvest), paths);
  assert.ok(harvest.files.every(({ handle, file }) => handle.name === file.name));
});

test("what cannot be read is named, and the rest is taken all the same", async () => {
  const harvest = harvested();
  const locked = handleOf("locked", {});
  locked.values = () => {
    throw new DOMException("no", "NotAllowedError");
  };
  const top = handleOf("top", {});
  top.values = async function* values() {
    yield locked;
    yield handleOf("a.txt", "1");
  };

  await walkHandle(top, "top", harvest);

  assert.deepEqual(pathsOf(harvest), ["top/a.txt"]);
  assert.deepEqual(harvest.unreadable.map(({ code, detail }) => [code, detail]), [["file-unreadable", "top/locked cannot be read."]]);
});

test("a fault of ours in between is no unreadable folder", async () => {
  const broken = { ...handleOf("a.txt", "1"), getFile: () => Promise.reject(new TypeError("ours")) };

  await assert.rejects(walkHandle(broken, "a.txt", harvested()), /ours/);
});

test("an item is taken at once, by handle before entry before file", async () => {
  const file = new File(["1"], "plain.txt");
  let isOver = false;
  const once = (value) => () => (isOver ? assert.fail("the drop is over") : value);
  const items = [
    { getAsFileSystemHandle: once(Promise.resolve(handleOf("by handle", "1"))), webkitGetAsEntry: once(entryOf("x", "1")), getAsFile: once(file) },
    { getAsFileSystemHandle: once(Promise.reject(new Error("made by a script"))), webkitGetAsEntry: once(entryOf("by entry", "1")), getAsFile: once(file) },
    { webkitGetAsEntry: once(null), getAsFile: once(file) },
    { getAsFile: once(null) },
  ];

  const walks = items.map(taking);
  isOver = true;
  const harvest = harvested();
  for (const walk of walks) await walk(harvest);

  assert.deepEqual(pathsOf(harvest), ["by handle", "by entry", "plain.txt"]);
});

test("files, handles, and what is to be resumed can be given in one list", async () => {
  const file = new File(["1"], "a.txt");
  const inFolder = Object.assign(new File(["2"], "b.txt"), { webkitRelativePath: "top/b.txt" });
  const resume = { uploadId: "upl_1" };

  const { files } = await filesOf([file, inFolder, { file, resume }, { file, path: "p/a.txt" }, handleOf("c.txt", "3")]);

  assert.deepEqual(files.map(({ path, resume: entry }) => [path, entry]), [
    ["a.txt", undefined], ["top/b.txt", undefined], ["a.txt", resume], ["p/a.txt", undefined], ["c.txt", undefined],
  ]);
});
