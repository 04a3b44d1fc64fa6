import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const here = path.dirname(import.meta.dirname);
const sources = path.join(here, "../../coordinator/web/static/js");
const tsc = path.join(here, "node_modules/.bin/tsc");
const run = promisify(execFile);

async function check(...options) {
  try {
    await run(tsc, options, { cwd: here });
  } catch (error) {
    assert.fail(error.stdout);
  }
}

test("the sources are as their types say, strictly", async () => {
  await check("-p", "jsconfig.json");
});

test("types/ is what the sources say: `npx tsc -p jsconfig.types.json` renews it", async () => {
  const fresh = await mkdtemp(path.join(tmpdir(), "types-"));
  try {
    await check("-p", "jsconfig.types.json", "--outDir", fresh);
    const names = (await readdir(fresh)).sort();

    assert.deepEqual((await readdir(path.join(sources, "types"))).sort(), names);
    for (const name of names) {
      const [kept, made] = await Promise.all([sources + "/types", fresh].map((folder) => readFile(path.join(folder, name), "utf8")));
      assert.equal(kept, made, `${name} is old`);
    }
  } finally {
    await rm(fresh, { recursive: true });
  }
});

test("a page in TypeScript can use all of it, and with the real Uppy", async () => {
  await check("--noEmit", "--strict", "--target", "es2024", "--module", "es2022", "--moduleResolution", "bundler",
    "--skipLibCheck", "--types", "", "unit/consumer.ts");
});

test("the package has no dependency, and names files that are there", async () => {
  const manifest = JSON.parse(await readFile(path.join(sources, "package.json"), "utf8"));
  const named = Object.values(manifest.exports).flatMap((entry) => (typeof entry === "string" ? [entry] : Object.values(entry)));

  assert.equal(manifest.dependencies, undefined);
  for (const file of [manifest.main, manifest.types, ...named]) await readFile(path.join(sources, file));
});

test("no module imports anything but its neighbours, and none is long", async () => {
  for (const name of (await readdir(sources)).filter((each) => each.endsWith(".js"))) {
    const text = await readFile(path.join(sources, name), "utf8");
    const imported = [...text.matchAll(/^(?:import|export) .*from "([^"]+)"/gm)].map(([, from]) => from);

    assert.deepEqual(imported.filter((from) => !/^\.\/[a-z0-9-]+\.js$/.test(from)), [], name);
    assert.ok(text.split("\n").length <= 301, `${name} has ${text.split("\n").length} lines`);
  }
});
