// Listeners in production: real tokens, and what ends a listener while its token is still good. And a server that is killed.

import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import net from "node:net";
import { join } from "node:path";
import { after } from "node:test";

import { initializeApp } from "firebase/app";
import { connectAuthEmulator, createUserWithEmailAndPassword, getAuth } from "firebase/auth";
import { collection, doc, initializeFirestore, query, setDoc, setLogLevel, terminate, where } from "firebase/firestore";
import { cert, initializeApp as initializeAdmin } from "firebase-admin/app";
import { getAuth as getAdminAuth } from "firebase-admin/auth";

import { Watch, address } from "../clients.js";
import { againstPeer, folder, hearthTest, log, run, start } from "../hearth.js";

setLogLevel("silent");
const PROJECT = "acme-prod";
const RULES = `
rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /movies/{id} { allow read: if request.auth.token.moderator == true; }
    match /notes/{uid}/all/{id} { allow read, write: if request.auth.uid == uid; }
  }
}`;

const home = folder({ "firebase.json": { firestore: { rules: "firestore.rules" } }, "firestore.rules": RULES });
const data = join(home, "data");
let server;
let port;
let admin;
const apps = [];

if (!againstPeer) {
  const created = run(["service-account", "create", "server", "--data", data, "--project", PROJECT]);
  assert.equal(created.status, 0, created.stderr);
  writeFileSync(join(home, "key.json"), created.stdout);
  server = await serve(0);
  port = server.ready.ports.serve;
  const agent = new https.Agent({ keepAlive: false });
  agent.createConnection = () => net.connect(port, "127.0.0.1");
  const credential = cert(join(home, "key.json"), agent);
  admin = getAdminAuth(initializeAdmin({ credential, httpAgent: agent, projectId: PROJECT }, "server"));
}
after(async () => {
  await Promise.all(apps.map((db) => terminate(db)));
  await server?.stop();
  rmSync(home, { recursive: true, force: true });
});

function serve(at) {
  return start(["serve", home, "--listen", `127.0.0.1:${at}`, "--data", data, "--project", PROJECT, "--json"]);
}

async function signedUp() {
  const app = initializeApp({ projectId: PROJECT, apiKey: "public" }, `device-${apps.length}`);
  const auth = getAuth(app);
  connectAuthEmulator(auth, `http://127.0.0.1:${port}`, { disableWarnings: true }); // tells the address, no more
  const db = initializeFirestore(app, { host: `127.0.0.1:${port}`, ssl: false });
  apps.push(db);
  const { user } = await createUserWithEmailAndPassword(auth, address(), "correct horse battery");
  return { auth, db, user };
}

hearthTest("in serve, a claim that is revoked ends its listener within a second", async () => {
  const { db, user } = await signedUp();
  await admin.setCustomUserClaims(user.uid, { moderator: true });
  await user.getIdToken(true);
  const notes = collection(db, "notes", user.uid, "all");
  const [movies, own] = [new Watch(collection(db, "movies")), new Watch(notes)];
  await movies.shows([]);
  await own.shows([]);
  const revoked = Date.now();
  await admin.setCustomUserClaims(user.uid, {});
  await movies.fails("permission-denied");
  assert.ok(Date.now() - revoked < 1_000, `${Date.now() - revoked} ms`);
  await setDoc(doc(notes, "a"), { n: 1 });
  await own.shows(["a"]);
  own.stop();
  const events = await log(data, ["--verdict", "deny"], (events) => events.some((event) => event.details?.revoked));
  assert.ok(events.some((event) => event.verb === "Listen" && event.path === "/movies" && event.who === user.uid));
});

hearthTest("in serve, a user who is disabled keeps no listener", async () => {
  const { db, user } = await signedUp();
  const own = new Watch(collection(db, "notes", user.uid, "all"));
  await own.shows([]);
  await admin.updateUser(user.uid, { disabled: true });
  await own.fails("permission-denied");
});

hearthTest("a listener goes on after the server was killed, and is sent what it missed", async () => {
  const { db, user } = await signedUp();
  const notes = collection(db, "notes", user.uid, "all");
  for (const id of ["a", "b", "c"]) {
    await setDoc(doc(notes, id), { n: 1 });
  }
  const watch = new Watch(query(notes, where("n", "==", 1)));
  await watch.shows(["a", "b", "c"]);
  await server.stop("SIGKILL");
  const queued = setDoc(doc(notes, "d"), { n: 1 }); // waits for a server
  server = await serve(port);
  await queued;
  await watch.shows(["a", "b", "c", "d"]);
  assert.deepEqual(watch.changes.filter((change) => change.startsWith("removed")), []);
  assert.equal(watch.changes.filter((change) => change === "added d").length, 1);
  watch.stop();
});
