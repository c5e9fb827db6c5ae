// On whose behalf a function's code reads and writes: its own, or its caller's (`run_as = "caller"`). Each access has its
// identity and the trace of the call, and a credential ends with its call.

import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";

import { createUserWithEmailAndPassword } from "firebase/auth";
import { getFirestore } from "firebase-admin/firestore";

import { admin, address, client } from "../clients.js";
import { dev, folder, hearthTest, log, repository, run } from "../hearth.js";

const CODE = `
const { onRequest } = require("firebase-functions/v2/https");
const admin = require("firebase-admin");
admin.initializeApp();
const store = () => admin.firestore();
const kept = [];

const read = async (req, res) => {
  const paths = String(req.query.paths).split(",");
  const seen = await Promise.all(paths.map((path) => store().doc(path).get().then((doc) => doc.data()?.name ?? null, (error) => error.code)));
  res.json(seen);
};
exports.plain = onRequest(read);
exports.asCaller = onRequest(read);
exports.write = onRequest(async (req, res) => {
  const done = await store().doc(req.query.path).set({ name: "written" }).then(() => "written", (error) => error.code);
  res.json(done);
});
exports.query = onRequest(async (req, res) => {
  const found = await store().collection("open").get().then((all) => all.size, (error) => error.code);
  res.json(found);
});
exports.user = onRequest(async (req, res) => {
  res.json(await admin.auth().getUserByEmail(req.query.email).then((user) => user.uid, (error) => error.code ?? error.message));
});
exports.file = onRequest(async (req, res) => {
  const file = admin.storage().bucket().file("a.txt");
  res.json(await file.save("x", { resumable: false }).then(() => "saved", (error) => error.code ?? error.message));
});
exports.database = onRequest(async (req, res) => {
  const late = new Promise((resolve) => setTimeout(resolve, 1500, "no answer"));
  res.json(await Promise.race([admin.database().ref("x").set(1).then(() => "written", (error) => error.code ?? error.message), late]));
});
// What begins in a call and goes on after it.
exports.later = onRequest(async (req, res) => {
  const read = () => store().doc(req.query.path).get().then(() => kept.push("read"), (error) => kept.push(error.code));
  await read();
  setTimeout(read, 300);
  res.json("soon");
});
exports.kept = onRequest((req, res) => res.json(kept));
`;

const RULES = `rules_version = "2";
service cloud.firestore {
  match /databases/{database}/documents {
    match /private/{document} { allow read: if false; }
    match /open/{document} { allow read: if true; }
    match /mine/{uid} { allow read, write: if request.auth.uid == uid; }
  }
}`;

const HEARTH_TOML = ["asCaller", "write", "query", "user", "file", "database", "later", "kept"]
  .map((name) => `[functions.${name}]\nrun_as = "caller"\n`)
  .join("");

const path = folder({
  "firebase.json": { functions: { source: "functions" }, firestore: { rules: "firestore.rules" }, storage: { rules: "storage.rules" } },
  ".firebaserc": { projects: { default: "demo-identity" } },
  "hearth.toml": HEARTH_TOML,
  "firestore.rules": RULES,
  "storage.rules": "rules_version = '2'; service firebase.storage { match /b/{b}/o/{o=**} { allow read, write: if false; } }",
});
const source = join(path, "functions");
mkdirSync(source);
writeFileSync(join(source, "package.json"), JSON.stringify({ main: "index.js" }));
writeFileSync(join(source, "index.js"), CODE);
symlinkSync(join(repository, "suites/node/node_modules"), join(source, "node_modules"));

const hearth = await dev({ path, args: [] });
after(() => hearth.stop());
const data = `${path}/.hearth`;
const { auth } = client(hearth);
const server = admin(hearth);
const { user } = await createUserWithEmailAndPassword(auth, address("maria"), "correct horse");
const store = getFirestore(server.app);
for (const path of ["private/a", "open/a", `mine/${user.uid}`, "mine/other"]) {
  await store.doc(path).set({ name: path });
}

let traces = 0;
async function call(name, { query = "", token } = {}) {
  traces += 1;
  const trace = traces.toString(16).padStart(32, "a");
  const headers = { traceparent: `00-${trace}-b7ad6b7169203331-01` };
  if (token !== null) {
    headers.authorization = `Bearer ${token ?? (await user.getIdToken())}`;
  }
  const answer = await fetch(`http://127.0.0.1:${hearth.ready.ports.functions}/demo-identity/us-central1/${name}?${query}`, { headers });
  return { trace, status: answer.status, body: await answer.json() };
}
const story = (trace, enough) => log(data, ["--trace", trace], (events) => events.length >= enough);

hearthTest("a function reads as itself, past the rules, and the record says for which call", async () => {
  const { trace, body } = await call("plain", { query: "paths=private/a" });
  assert.deepEqual(body, ["private/a"]);
  const events = await story(trace, 2);
  assert.deepEqual(
    events.map(({ service, verdict, who, path, details }) => [service, verdict, who, path, details.via]),
    [
      ["functions", "allow", user.uid, "/functions/us-central1/plain", undefined],
      ["firestore", "admin", "function:plain", "/private/a", "function:plain"],
    ],
  );
});

hearthTest("one that runs as its caller reads what the rules show the caller", async () => {
  const { trace, body } = await call("asCaller", { query: `paths=private/a,open/a,mine/${user.uid},mine/other` });
  assert.deepEqual(body, [7, "open/a", `mine/${user.uid}`, 7]);
  const events = (await story(trace, 5)).filter(({ service }) => service === "firestore");
  assert.ok(events.every(({ caller, who, details }) => caller === "user" && who === user.uid && details.via === "function:asCaller"));
  const seen = Object.fromEntries(events.map(({ path, verdict, rule }) => [path, [verdict, rule]]));
  assert.deepEqual(seen["/private/a"], ["deny", undefined]);
  assert.match(seen[`/mine/${user.uid}`][1], /^firestore\.rules:6:/);
  const { stdout } = run(["log", "--data", data, "--trace", trace]);
  assert.match(stdout, /call \/functions\/us-central1\/asCaller[^]*deny .*\/private\/a/);
});

hearthTest("nobody's call reads as nobody", async () => {
  const { body } = await call("asCaller", { query: `paths=open/a,mine/${user.uid}`, token: null });
  assert.deepEqual(body, ["open/a", 7]);
});

hearthTest("writes and queries pass the rules, too", async () => {
  assert.equal((await call("write", { query: "path=mine/other" })).body, 7);
  assert.equal((await call("write", { query: `path=mine/${user.uid}` })).body, "written");
  assert.equal((await call("query")).body, 1);
});

hearthTest("calls at the same time keep their callers apart", async () => {
  const { auth } = client(hearth);
  const { user: other } = await createUserWithEmailAndPassword(auth, address("ben"), "correct horse");
  await store.doc(`mine/${other.uid}`).set({ name: "other's" });
  const [mine, others] = [await user.getIdToken(), await other.getIdToken()];
  const query = `paths=mine/${user.uid},mine/${other.uid}`;
  const calls = Array.from({ length: 40 }, (_, at) => call("asCaller", { query, token: at % 2 ? mine : others }));
  (await Promise.all(calls)).forEach(({ body }, at) => assert.deepEqual(body, at % 2 ? ["written", 7] : [7, "other's"]));
});

hearthTest("what has no rules for users is closed to one that runs as its caller: accounts, files past their rules, the shared connection", async () => {
  const { body } = await call("user", { query: "email=x@y.z" });
  assert.doesNotMatch(body, /user-not-found/, body);
  assert.match(String((await call("file")).body), /^40[13]$/);
  assert.notEqual((await call("database")).body, "written");
});

hearthTest("a credential ends with its call", async () => {
  await call("later", { query: `path=mine/${user.uid}` });
  await new Promise((resolve) => setTimeout(resolve, 1500));
  // The SDK tries what is unauthenticated again for a while.
  const kept = (await call("kept")).body;
  assert.ok(!kept.slice(1).includes("read") && kept.length >= 1, JSON.stringify(kept));
});
