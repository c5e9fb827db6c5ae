// Functions of a small codebase, called by the unmodified SDK of web pages and over plain HTTP: what the gateway, the callables'
// protocol, guards and the reload come to. The packages are those that this suite installs.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";

import { createUserWithEmailAndPassword } from "firebase/auth";
import { getFirestore } from "firebase-admin/firestore";
import { connectFunctionsEmulator, getFunctions, httpsCallable } from "firebase/functions";

import { admin, address, client } from "../clients.js";
import { dev, eventually, folder, hearthTest, log, repository, sleep } from "../hearth.js";

const CODE = `
const functions = require("firebase-functions/v1");
const { onCall, onRequest, HttpsError } = require("firebase-functions/v2/https");
const admin = require("firebase-admin");
admin.initializeApp();

async function grantModeratorRole(email) {
  const user = await admin.auth().getUserByEmail(email);
  if (user.customClaims && user.customClaims.moderator === true) {
    return;
  }
  return admin.auth().setCustomUserClaims(user.uid, { moderator: true });
}
exports.addAdmin = functions.https.onCall((data, context) => {
  if (context.auth.token.moderator !== true) {
    return { error: "Request not authorized. User must be a moderator to fulfill request." };
  }
  const email = data.email;
  return grantModeratorRole(email).then(() => ({ result: \`Request fulfilled! \${email} is now a moderator.\` }));
});
exports.fetchData = functions.https.onRequest(async (req, res) => {
  const demo = await admin.firestore().collection("demo").get();
  res.status(200).json(demo.docs.map((doc) => ({ name: doc.data().name })));
});
exports.echo = onRequest((req, res) => {
  res.json({ url: req.url, method: req.method, raw: req.rawBody?.toString("latin1"), headers: req.headers });
});
exports.fail = onCall((request) => {
  throw new HttpsError(request.data.code, "because", { more: 1 });
});
exports.broken = onCall(() => {
  throw new Error("secret words");
});
exports.who = onCall((request) => request.auth && { uid: request.auth.uid });
exports.count = onCall(async (request, response) => {
  for (let at = 1; at <= 3; at++) {
    response.sendChunk(at);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return "done";
});
exports.never = onRequest({ timeoutSeconds: 1 }, () => new Promise(() => {}));
exports.endless = onRequest({ timeoutSeconds: 1 }, (req, res) => {
  const more = setInterval(() => res.write("more"), 20);
  res.on("close", () => clearInterval(more));
});
exports.die = onRequest(() => process.exit(3));
exports.version = onRequest((req, res) => res.send("one"));
`;

const HEARTH_TOML = `
[functions.fetchData]
require = "auth.token.role == 'partner'"
methods = ["POST"]
`;

const path = folder({
  "firebase.json": { functions: { source: "functions" } },
  ".firebaserc": { projects: { default: "demo-functions" } },
  "hearth.toml": HEARTH_TOML,
});
const source = join(path, "functions");
mkdirSync(source);
writeFileSync(join(source, "package.json"), JSON.stringify({ main: "index.js" }));
writeFileSync(join(source, "index.js"), CODE);
symlinkSync(join(repository, "suites/node/node_modules"), join(source, "node_modules"));

const hearth = await dev({ path, args: [] });
after(() => hearth.stop());
const port = hearth.ready.ports.functions;
const url = (name) => `http://127.0.0.1:${port}/demo-functions/us-central1/${name}`;
const { app, auth } = client(hearth);
const functions = getFunctions(app);
connectFunctionsEmulator(functions, "127.0.0.1", port);
const call = (name) => httpsCallable(functions, name);
const server = admin(hearth);
const rejects = (code, run) => assert.rejects(run, (error) => (assert.equal(error.code, `functions/${code}`), true));
let user;

hearthTest("an HTTPS function gets its path, method and raw body, and none of Hearth's headers", async () => {
  const bytes = Buffer.from([0, 255, 10, 128]);
  const headers = { "content-type": "application/octet-stream", "x-hearth-target": "die", "x-callable-context-auth": "x" };
  const answer = await fetch(`${url("echo")}/sub?q=1`, { method: "PUT", body: bytes, headers });
  const seen = await answer.json();
  assert.deepEqual([seen.url, seen.method, seen.raw], ["/sub?q=1", "PUT", bytes.toString("latin1")]);
  const ours = Object.keys(seen.headers).filter((name) => name.startsWith("x-hearth") || name.startsWith("x-callable"));
  assert.deepEqual(ours, []);
  assert.match(seen.headers.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
});

hearthTest("a function that is not there is named with those that are", async () => {
  const answer = await fetch(url("nowhere"));
  assert.equal(answer.status, 404);
  assert.match(await answer.text(), /^Function us-central1-nowhere does not exist, valid functions are: us-central1-addAdmin, /);
});

hearthTest("every status of a callable comes to the SDK", async () => {
  for (const code of [
    "cancelled", "unknown", "invalid-argument", "deadline-exceeded", "not-found", "already-exists", "permission-denied",
    "resource-exhausted", "failed-precondition", "aborted", "out-of-range", "unimplemented", "internal", "unavailable",
    "data-loss", "unauthenticated",
  ]) {
    await assert.rejects(call("fail")({ code }), (error) => {
      assert.deepEqual([error.code, error.details], [`functions/${code}`, { more: 1 }]);
      return true;
    });
  }
  await assert.rejects(call("broken")({}), (error) => !error.message.includes("secret"));
});

hearthTest("who calls is known to the code, and a bad token is refused", async () => {
  assert.equal((await call("who")({})).data, null);
  ({ user } = await createUserWithEmailAndPassword(auth, address("maria"), "correct horse"));
  assert.deepEqual((await call("who")({})).data, { uid: user.uid });
  for (const authorization of ["Bearer abc", "Basic abc", "Bearer a.b.c"]) {
    const headers = { "content-type": "application/json", authorization };
    const answer = await fetch(url("who"), { method: "POST", body: '{"data":null}', headers });
    assert.equal(answer.status, 401, authorization);
    assert.equal((await answer.json()).error.status, "UNAUTHENTICATED");
  }
});

hearthTest("a callable streams, piece by piece", async () => {
  const { stream, data } = await call("count").stream();
  const chunks = [];
  for await (const chunk of stream) {
    chunks.push(chunk);
  }
  assert.deepEqual([chunks, await data], [[1, 2, 3], "done"]);
});

hearthTest("a browser's preflight is answered", async () => {
  const headers = { origin: "http://localhost:3000", "access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type" };
  const answer = await fetch(url("who"), { method: "OPTIONS", headers });
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.get("access-control-allow-origin"), "http://localhost:3000");
  assert.equal(answer.headers.get("access-control-allow-headers"), "authorization,content-type");
});

hearthTest("seed 001: a moderator makes another one, and nobody else does", async () => {
  const email = address("ben");
  await server.auth.createUser({ email });
  assert.match((await call("addAdmin")({ email })).data.error, /not authorized/);
  await server.auth.setCustomUserClaims(user.uid, { moderator: true });
  await user.getIdToken(true);
  assert.match((await call("addAdmin")({ email })).data.result, /is now a moderator/);
  assert.deepEqual((await server.auth.getUserByEmail(email)).customClaims, { moderator: true });
});

hearthTest("seed 000: the guard lets partners in by POST, says why to others in dev, and the log has it all", async () => {
  await getFirestore(server.app).collection("demo").doc("a").set({ name: "Ada" });
  const ask = (method, token) => fetch(url("fetchData"), { method, headers: token ? { authorization: `Bearer ${token}` } : {} });
  const outsider = await ask("POST");
  assert.equal(outsider.status, 403);
  assert.match((await outsider.json()).error.message, /auth\.token/);
  const token = await user.getIdToken();
  assert.equal((await ask("POST", token)).status, 403);
  assert.equal((await ask("POST", "forged")).status, 401);
  await server.auth.setCustomUserClaims(user.uid, { role: "partner" });
  const partner = await user.getIdToken(true);
  assert.equal((await ask("GET", partner)).status, 403);
  const answer = await ask("POST", partner);
  assert.deepEqual([answer.status, await answer.json()], [200, [{ name: "Ada" }]]);
  const question = ["--service", "functions", "--path", "/functions/us-central1/fetchData"];
  const events = await log(`${path}/.hearth`, question, (events) => events.length >= 5);
  const told = events.map(({ verdict, caller, who }) => [verdict, caller, who]);
  const seen = (verdict, caller, who) => told.some((one) => one[0] === verdict && one[1] === caller && one[2] === who);
  assert.ok(seen("deny", "unauthenticated", undefined) && seen("deny", "user", user.uid) && seen("allow", "user", user.uid), JSON.stringify(told));
  assert.ok(events.every(({ details }) => /^[0-9a-f]{32}$/.test(details.trace)));
});

hearthTest("a guard takes effect when the file is saved, and a broken one changes nothing", async () => {
  const file = join(path, "hearth.toml");
  writeFileSync(file, HEARTH_TOML + '\n[functions.echo]\nrequire = "false"\n');
  await eventually(async () => (await fetch(url("echo"))).status === 403, "the new guard");
  writeFileSync(file, HEARTH_TOML + '\n[functions.echo]\nrequire = "fal se"\n');
  await sleep(1200);
  assert.equal((await fetch(url("echo"))).status, 403);
  writeFileSync(file, HEARTH_TOML);
  await eventually(async () => (await fetch(url("echo"))).status === 200, "the guard is gone");
});

hearthTest("what never returns and what never ends is cut off while others are served", async () => {
  const never = fetch(url("never"));
  const cut = assert.rejects(fetch(url("endless")).then((answer) => answer.text()));
  assert.equal((await fetch(url("version"))).status, 200);
  const answer = await never;
  assert.deepEqual([answer.status, (await answer.json()).error.status], [504, "DEADLINE_EXCEEDED"]);
  await cut;
  assert.equal((await fetch(url("version"))).status, 200);
});

hearthTest("code that is saved is served, the code of before until it loads", async () => {
  writeFileSync(join(source, "index.js"), CODE + "\nthis is not JavaScript");
  await eventually(() => hearth.said().includes("stays in service"), "the failure is said");
  assert.equal(await (await fetch(url("version"))).text(), "one");
  writeFileSync(join(source, "index.js"), CODE.replace('"one"', '"two"'));
  await eventually(async () => (await (await fetch(url("version"))).text()) === "two", "the new code");
});

hearthTest("a worker that ends comes back", async () => {
  assert.equal((await fetch(url("die"))).status, 503);
  await eventually(async () => (await fetch(url("version"))).status === 200, "the worker is back");
});

hearthTest("code of the first generation on a newer package: the answer and the log say which import mends it", async () => {
  const index = join(source, "index.js");
  writeFileSync(index, readFileSync(index, "utf8").replace('require("firebase-functions/v1")', 'require("firebase-functions")'));
  const mended = async () => {
    const headers = { "content-type": "application/json", authorization: `Bearer ${await user.getIdToken()}` };
    const answer = await fetch(url("addAdmin"), { method: "POST", body: '{"data":{"email":"x@y.z"}}', headers });
    return answer.status === 500 && (await answer.json()).error.message.includes("require('firebase-functions/v1')");
  };
  await eventually(mended, "the mend is in the answer", 10_000);
  await eventually(() => hearth.said().includes("index.js:14: firebase-functions 7"), "the mend is in the log");
});
