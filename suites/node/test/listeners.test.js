// Firestore in real time with the unmodified SDKs: the full web SDK (which speaks gRPC in Node) and the Admin SDK.

import assert from "node:assert/strict";
import { after } from "node:test";

import {
  addDoc,
  arrayUnion,
  collection,
  collectionGroup,
  deleteDoc,
  doc,
  getDoc,
  increment,
  limit,
  limitToLast,
  onSnapshot,
  orderBy,
  query,
  runTransaction,
  serverTimestamp,
  setDoc,
  setLogLevel,
  terminate,
  updateDoc,
  waitForPendingWrites,
  where,
  writeBatch,
} from "firebase/firestore";
import { createUserWithEmailAndPassword } from "firebase/auth";
import { getFirestore as getAdminFirestore } from "firebase-admin/firestore";

import { Watch, address, admin, fullClient } from "../clients.js";
import { dev, eventually, hearthTest, putRules, test } from "../hearth.js";

setLogLevel("silent");

const rules = (inside) => `
rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /{path=**}/open/{id} { allow read, write; }
    match /mod/{id} { allow read: if request.auth.token.moderator == true; }
    match /team/{id} {
      allow read: if get(/databases/$(database)/documents/roles/$(request.auth.uid)).data.role == 'member';
    }
    match /shown/{id} { allow read: if resource.data.public == true; }
    ${inside}
  }
}`;

const hearth = await dev({ rules: rules("") });
after(() => hearth.stop());
const server = admin(hearth);
const back = getAdminFirestore(server.app);
const apps = [];
after(() => Promise.all([...apps.map((db) => terminate(db)), back.terminate()]));
let names = 0;
const fresh = () => `rooms/r${++names}/open`;

function device() {
  const client = fullClient(hearth);
  apps.push(client.db);
  return client;
}

async function signedIn() {
  const client = device();
  const { user } = await createUserWithEmailAndPassword(client.auth, address(), "correct horse");
  return { ...client, user };
}

test("a query shows what is there and then every change of it", async () => {
  const [reader, writer] = [device(), device()];
  const room = fresh();
  await setDoc(doc(writer.db, room, "a"), { n: 1 });
  const watch = new Watch(query(collection(reader.db, room), where("n", "==", 1)));
  await watch.shows(["a"]);
  await setDoc(doc(writer.db, room, "b"), { n: 1 });
  await watch.shows(["a", "b"]);
  await updateDoc(doc(writer.db, room, "a"), { n: 2 });
  await watch.shows(["b"]);
  await deleteDoc(doc(writer.db, room, "b"));
  await watch.shows([]);
  assert.deepEqual(watch.changes, ["added a", "added b", "removed a", "removed b"]);
  watch.stop();
});

test("a limit refills, from either end", async () => {
  const { db } = device();
  const room = fresh();
  const batch = writeBatch(db);
  for (let n = 0; n < 12; n++) {
    batch.set(doc(db, room, `d${String(n).padStart(2, "0")}`), { n });
  }
  await batch.commit();
  const first = new Watch(query(collection(db, room), orderBy("n"), limit(3)));
  const last = new Watch(query(collection(db, room), orderBy("n"), limitToLast(2)));
  await first.shows(["d00", "d01", "d02"]);
  await last.shows(["d10", "d11"]);
  await back.doc(`${room}/d01`).delete();
  await first.shows(["d00", "d02", "d03"]);
  await back.doc(`${room}/new`).set({ n: 10.5 });
  await last.shows(["new", "d11"]);
  await back.doc(`${room}/d02`).update({ n: 100 });
  await first.shows(["d00", "d03", "d04"]);
  await last.shows(["d11", "d02"]);
  first.stop();
  last.stop();
});

test("documents, collection groups and queries share a stream", async () => {
  const { db } = device();
  const room = fresh();
  const document = new Watch(doc(db, room, "a"));
  await document.shows([]);
  const group = new Watch(query(collectionGroup(db, "open"), where("tag", "==", room)));
  await group.shows([]);
  await back.doc(`${room}/a`).set({ tag: room });
  await back.doc(`${room}/a/open/b`).set({ tag: room });
  await document.shows(["a"]);
  await group.shows(["a", "b"]);
  await back.doc(`${room}/a`).delete();
  await document.shows([]);
  await group.shows(["b"]);
  document.stop();
  group.stop();
});

test("local writes are acknowledged over the Write stream", async () => {
  const { db } = device();
  const ref = doc(db, fresh(), "a");
  const watch = new Watch(ref);
  await watch.shows([]);
  await setDoc(ref, { n: 1, list: [1], at: serverTimestamp() });
  await updateDoc(ref, { n: increment(2), list: arrayUnion(2) });
  await eventually(() => watch.last.metadata.hasPendingWrites === false && watch.last.data()?.n === 3, "both writes");
  assert.deepEqual(watch.last.data().list, [1, 2]);
  assert.equal((await back.doc(ref.path).get()).get("n"), 3);
  const sum = await runTransaction(db, async (transaction) => {
    const n = (await transaction.get(ref)).get("n");
    transaction.update(ref, { n: n + 1 });
    return n + 1;
  });
  assert.equal(sum, 4);
  for (let n = 0; n < 20; n++) {
    void addDoc(collection(db, ref.path, "open"), { n });
  }
  await waitForPendingWrites(db);
  assert.equal((await back.collection(`${ref.path}/open`).count().get()).data().count, 20);
  watch.stop();
});

test("a denied write is rolled back and the next ones go on", async () => {
  const { db } = device();
  const room = fresh();
  const denied = setDoc(doc(db, "mod", "x"), { n: 1 });
  const allowed = setDoc(doc(db, room, "x"), { n: 1 });
  await assert.rejects(denied, { code: "permission-denied" });
  await allowed;
  assert.equal((await getDoc(doc(db, room, "x"))).get("n"), 1);
});

test("a listener that is denied hears it, and others of its stream go on", async () => {
  const { db } = device();
  const room = fresh();
  const open = new Watch(collection(db, room));
  await open.shows([]);
  const denied = new Watch(collection(db, "mod"));
  await denied.fails("permission-denied");
  await back.doc(`${room}/a`).set({});
  await open.shows(["a"]);
  open.stop();
});

hearthTest("a claim that is revoked ends its listener within a second", async () => {
  const { db, user } = await signedIn();
  await server.auth.setCustomUserClaims(user.uid, { moderator: true });
  await user.getIdToken(true);
  const room = fresh();
  await back.doc("mod/a").set({ n: 1 });
  const [watch, other] = [new Watch(collection(db, "mod")), new Watch(collection(db, room))];
  await watch.shows(["a"]);
  await other.shows([]);
  const revoked = Date.now();
  await server.auth.setCustomUserClaims(user.uid, null);
  await watch.fails("permission-denied");
  assert.ok(Date.now() - revoked < 1_000, `${Date.now() - revoked} ms`);
  await back.doc(`${room}/a`).set({});
  await other.shows(["a"]);
  other.stop();
});

test("a role document that is deleted ends its listener", async () => {
  const { db, user } = await signedIn();
  await back.doc(`roles/${user.uid}`).set({ role: "member" });
  await back.doc("team/a").set({ n: 1 });
  const watch = new Watch(collection(db, "team"));
  await watch.shows(["a"]);
  await back.doc("team/b").set({ n: 2 });
  await watch.shows(["a", "b"]);
  const batch = back.batch();
  batch.delete(back.doc(`roles/${user.uid}`));
  batch.set(back.doc("team/secret"), { n: 3 });
  await batch.commit();
  await watch.fails("permission-denied");
  assert.ok(!watch.changes.includes("added secret"));
});

test("a document that becomes private leaves", async () => {
  const { db } = device();
  await back.doc("shown/a").set({ public: true });
  const watch = new Watch(query(collection(db, "shown"), where("public", "==", true)));
  await watch.shows(["a"]);
  await back.doc("shown/a").set({ public: false, secret: 1 });
  await watch.shows([]);
  watch.stop();
});

hearthTest("other rules decide again", async () => {
  const { db } = device();
  await putRules(hearth, rules("match /later/{id} { allow read; }"));
  const watch = new Watch(collection(db, "later"));
  await watch.shows([]);
  await putRules(hearth, rules(""));
  await watch.fails("permission-denied");
});

hearthTest("a user who is disabled keeps no listener", async () => {
  const { db, user } = await signedIn();
  await server.auth.setCustomUserClaims(user.uid, { moderator: true });
  await user.getIdToken(true);
  const watch = new Watch(collection(db, "mod"));
  await eventually(() => watch.last, "a first snapshot");
  await server.auth.updateUser(user.uid, { disabled: true });
  await watch.fails("permission-denied");
});

test("a server's listeners: documents and queries", async () => {
  const room = fresh();
  const seen = [];
  const stop = back
    .collection(room)
    .orderBy("n")
    .limit(2)
    .onSnapshot((snapshot) => seen.push(snapshot.docs.map((found) => found.id).join()));
  const ref = back.doc(`${room}/a`);
  const values = [];
  const stopDocument = ref.onSnapshot((snapshot) => values.push(snapshot.get("n")));
  await eventually(() => seen.length && values.length, "first snapshots");
  await ref.set({ n: 3 });
  await back.doc(`${room}/b`).set({ n: 2 });
  await back.doc(`${room}/c`).set({ n: 1 });
  await ref.update({ n: 0 });
  await ref.delete();
  await eventually(() => seen.at(-1) === "c,b" && values.at(-1) === undefined, "the last snapshots");
  assert.deepEqual([values[0], values.includes(3)], [undefined, true]);
  stop();
  stopDocument();
});
