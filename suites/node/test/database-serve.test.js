// The Realtime Database in production: closed until rules say otherwise, real tokens only, one database, and what a stop does.

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";

import { deleteApp, initializeApp } from "firebase/app";
import { connectAuthEmulator, createUserWithEmailAndPassword, getAuth, signOut } from "firebase/auth";
import { get, getDatabase, goOffline, onValue, ref, set } from "firebase/database";

import { address } from "../clients.js";
import { againstPeer, eventually, folder, hearthTest as test, log, sleep, start } from "../hearth.js";
import { Wire, events, mockToken, owner, putRules, rest } from "../realtime.js";

const PROJECT = "acme-prod";
const NS = `${PROJECT}-default-rtdb`;
const RULES = { rules: { public: { ".read": true }, users: { $uid: { ".read": "auth.uid == $uid", ".write": "auth.uid == $uid" } } } };
const home = folder({ "firebase.json": { database: { rules: "database.rules.json" } }, "database.rules.json": RULES });
const data = join(home, "data");
const serve = () => start(["serve", home, "--listen", "127.0.0.1:0", "--data", data, "--project", PROJECT, "--json"]);
let server = againstPeer ? undefined : await serve();
const host = () => `127.0.0.1:${server.ready.ports.serve}`;
const apps = [];

after(async () => {
  // A client whose server has gone would try to come back for minutes, and keep this process.
  apps.forEach((app) => goOffline(getDatabase(app)));
  await Promise.all(apps.map((app) => signOut(getAuth(app))));
  await Promise.all(apps.map(deleteApp));
  await server?.stop();
  rmSync(home, { recursive: true, force: true });
});

async function signedUp() {
  const app = initializeApp({ projectId: PROJECT, apiKey: "public", databaseURL: `http://${host()}?ns=${NS}` }, `serve-${apps.length}`);
  apps.push(app);
  const auth = getAuth(app);
  connectAuthEmulator(auth, `http://${host()}`, { disableWarnings: true }); // tells the address, no more
  const { user } = await createUserWithEmailAndPassword(auth, address(), "correct horse battery");
  return { user, db: getDatabase(app) };
}

test("rules hold, for real tokens in every protocol", async () => {
  const { user, db } = await signedUp();
  await set(ref(db, `users/${user.uid}`), "mine");
  assert.equal((await get(ref(db, `users/${user.uid}`))).val(), "mine");
  await assert.rejects(set(ref(db, "users/other"), 1), /PERMISSION_DENIED/);
  const path = `/users/${user.uid}.json`;
  assert.equal((await rest(host(), path, { ns: NS, query: `&auth=${await user.getIdToken()}` })).text, '"mine"');
  assert.deepEqual(JSON.parse((await rest(host(), path, { ns: NS })).text), { error: "Permission denied" }, "no reasons in production");
  assert.equal((await rest(host(), "/public.json", { ns: NS })).status, 200);
  const events = await log(data, ["--service", "database"], (all) => all.some(({ verdict }) => verdict === "deny"));
  assert.ok(events.length > 0);
});

test("what exists in dev only is refused", async () => {
  const wire = await Wire.open(host(), { ns: NS });
  for (const [action, cred] of [["gauth", "owner"], ["auth", "owner"], ["auth", mockToken("ann")], ["gauth", mockToken("ann")]]) {
    const { s, d } = await wire.ask(action, { cred });
    assert.deepEqual([s, d], ["invalid_token", "Could not parse auth token."], `${action} ${cred}`);
  }
  assert.equal((await wire.ask("p", { p: "/users/ann", d: 1 })).s, "permission_denied");
  assert.ok(!wire.pushes.some(({ a }) => a === "sd"), "nothing is explained");
  await wire.end();
  for (const query of [`&auth=${mockToken("ann")}`, "&access_token=owner", "&auth=owner"]) {
    assert.equal((await rest(host(), "/users/ann.json", { ns: NS, query })).status, 401, query);
  }
  assert.equal((await rest(host(), "/users/ann.json", { ns: NS, headers: owner })).status, 401);
  assert.equal((await putRules(host(), { ".read": true }, NS)).status, 401);
  assert.equal((await rest(host(), "/.settings/rules.json", { ns: NS, headers: { authorization: "Bearer anything" } })).status, 401);
  for (const path of ["/.inspect/databases.json", "/.inspect/coverage.json", "/.inspect/coverage"]) {
    assert.equal((await rest(host(), path, { ns: NS, headers: owner })).status, 404, path);
  }
});

test("a database that is not there is said to be none, for good", async () => {
  assert.equal((await rest(host(), "/public.json", { ns: "other" })).status, 404);
  assert.equal((await fetch(`http://${host()}/public.json`)).status, 404, "and none is guessed");
  for (const ns of ["other", "../x", "%00"]) {
    const wire = await Wire.open(host(), { ns });
    assert.deepEqual([wire.messages[0].t, wire.messages[0].d.t], ["c", "s"]);
    await eventually(() => wire.closed, "the end");
  }
  const polled = await (await fetch(`http://${host()}/.lp?start=t&ser=1&cb=1&v=5&ns=other`)).text();
  assert.match(polled, /pRTLPCB\(0,\[\{"t":"c","d":\{"t":"s"/);
});

test("another version of the protocol is refused with a word", async () => {
  const answer = await fetch(`http://${host()}/.lp?start=t&cb=1&v=4&ns=${NS}`);
  assert.equal(answer.status, 400);
  assert.match(await answer.text(), /`4`.*version 5/);
});

test("a stop ends sockets, polls and streams, and the SDK comes back to the next server", async () => {
  const wire = await Wire.open(host(), { ns: NS });
  const stream = await events(host(), "/public.json", { ns: NS });
  await eventually(() => stream.frames.length === 1, "a stream");
  const script = await (await fetch(`http://${host()}/.lp?start=t&ser=1&cb=1&v=5&ns=${NS}`)).text();
  const [, id, password] = script.match(/'start','(\w+)','(\w+)'/);
  const poll = fetch(`http://${host()}/.lp?id=${id}&pw=${password}&ns=${NS}`).then((answer) => answer.text());
  await sleep(200);
  const began = Date.now();
  await server.stop();
  assert.ok(Date.now() - began < 5_000, `it took ${Date.now() - began} ms`);
  await eventually(() => wire.closed && stream.over, "their ends");
  assert.equal(wire.closed.code, 1001);
  assert.match(await poll, /close/);
  server = await serve();
  const { user, db } = await signedUp();
  let heard;
  onValue(ref(db, `users/${user.uid}`), (found) => (heard = found.val()));
  await set(ref(db, `users/${user.uid}`), 2);
  await eventually(() => heard === 2, "what was written");
});
