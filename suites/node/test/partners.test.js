// `hearth partner`: from the account to the report, on examples/partner-api as it is.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";

import { signInWithEmailAndPassword } from "firebase/auth";
import { collection, getDocs } from "firebase/firestore/lite";
import { getFirestore } from "firebase-admin/firestore";

import { admin, client, fails } from "../clients.js";
import { dev, eventually, folder, hearthTest, repository, run } from "../hearth.js";

const example = join(repository, "examples/partner-api");
const path = folder({ ".firebaserc": { projects: { default: "demo-partners" } } });
["firebase.json", "firestore.rules", "hearth.toml"].forEach((file) => cpSync(join(example, file), join(path, file)));
mkdirSync(join(path, "functions"));
["index.js", "package.json"].forEach((file) => cpSync(join(example, "functions", file), join(path, "functions", file)));
symlinkSync(join(repository, "suites/node/node_modules"), join(path, "functions/node_modules"));

const hearth = await dev({ path, args: [] });
after(() => hearth.stop());
const data = join(path, ".hearth");
const server = admin(hearth);
const store = getFirestore(server.app);
await store.doc("demo/a").set({ name: "Invoice 17" });
const url = `http://127.0.0.1:${hearth.ready.ports.functions}/demo-partners/us-central1`;

function partner(...words) {
  const { status, stdout, stderr } = run(["partner", ...words, "--data", data, "--json"]);
  return status === 0 ? JSON.parse(stdout) : { error: stderr + stdout };
}
async function fetchData(headers = {}, method = "POST") {
  const answer = await fetch(`${url}/fetchData`, { method, headers });
  return [answer.status, await answer.json()];
}
const byKey = (key) => fetchData({ "x-api-key": key });
let acme;
let token;

hearthTest("add: an account with claims, a key, the guard, the rule and a call to try", async () => {
  acme = partner("add", "acme", "--email", "api@acme.example", "--function", "fetchData,exportAll", "--collection", "demo,orders");
  assert.match(acme.key, /^acme\.[A-Za-z0-9]{43}$/);
  const user = await server.auth.getUser(acme.partner.uid);
  assert.deepEqual(user.customClaims, { role: "partner", partner: "acme" });
  const { stdout } = run(["partner", "add", "other", "--email", "api@other.example", "--function", "fetchData", "--collection", "demo", "--url", url, "--data", data]);
  for (const part of [`curl -X POST ${url}/fetchData -H 'X-Api-Key: other.`, "[functions.fetchData]", "match /demo/{document}"]) {
    assert.ok(stdout.includes(part), stdout);
  }
  assert.match(partner("add", "acme", "--email", "again@acme.example").error, /already/);
  assert.match(partner("add", "No Name", "--email", "x@acme.example").error, /not a partner's name/);
  const stored = readFileSync(join(data, "access.log"), "latin1");
  assert.ok(!stored.includes(acme.key.split(".")[1]) && !stored.includes(acme.password), "nothing secret is in the log");
});

hearthTest("a call with the key is the partner's, and so is one with a token of its account", async () => {
  assert.deepEqual(await byKey(acme.key), [200, [{ name: "Invoice 17" }]]);
  const { auth, db } = client(hearth);
  const { user } = await signInWithEmailAndPassword(auth, "api@acme.example", acme.password);
  token = await user.getIdToken();
  assert.deepEqual(await fetchData({ authorization: `Bearer ${token}` }), [200, [{ name: "Invoice 17" }]]);
  assert.equal((await getDocs(collection(db, "demo"))).size, 1);
  await fails("permission-denied", () => getDocs(collection(db, "secrets")));
});

hearthTest("keys that are none, methods and functions that are not the partner's are refused", async () => {
  for (const key of ["acme.forged", "acme", "nobody.x", `other.${acme.key.split(".")[1]}`, ""]) {
    assert.notEqual((await byKey(key))[0], 200, key);
  }
  assert.equal((await fetchData({ "x-api-key": acme.key }, "GET"))[0], 403);
  assert.equal((await fetchData())[0], 403);
  const later = partner("add", "elsewhere", "--email", "api@elsewhere.example", "--function", "exportAll");
  const [status, { error }] = await byKey(later.key);
  assert.deepEqual([status, error.status], [403, "PERMISSION_DENIED"]);
  assert.match(error.message, /is for `exportAll` and not for `fetchData`/);
  // A key is no credential of Firestore's.
  const answer = await fetch(`http://${hearth.firestore}/v1/projects/demo-partners/databases/(default)/documents/demo`, { headers: { "x-api-key": acme.key } });
  assert.equal(answer.status, 403);
});

hearthTest("an expired partner calls nothing", async () => {
  const past = partner("add", "past", "--email", "api@past.example", "--function", "fetchData", "--expires", "2020-01-01");
  const [status, { error }] = await byKey(past.key);
  assert.deepEqual([status, error.message], [403, "the partner `past` has expired"]);
});

hearthTest("report: what it read, how often, what was denied, what it could and never did", async () => {
  // The log is written beside the answers.
  await eventually(() => partner("report", "acme", "--since", "1h").calls.fetchData.denied >= 2, "the denials are in the log");
  const report = partner("report", "acme", "--since", "1h");
  assert.equal(report.calls.fetchData.allowed, 2);
  assert.ok(report.collections.demo.read >= 3, JSON.stringify(report.collections));
  assert.ok(report.denials.some(({ what }) => what === "list secrets"), JSON.stringify(report.denials));
  assert.ok(report.neverUsed.includes("the function exportAll: never called"), JSON.stringify(report.neverUsed));
  assert.deepEqual(report.beyondItsCollections, []);
  assert.match(run(["partner", "report", "acme", "--data", data]).stdout, /Could and never did/);
});

hearthTest("rotate: the old key ends, the new one works", async () => {
  const { key } = partner("rotate", "acme", "--keep-old", "1h");
  assert.equal((await byKey(acme.key))[0], 200);
  assert.equal((await byKey(key))[0], 200);
  const last = partner("rotate", "acme", "--keep-old", "0s");
  assert.deepEqual([(await byKey(acme.key))[0], (await byKey(key))[0], (await byKey(last.key))[0]], [401, 401, 200]);
  acme.key = last.key;
});

hearthTest("suspend: keys, tokens and the account at once; resume undoes it", async () => {
  assert.equal(partner("suspend", "acme").suspended, true);
  assert.equal((await byKey(acme.key))[0], 401);
  assert.equal((await fetchData({ authorization: `Bearer ${token}` }))[0], 403);
  const { auth } = client(hearth);
  await assert.rejects(signInWithEmailAndPassword(auth, "api@acme.example", acme.password), (error) => error.code === "auth/user-disabled");
  assert.equal(partner("suspend", "acme", "--resume").suspended, false);
  assert.equal((await byKey(acme.key))[0], 200);
  assert.equal(partner("list").find(({ name }) => name === "acme").keys.length, 1);
});

hearthTest("more calls than the rate are too many, and say when the next may come", async () => {
  const answers = await Promise.all(Array.from({ length: 70 }, () => fetch(`${url}/fetchData`, { method: "POST", headers: { "x-api-key": acme.key } })));
  const refused = answers.filter(({ status }) => status === 429);
  assert.ok(refused.length >= 5 && refused.length < 70, `${refused.length}`);
  assert.ok(Number(refused[0].headers.get("retry-after")) >= 1);
  assert.equal((await refused[0].json()).error.status, "RESOURCE_EXHAUSTED");
});
