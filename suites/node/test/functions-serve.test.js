// Functions in `hearth serve`: real tokens, checked by the unmodified packages in the worker against the keys that Hearth
// publishes; worker identities; no emulator; and what nobody else reaches.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

import { initializeApp } from "firebase/app";
import { connectAuthEmulator, createUserWithEmailAndPassword, getAuth, signInWithCustomToken } from "firebase/auth";
import { getFunctions, httpsCallable } from "firebase/functions";

import { address, unsigned } from "../clients.js";
import { againstPeer, eventually, folder, hearthTest, log, repository, start } from "../hearth.js";

const PROJECT = "acme-prod";
const CODE = `
const v1 = require("firebase-functions/v1");
const { onCall, onRequest } = require("firebase-functions/v2/https");
const { onDocumentWritten } = require("firebase-functions/v2/firestore");
const { defineSecret } = require("firebase-functions/params");
const fs = require("node:fs");
const admin = require("firebase-admin");
admin.initializeApp();
const token = defineSecret("API_TOKEN");

exports.who = onCall((request) => request.auth && { uid: request.auth.uid, role: request.auth.token.role ?? null });
exports.whoV1 = v1.https.onCall((data, context) => context.auth && { uid: context.auth.uid });
exports.grant = onCall(async (request) => admin.auth().setCustomUserClaims(request.auth.uid, { role: "staff" }).then(() => "granted"));
exports.custom = onRequest(async (req, res) => res.json(await admin.auth().createCustomToken("ann", { vip: true })));
exports.verify = onRequest(async (req, res) => {
  res.json(await admin.auth().verifyIdToken(req.query.token, true).then(({ uid }) => uid, (error) => error.code));
});
exports.store = onRequest(async (req, res) => {
  const doc = admin.firestore().doc("notes/a");
  await doc.set({ text: "hello" });
  res.json((await doc.get()).data());
});
exports.mine = onRequest(async (req, res) => {
  const read = (path) => admin.firestore().doc(path).get().then((doc) => doc.data()?.text ?? null, (error) => error.code);
  res.json(await Promise.all([read("notes/a"), read("public/a")]));
});
exports.database = onRequest(async (req, res) => {
  const ref = admin.database().ref("from/functions");
  await ref.set({ a: 1 });
  res.json((await ref.get()).val());
});
exports.file = onRequest(async (req, res) => {
  const file = admin.storage().bucket().file("a.txt");
  await file.save("bytes", { resumable: false });
  res.send((await file.download())[0]);
});
exports.secret = onRequest({ secrets: [token] }, (req, res) => res.json([token.value(), process.env.OTHER ?? null]));
exports.environment = onRequest((req, res) => {
  res.json(Object.keys(process.env).filter((name) => /EMULATOR|HEARTH|DEBUG|OTHER/.test(name)).sort());
});
exports.user = onRequest((req, res) => res.json(process.getuid()));
exports.open = onRequest((req, res) => {
  const tried = (path) => { try { return fs.readFileSync(path, "latin1").length; } catch (error) { return error.code; } };
  const listed = (path) => { try { return fs.readdirSync(path).length; } catch (error) { return error.code; } };
  res.json([listed(req.query.data), tried(req.query.data + "/store.mark"), tried(req.query.data + "/access.log")]);
});
exports.connect = onRequest((req, res) => {
  const socket = require("node:net").connect(req.query.path);
  socket.on("error", (error) => res.json(error.code));
  socket.on("close", () => res.headersSent || res.json("closed"));
  socket.write("GET / HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n");
});
exports.google = onRequest(async (req, res) => {
  res.json(await fetch("https://bigquery.googleapis.com/").then((answer) => answer.status, (error) => String(error.cause?.message ?? error.message)));
});
exports.echo = onRequest((req, res) => res.json({ url: req.url }));
exports.recursive = onRequest({ concurrency: 2, maxInstances: 1, timeoutSeconds: 5 }, async (req, res) => {
  const answers = await Promise.all([1, 2, 3].map(() => fetch(req.query.self + "?self=" + encodeURIComponent(req.query.self)).then((answer) => answer.status, () => 0)));
  res.json(answers);
});
exports.huge = onRequest((req, res) => {
  const piece = Buffer.alloc(1 << 20);
  const more = () => { while (!res.destroyed && res.write(piece)); };
  res.on("drain", more);
  more();
});
exports.spin = onRequest({ timeoutSeconds: 2 }, () => { for (;;); });
exports.written = onDocumentWritten("notes/{id}", () => {});
`;

const home = folder({
  "firebase.json": { functions: { source: "functions" }, firestore: { rules: "firestore.rules" }, database: { rules: "database.rules.json" }, storage: { rules: "storage.rules" } },
  "firestore.rules": `rules_version = "2"; service cloud.firestore { match /databases/{d}/documents {
    match /public/{id} { allow read: if request.auth != null; } } }`,
  "database.rules.json": { rules: {} },
  "storage.rules": "rules_version = '2'; service firebase.storage { match /b/{b}/o/{o=**} { allow read, write: if false; } }",
  "hearth.toml": '[functions.mine]\nrun_as = "caller"\nrequire = "auth != null"\n',
});
const data = join(home, "data");
const secrets = join(home, "secrets");
const isRoot = process.getuid?.() === 0;
let server;
let port;

if (!againstPeer) {
  const source = join(home, "functions");
  [source, secrets].forEach((path) => mkdirSync(path));
  writeFileSync(join(source, "package.json"), JSON.stringify({ main: "index.js" }));
  writeFileSync(join(source, "index.js"), CODE);
  writeFileSync(join(source, ".env.local"), "OTHER=of the developer's machine");
  writeFileSync(join(secrets, "API_TOKEN"), "s3cret\n");
  writeFileSync(join(secrets, "OTHER"), "not bound");
  symlinkSync(realpathSync(join(repository, "suites/node/node_modules")), join(source, "node_modules"));
  chmodSync(home, 0o755);
  server = await start(["serve", home, "--listen", "127.0.0.1:0", "--data", data, "--project", PROJECT, "--secrets", secrets, "--json"]);
  port = server.ready.ports.serve;
}
after(async () => {
  await server?.stop();
  rmSync(home, { recursive: true, force: true });
});

const url = (name, query = "") => `http://127.0.0.1:${port}/fn/${name}${query}`;
const ask = async (name, query, init) => {
  const answer = await fetch(url(name, query), init);
  return answer.ok ? answer.json() : { status: answer.status, text: await answer.text() };
};
const app = initializeApp({ projectId: PROJECT, apiKey: "public" });
const auth = getAuth(app);
const call = (name) => httpsCallable(getFunctions(app, `http://127.0.0.1:${port}/fn`), name);
let user;

if (!againstPeer) {
  connectAuthEmulator(auth, `http://127.0.0.1:${port}`, { disableWarnings: true }); // tells the address, no more
  ({ user } = await createUserWithEmailAndPassword(auth, address("ann"), "correct horse battery"));
}

hearthTest("a callable knows who calls, of a token that the package has verified", async () => {
  assert.deepEqual((await call("who")({})).data, { uid: user.uid, role: null });
  assert.deepEqual((await call("whoV1")({})).data, { uid: user.uid });
  assert.equal((await call("grant")({})).data, "granted");
  await user.getIdToken(true);
  assert.deepEqual((await call("who")({})).data, { uid: user.uid, role: "staff" });
});

hearthTest("forged, foreign, unsigned tokens and `owner` are refused, missing ones are nobody", async () => {
  const good = await user.getIdToken();
  const [head, body] = good.split(".");
  const foreign = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(body, "base64url")), aud: "other" })).toString("base64url");
  for (const token of ["owner", "abc", unsigned({ sub: user.uid }), `${head}.${body}.AAAA`, `${head}.${foreign}.${good.split(".")[2]}`, "hearth-fn.none"]) {
    const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
    const answer = await fetch(url("who"), { method: "POST", headers, body: '{"data":null}' });
    assert.equal(answer.status, 401, token);
  }
  const answer = await fetch(url("who"), { method: "POST", headers: { "content-type": "application/json" }, body: '{"data":null}' });
  assert.deepEqual([answer.status, await answer.json()], [200, { result: null }]);
});

hearthTest("the Admin SDK in the worker: tokens, Firestore, the Realtime Database, Storage", async () => {
  assert.equal(await ask("verify", `?token=${await user.getIdToken()}`), user.uid);
  assert.match(await ask("verify", "?token=a.b.c"), /^auth\//);
  assert.deepEqual(await ask("store"), { text: "hello" });
  assert.deepEqual(await ask("database"), { a: 1 });
  assert.equal(await (await fetch(url("file"))).text(), "bytes");
  const { user: ann } = await signInWithCustomToken(getAuth(initializeApp({ projectId: PROJECT, apiKey: "public" }, "custom")), "x").catch(() => ({}));
  assert.equal(ann, undefined);
  const other = getAuth(initializeApp({ projectId: PROJECT, apiKey: "public" }, "custom-2"));
  connectAuthEmulator(other, `http://127.0.0.1:${port}`, { disableWarnings: true });
  const made = await signInWithCustomToken(other, await ask("custom"));
  assert.equal((await made.user.getIdTokenResult()).claims.vip, true);
});

hearthTest("who wrote is the function, in the trace of its call", async () => {
  const events = await log(data, ["--service", "firestore", "--who", "function:store"], (events) => events.length >= 2);
  assert.deepEqual([...new Set(events.map(({ path, verdict }) => `${verdict} ${path}`))], ["admin /notes/a"]);
  const story = await log(data, ["--trace", events[0].details.trace], (events) => events.length >= 3);
  assert.equal(story[0].service, "functions");
});

hearthTest("one that runs as its caller passes the rules", async () => {
  const headers = { authorization: `Bearer ${await user.getIdToken()}` };
  assert.deepEqual(await ask("mine", "", { headers }), [7, null]);
  assert.equal((await ask("mine")).status, 403);
});

hearthTest("nothing of the emulator's is there, and only the secrets that are bound", async () => {
  assert.deepEqual(await ask("environment"), ["FIRESTORE_EMULATOR_HOST", "HEARTH_CODEBASE", "HEARTH_SOCKET"]);
  assert.deepEqual(await ask("secret"), ["s3cret", null]);
  assert.match(await ask("google"), /bigquery\.googleapis\.com: Hearth does not serve/);
});

hearthTest("paths: with the region, with the project, and none for events", async () => {
  for (const path of ["/fn/echo/a?b=c", "/fn/us-central1/echo/a?b=c", `/${PROJECT}/us-central1/echo/a?b=c`]) {
    assert.deepEqual(await (await fetch(`http://127.0.0.1:${port}${path}`)).json(), { url: "/a?b=c" }, path);
  }
  const events = await fetch(url("written"), { method: "POST", body: "{}" });
  assert.equal(events.status, 404);
  const unknown = await fetch(url("nowhere"));
  assert.deepEqual([unknown.status, await unknown.text()], [404, "Function nowhere does not exist"]);
});

hearthTest("another user of this machine reaches neither the worker nor the house, the code not Hearth's data", async (t) => {
  if (!isRoot) {
    t.skip("code runs as another user only where Hearth runs as root");
    return;
  }
  assert.notEqual(await ask("user"), 0);
  assert.deepEqual(await ask("open", `?data=${data}`), ["EACCES", "EACCES", "EACCES"]);
  assert.match(await ask("connect", `?path=${data}/admin.sock`), /EACCES/);
  const folders = readdirSync(tmpdir()).filter((name) => name.startsWith("hearth-fn-")).map((name) => join(tmpdir(), name));
  const ours = folders.filter((path) => existsSync(join(path, "house.sock")));
  assert.ok(ours.length > 0);
  for (const path of ours) {
    assert.equal(statSync(path).mode & 0o777, 0o700);
    const other = spawnSync("cat", [join(path, "key.json")], { uid: 4242, gid: 4242, encoding: "utf8" });
    assert.match(other.stderr, /Permission denied/);
    const script = `require("node:net").connect(${JSON.stringify(join(path, "house.sock"))}).on("error", (error) => console.log(error.code))`;
    assert.match(spawnSync(process.execPath, ["-e", script], { uid: 4242, gid: 4242, encoding: "utf8" }).stdout, /EACCES/);
  }
});

hearthTest("calls that call themselves, answers without end and code that never returns leave others served", async () => {
  const served = async () => assert.deepEqual(await ask("echo"), { url: "/" });
  const recursive = fetch(url("recursive", `?self=${encodeURIComponent(url("recursive"))}`)).then((answer) => answer.status);
  const huge = await fetch(url("huge"));
  const began = Date.now();
  await served();
  assert.ok(Date.now() - began < 3_000, "a neighbour is served at once");
  assert.ok([200, 429, 504].includes(await recursive));
  await huge.body.cancel();
  assert.equal((await fetch(url("spin"))).status, 504);
  await eventually(async () => (await fetch(url("echo"))).ok, "the worker is back", 15_000);
  await served();
});

hearthTest("what was stopped is gone", async () => {
  const before = readdirSync(tmpdir()).filter((name) => name.startsWith("hearth-fn-"));
  const { code } = await server.stop();
  assert.equal(code, 0);
  const left = readdirSync(tmpdir()).filter((name) => name.startsWith("hearth-fn-"));
  assert.ok(left.length < before.length, `${before.length} then ${left.length}`);
  assert.ok(!readFileSync(join(data, "access.log"), "latin1").includes("hearth-fn."), "no credential is in the log");
});
