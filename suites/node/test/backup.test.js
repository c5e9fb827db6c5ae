// A backup has the bytes of objects: made while they are overwritten and deleted, restored, and held against damage.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

import { binary, dev, folder, hearthTest, run } from "../hearth.js";

const PROJECT = "demo-suite";
const BUCKET = `${PROJECT}.appspot.com`;
const path = folder({ "firebase.json": {}, ".firebaserc": { projects: { default: PROJECT } } });
const hearth = await dev({ path, args: ["--only", "storage"] });
const data = join(hearth.folder, ".hearth");
const home = mkdtempSync(join(tmpdir(), "hearth-backup-"));
after(async () => {
  await hearth.stop();
  rmSync(home, { recursive: true, force: true });
});

const owner = { authorization: "Bearer owner" };
const put = (at, name, body) => fetch(`http://${at}/v0/b/${BUCKET}/o?name=${name}`, { method: "POST", headers: owner, body });
const get = (at, name) => fetch(`http://${at}/v0/b/${BUCKET}/o/${name}?alt=media`, { headers: owner });
const blobs = (below) => {
  const shelves = readdirSync(join(below, "blobs")).filter((shelf) => shelf !== "drafts");
  return shelves.flatMap((shelf) => readdirSync(join(below, "blobs", shelf)).map((name) => join(below, "blobs", shelf, name)));
};

hearthTest("a backup of a running server has every object that its rows name, and is restored whole", async () => {
  let number = 0;
  for (; number < 40; number += 1) {
    assert.equal((await put(hearth.storage, `n${number}`, `object ${number}`)).status, 200);
  }
  let stopping = false;
  const writing = (async () => {
    for (let step = 0; !stopping; step += 1) {
      await put(hearth.storage, `w${step % 7}`, `written ${step}`);
      await fetch(`http://${hearth.storage}/v0/b/${BUCKET}/o/w${(step + 3) % 7}`, { method: "DELETE", headers: owner });
    }
  })();
  const backup = join(home, "backup");
  const made = await new Promise((resolve) => {
    const child = spawn(binary, ["backup", "--data", data, "--to", backup, "--json"]);
    let said = "";
    child.stdout.on("data", (text) => (said += text));
    child.once("close", (code) => resolve({ code, said }));
  });
  stopping = true;
  await writing;
  assert.equal(made.code, 0, made.said);
  assert.ok(JSON.parse(made.said).blobs.files >= 40);
  const restored = join(home, "restored", ".hearth");
  const done = run(["restore", "--from", backup, "--to", restored, "--json"]);
  assert.equal(done.status, 0, done.stdout + done.stderr);
  const report = JSON.parse(done.stdout);
  assert.ok(report.objects >= 40 && report.objectsWithoutBytes === 0 && report.findings.length === 0, done.stdout);
  assert.equal(run(["restore", "--from", backup, "--to", restored]).status, 2, "nothing is overwritten");
  writeFileSync(join(home, "restored", "firebase.json"), "{}");
  writeFileSync(join(home, "restored", ".firebaserc"), JSON.stringify({ projects: { default: PROJECT } }));
  const other = await dev({ path: join(home, "restored"), args: ["--only", "storage"] });
  for (let at = 0; at < number; at += 1) {
    assert.equal(await (await get(other.storage, `n${at}`)).text(), `object ${at}`);
  }
  await other.stop();
});

hearthTest("damaged and missing bytes are found by verify and by restore", async () => {
  const backup = join(home, "second");
  assert.equal(run(["backup", "--data", data, "--to", backup]).status, 0);
  const [first, second] = blobs(backup);
  const restored = join(home, "verified", ".hearth");
  assert.equal(run(["restore", "--from", backup, "--to", restored]).status, 0);
  assert.equal(run(["verify", "--data", restored]).status, 0);
  const [damaged] = blobs(restored);
  writeFileSync(damaged, Buffer.alloc(readFileSync(damaged).length, "x"));
  const verified = run(["verify", "--data", restored]);
  assert.equal(verified.status, 3);
  assert.match(verified.stdout, /blobs: the file `[0-9a-f]{64}`, of `demo-suite.appspot.com\/\w+`, has other bytes/);
  // A backup that lost a file and has another damaged.
  rmSync(first);
  writeFileSync(second, "other");
  const broken = join(home, "broken", ".hearth");
  const refused = run(["restore", "--from", backup, "--to", broken]);
  assert.equal(refused.status, 3);
  assert.match(refused.stderr, /objects have no bytes/);
  assert.ok(existsSync(join(broken, "store.sqlite")), "what is there is there");
});
