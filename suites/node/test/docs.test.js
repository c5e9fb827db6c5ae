// The test that docs/rules-testing.md shows, as it stands there, run as it says.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { binary, folder, repository, test } from "../hearth.js";

/** The first block of a language on a page. */
const block = (page, language) => page.split(`\`\`\`${language}\n`)[1].split("\n```")[0];

test("the page about testing rules works as it stands", () => {
  const page = readFileSync(join(repository, "docs/rules-testing.md"), "utf8");
  const project = folder({
    "firebase.json": "{}",
    "package.json": '{ "type": "module" }',
    "firestore.rules": block(page, "rules"),
    "rules.test.js": block(page, "js"),
  });
  symlinkSync(join(repository, "suites/node/node_modules"), join(project, "node_modules"));
  const command = page.match(/hearth (exec .*node --test)/)[1].split(" ");
  const { NODE_TEST_CONTEXT, ...env } = process.env;
  const run = spawnSync(binary, command, { cwd: project, env, encoding: "utf8" });
  assert.equal(run.status, 0, run.stdout + run.stderr);
  assert.match(run.stdout, /pass 1/);
  assert.match(run.stderr, /deny +jose +get \/notes\/maria/);
});
