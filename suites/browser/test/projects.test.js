// The page of examples/projects: buttons come and go with the permission group, while somebody looks.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync } from "node:fs";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { dev, folder, repository } from "../../node/hearth.js";
import { profile } from "../browser.js";

const example = join(repository, "examples/projects");

let hearth;
let web;
let address;
before(async () => {
  const path = folder({});
  for (const file of ["firebase.json", ".firebaserc", "database.rules.bolt"]) {
    cpSync(join(example, file), join(path, file));
  }
  hearth = await dev({ path });
  const env = {
    ...process.env,
    PORT: "0",
    GCLOUD_PROJECT: hearth.project,
    FIREBASE_AUTH_EMULATOR_HOST: hearth.auth,
    FIREBASE_DATABASE_EMULATOR_HOST: `127.0.0.1:${hearth.ready.ports.database}`,
  };
  web = spawn(process.execPath, ["serve.js"], { cwd: example, env, stdio: ["ignore", "pipe", "inherit"] });
  [address] = await new Promise((resolve, reject) => {
    createInterface({ input: web.stdout }).once("line", (line) => resolve([line]));
    web.once("exit", (code) => reject(new Error(`serve.js ended with ${code}`)));
  });
});
after(async () => {
  web?.kill();
  await hearth?.stop();
});

/** A window with somebody signed in, who has the role. */
async function signedIn(person, role) {
  const page = await (await profile()).newPage();
  page.failures = [];
  page.on("pageerror", (error) => page.failures.push(error));
  await page.goto(address);
  await page.selectOption("#person", person);
  await page.waitForFunction((role) => document.querySelector("#role").textContent === role, role);
  return page;
}

/** Which buttons are there, each once. */
const buttons = (page) =>
  page.$$eval("button[data-action]", (all) => [...new Set(all.filter((one) => !one.hidden).map((one) => one.dataset.action))].sort());

async function has(page, expected) {
  let found;
  for (const end = Date.now() + 15_000; Date.now() < end; await page.waitForTimeout(20)) {
    found = await buttons(page);
    if (JSON.stringify(found) === JSON.stringify([...expected].sort())) return;
  }
  assert.deepEqual(found, [...expected].sort(), `failures: ${page.failures}`);
}

const ALL = ["projects", "tasks", "files", "messages"].flatMap((entity) => ["c", "d", "u"].map((verb) => `${entity}-${verb}`));
// Uma and Eve own a file and a message: what they may do with their own has its buttons there.
const USER = ["tasks-u", "files-c", "files-d", "files-u", "messages-c", "messages-d", "messages-u"];

test("every role has its buttons", { timeout: 60_000 }, async () => {
  await has(await signedIn("ada", "role: admin"), ALL);
  await has(await signedIn("max", "role: manager"), ALL);
  await has(await signedIn("uma", "role: user"), USER);
  await has(await signedIn("eve", "role: external"), ["files-c", "files-d", "files-u"]);
  await has(await signedIn("nils", "no role"), []);
});

test("a change of the permission group shows and hides buttons without a reload", { timeout: 60_000 }, async () => {
  const [uma, ada] = [await signedIn("uma", "role: user"), await signedIn("ada", "role: admin")];
  await has(uma, USER);
  await uma.evaluate(() => (globalThis.sameDocument = true));
  const tick = (permission, checked) => ada.setChecked(`input[data-permission=${permission}]`, checked);

  await tick("projects-u", true);
  await has(uma, [...USER, "projects-u"]);
  await uma.click("button[data-action=projects-u]");
  await ada.waitForFunction(() => document.querySelector("#projects span").textContent === "Apollo 11");

  await tick("projects-u", false);
  await has(uma, USER);
  // What may not be read is not shown any longer either.
  await tick("tasks-r", false);
  await uma.waitForFunction(() => document.querySelector("#tasks span") === null);
  await tick("tasks-r", true);
  await uma.waitForFunction(() => document.querySelector("#tasks span") !== null);

  // The role is data, too.
  await fetch(`http://127.0.0.1:${hearth.ready.ports.database}/users/uma/role.json?ns=${hearth.project}-default-rtdb`, {
    method: "PUT", headers: { Authorization: "Bearer owner" }, body: '"manager"',
  });
  await has(uma, ALL);
  assert.equal(await uma.textContent("#role"), "role: manager");
  assert.equal(await uma.evaluate(() => globalThis.sameDocument), true);
  assert.deepEqual([uma.failures, ada.failures], [[], []]);
});
