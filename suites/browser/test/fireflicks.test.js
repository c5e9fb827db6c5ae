// The page of examples/fireflicks: a moderator sees what is for moderators, and makes another one with `addAdmin`.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, realpathSync, symlinkSync } from "node:fs";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { dev, folder, repository } from "../../node/hearth.js";
import { profile } from "../browser.js";

const example = join(repository, "examples/fireflicks");

let hearth;
let web;
let address;
before(async () => {
  const path = folder({});
  for (const file of ["firebase.json", ".firebaserc", "firestore.rules", "firestore.indexes.json", "storage.rules", "hearth.toml", "functions/index.js", "functions/package.json"]) {
    cpSync(join(example, file), join(path, file));
  }
  symlinkSync(realpathSync(join(repository, "suites/node/node_modules")), join(path, "functions/node_modules"));
  hearth = await dev({ path });
  const env = {
    ...process.env,
    PORT: "0",
    GCLOUD_PROJECT: hearth.project,
    FIREBASE_AUTH_EMULATOR_HOST: hearth.auth,
    FIRESTORE_EMULATOR_HOST: hearth.firestore,
    FUNCTIONS_EMULATOR_HOST: `127.0.0.1:${hearth.ready.ports.functions}`,
  };
  web = spawn(process.execPath, ["serve.js"], { cwd: example, env, stdio: ["ignore", "pipe", "inherit"] });
  address = await new Promise((resolve, reject) => {
    createInterface({ input: web.stdout }).once("line", resolve);
    web.once("exit", (code) => reject(new Error(`serve.js ended with ${code}`)));
  });
});
after(async () => {
  web?.kill();
  await hearth?.stop();
});

async function signedIn(name, role) {
  const page = await (await profile()).newPage();
  page.failures = [];
  page.on("pageerror", (error) => page.failures.push(error));
  await page.goto(address);
  await page.fill("#email", `${name}@example.com`);
  await page.fill("#password", "correct horse");
  await page.click("#sign-in button");
  await page.waitForFunction((role) => document.querySelector("#role").textContent === role, role);
  return page;
}

const said = (page, pattern) => page.waitForFunction((pattern) => new RegExp(pattern).test(document.querySelector("#said").textContent), pattern);

test("moderators make moderators, and viewers are refused by what protects, not by what is hidden", async () => {
  const ben = await signedIn("ben", "a viewer");
  assert.equal(await ben.isVisible("#moderator"), false);
  // Whoever opens the developer tools has the buttons.
  await ben.$eval("#moderator", (section) => (section.hidden = false));
  await ben.fill("#other", "ben@example.com");
  await ben.click("#add-admin button");
  await said(ben, "not authorized");
  await ben.fill("#title", "Up");
  await ben.click("#add-movie button");
  await said(ben, "false for|ermission|PERMISSION");

  const maria = await signedIn("maria", "a moderator");
  assert.equal(await maria.isVisible("#moderator"), true);
  await maria.fill("#title", "Coco");
  await maria.click("#add-movie button");
  await maria.waitForFunction(() => document.querySelector("#movies").textContent.includes("Coco"));
  await maria.fill("#other", "ben@example.com");
  await maria.click("#add-admin button");
  await said(maria, "ben@example.com is now a moderator");

  const again = await signedIn("ben", "a moderator");
  assert.equal(await again.isVisible("#moderator"), true);
  assert.deepEqual([...ben.failures, ...maria.failures, ...again.failures], []);
});
