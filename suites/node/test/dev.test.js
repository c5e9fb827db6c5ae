// `hearth dev` itself: what it says, what it finds, and rules that change while it runs.

import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { CLOSED, binary, dev, eventually, example, folder, hearthTest, putRules, run, start } from "../hearth.js";

const OPEN = CLOSED.replace("if false", "if true");

/** The HTTP status of reading a document that is not there: 404 when allowed, 403 when denied. */
async function read(hearth, document = "things/x", headers = {}) {
  const base = `http://${hearth.firestore}/v1/projects/${hearth.project}/databases/(default)/documents`;
  return (await fetch(`${base}/${document}`, { headers })).status;
}

const edit = (hearth, text) => writeFileSync(join(hearth.folder, "firestore.rules"), text);

hearthTest("an edit of the rules is in force at once", async () => {
  const hearth = await dev({ rules: CLOSED });
  assert.equal(await read(hearth), 403);
  edit(hearth, OPEN);
  await eventually(async () => (await read(hearth)) === 404, "the new rules decide", 2_000);
  edit(hearth, CLOSED);
  await eventually(async () => (await read(hearth)) === 403, "the old ones again", 2_000);
  await hearth.stop();
});

hearthTest("a broken edit keeps the last good rules and says where it is broken", async () => {
  const hearth = await dev({ rules: OPEN });
  edit(hearth, OPEN.replace("allow read, write: if true;", "allow read, write: if (true;"));
  await eventually(() => /firestore\.rules:3:\d+/.test(hearth.said()), `the place is named: ${hearth.said()}`, 2_000);
  assert.match(hearth.said(), /last good rules stay in force/);
  assert.equal(await read(hearth), 404);
  edit(hearth, CLOSED);
  await eventually(async () => (await read(hearth)) === 403, "a mended edit is taken", 2_000);
  await hearth.stop();
});

hearthTest("an editor that replaces the file is followed, and a file gone for a moment is no edit", async () => {
  const hearth = await dev({ rules: OPEN });
  rmSync(join(hearth.folder, "firestore.rules"));
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(await read(hearth), 404);
  edit(hearth, CLOSED);
  await eventually(async () => (await read(hearth)) === 403, "the new file decides", 2_000);
  await hearth.stop();
});

hearthTest("rules that let everybody in are told at the start, at their place", async () => {
  const hearth = await dev({ rules: OPEN });
  const told = hearth.ready.warnings.find((found) => found.code === "open-access");
  assert.equal(told?.file, "firestore.rules", JSON.stringify(hearth.ready.warnings));
  assert.ok(told.line > 0 && told.help);
  await hearth.stop();
});

hearthTest("started with broken rules, everything is denied until they are mended", async () => {
  const hearth = await dev({ rules: "service cloud.firestore {" });
  assert.equal(await read(hearth), 403);
  assert.ok(hearth.ready.errors.length > 0);
  edit(hearth, OPEN);
  await eventually(async () => (await read(hearth)) === 404, "mended rules decide", 2_000);
  await hearth.stop();
});

hearthTest("without rules everything is allowed, and loudly so", async () => {
  const path = folder({ "firebase.json": {}, ".firebaserc": { projects: { default: "demo-bare" } } });
  const hearth = await dev({ path });
  assert.equal(hearth.project, "demo-bare");
  assert.equal(hearth.ready.rules, null);
  assert.equal(await read(hearth), 404);
  await hearth.stop();
});

hearthTest("an article's rule that refuses everybody is warned of, with its place", async () => {
  const path = example("partner-api");
  writeFileSync(join(path, "firebase.json"), JSON.stringify({ firestore: { rules: "seed-verbatim.rules" } }));
  const hearth = await dev({ path });
  const warning = hearth.ready.warnings.find((found) => found.line === 4);
  assert.equal(warning?.file, "seed-verbatim.rules", JSON.stringify(hearth.ready.warnings));
  assert.ok(warning.column > 1);
  assert.match(`${warning.message} ${warning.help}`, /'role' in request\.auth\.token/);
  await hearth.stop();
});

hearthTest("comments in firebase.json, ports of its own, other names", async () => {
  const path = folder({
    "firebase.json": `{
      // where the rules are
      "firestore": { "rules": "my.rules" },
      "emulators": { "ui": { "enabled": true } },
    }`,
    ".firebaserc": { projects: { default: "demo-named" } },
    "my.rules": OPEN,
  });
  const hearth = await dev({ path, args: ["--ephemeral", "--project", "demo-other"] });
  assert.equal(hearth.project, "demo-other");
  assert.equal(hearth.ready.rules, "my.rules");
  await hearth.stop();
});

hearthTest("the hub tells where the services are", async () => {
  const hearth = await dev({ rules: CLOSED });
  const emulators = await (await fetch(`http://${hearth.hub}/emulators`)).json();
  assert.equal(`${emulators.auth.host}:${emulators.auth.port}`, hearth.auth);
  assert.equal(`${emulators.firestore.host}:${emulators.firestore.port}`, hearth.firestore);
  await hearth.stop();
});

hearthTest("rules can be put over HTTP, and bad ones are refused with their place", async () => {
  const hearth = await dev({ rules: CLOSED });
  assert.equal((await putRules(hearth, OPEN)).status, 200);
  assert.equal(await read(hearth), 404);
  const refused = await putRules(hearth, "service cloud.firestore {\n  match /x {\n");
  assert.equal(refused.status, 400);
  assert.equal(await read(hearth), 404);
  await hearth.stop();
});

hearthTest("documents are cleared over HTTP", async () => {
  const hearth = await dev({ rules: OPEN });
  const root = `http://${hearth.firestore}/v1/projects/${hearth.project}/databases/(default)/documents`;
  await fetch(`${root}/things?documentId=x`, { method: "POST", body: '{"fields":{}}' });
  assert.equal(await read(hearth), 200);
  const emulator = `http://${hearth.firestore}/emulator/v1/projects/${hearth.project}/databases/(default)/documents`;
  assert.equal((await fetch(emulator, { method: "DELETE" })).status, 200);
  assert.equal(await read(hearth), 404);
  await hearth.stop();
});

hearthTest("a browser on another origin is let through", async () => {
  const hearth = await dev({ rules: CLOSED });
  for (const url of [
    `http://${hearth.firestore}/v1/projects/${hearth.project}/databases/(default)/documents:commit`,
    `http://${hearth.auth}/identitytoolkit.googleapis.com/v1/accounts:signUp?key=any`,
  ]) {
    const preflight = await fetch(url, {
      method: "OPTIONS",
      headers: {
        origin: "http://localhost:5173",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-goog-api-client",
      },
    });
    assert.ok(preflight.ok, `${preflight.status}`);
    assert.equal(preflight.headers.get("access-control-allow-origin"), "http://localhost:5173");
    assert.match(preflight.headers.get("access-control-allow-headers").toLowerCase(), /x-goog-api-client/);
  }
  await hearth.stop();
});

hearthTest("data and users are there after a restart, and sessions go on", async () => {
  const path = folder({
    "firebase.json": { firestore: { rules: "firestore.rules" } },
    ".firebaserc": { projects: { default: "demo-kept" } },
    "firestore.rules": OPEN,
  });
  const args = ["dev", path, "--ports", "all=0", "--json"];
  const first = await start(args);
  const documents = ({ ready }) =>
    `http://127.0.0.1:${ready.ports.firestore}/v1/projects/demo-kept/databases/(default)/documents/things`;
  const identity = ({ ready }) => `http://127.0.0.1:${ready.ports.auth}`;
  const post = async (url, body) =>
    (await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) })).json();
  await post(`${documents(first)}?documentId=x`, { fields: { n: { integerValue: "1" } } });
  const signUp = `/identitytoolkit.googleapis.com/v1/accounts:signUp?key=any`;
  const user = await post(identity(first) + signUp, { email: "kept@example.com", password: "correct horse" });
  assert.ok(user.refreshToken, JSON.stringify(user));
  assert.deepEqual(await first.stop(), { code: 0, signal: null });
  const second = await start(args);
  const found = await (await fetch(`${documents(second)}/x`)).json();
  assert.deepEqual(found.fields, { n: { integerValue: "1" } });
  const token = `/securetoken.googleapis.com/v1/token?key=any`;
  const refreshed = await post(identity(second) + token, {
    grant_type: "refresh_token",
    refresh_token: user.refreshToken,
  });
  assert.equal(refreshed.user_id, user.localId);
  await second.stop();
  rmSync(path, { recursive: true });
});

hearthTest("two at once on one data folder: the second is refused", async () => {
  const path = folder({ "firestore.rules": OPEN, "firebase.json": { firestore: { rules: "firestore.rules" } } });
  const args = ["dev", path, "--ports", "all=0", "--json"];
  const first = await start(args);
  await assert.rejects(start(args), /ended with [1-9]/);
  await first.stop();
  rmSync(path, { recursive: true });
});

hearthTest("only the services asked for run", async () => {
  const path = folder({ "firestore.rules": OPEN, "firebase.json": { firestore: { rules: "firestore.rules" } } });
  const running = await start(["dev", path, "--only", "firestore", "--ephemeral", "--ports", "firestore=0,hub=0", "--json"]);
  assert.equal(running.ready.ports.auth, undefined);
  await running.stop();
  rmSync(path, { recursive: true });
});

hearthTest("dev refuses an address that others can reach", () => {
  const { status, stderr } = run(["dev", folder({}), "--host", "0.0.0.0", "--ephemeral"]);
  assert.notEqual(status, 0, binary);
  assert.match(stderr, /--share users/);
});
