// The script of examples/fireflicks, run as its README says, with its own packages.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { after } from "node:test";

import { dev, example, repository, test } from "../hearth.js";

const hearth = await dev({ path: example("fireflicks") });
after(() => hearth.stop());

/** Runs the script to its end; resolves with what it printed. */
function play() {
  const cwd = join(repository, "examples/fireflicks");
  const child = spawn(join(cwd, "node_modules/.bin/tsx"), ["script.ts"], {
    cwd,
    env: { ...process.env, GCLOUD_PROJECT: hearth.project },
  });
  let printed = "";
  child.stdout.on("data", (chunk) => (printed += chunk));
  child.stderr.on("data", (chunk) => (printed += chunk));
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, printed })));
}

test("the story is told to its end, and can be told again", async () => {
  for (let times = 0; times < 2; times += 1) {
    const { code, printed } = await play();
    assert.equal(code, 0, printed);
    assert.equal(printed.match(/^• .*(may not|still not|reader again)/gm)?.length, 3, printed);
    assert.match(printed, /with a fresh token she adds Up/);
  }
});
