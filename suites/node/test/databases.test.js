// A database beside the default one, with the unmodified SDKs: rules, listeners, queries, transactions, exports of its own.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

import {
  collection,
  collectionGroup,
  connectFirestoreEmulator,
  deleteDoc,
  doc,
  getDoc,
  getFirestore,
  increment,
  limit,
  orderBy,
  query,
  runTransaction,
  setDoc,
  setLogLevel,
  terminate,
  updateDoc,
  where,
} from "firebase/firestore";
import { createUserWithEmailAndPassword } from "firebase/auth";
import { getFirestore as getAdminFirestore } from "firebase-admin/firestore";

import { Watch, address, admin, fails, fullClient } from "../clients.js";
import { dev, hearthTest } from "../hearth.js";

setLogLevel("silent");
const NAME = "orders";
const rules = (inside) => `rules_version = '2';
service cloud.firestore { match /databases/{database}/documents { ${inside} } }`;

const hearth = await dev({ rules: rules("match /closed/{id} { allow read, write: if false; }") });
after(() => hearth.stop());
const back = getAdminFirestore(admin(hearth).app, NAME);
const device = fullClient(hearth);
const db = getFirestore(device.app, NAME);
const [host, port] = hearth.firestore.split(":");
connectFirestoreEmulator(db, host, Number(port));
after(() => Promise.all([terminate(db), terminate(device.db), back.terminate()]));

const control = async (path, body, method = "POST") => {
  const url = `http://${hearth.firestore}/emulator/v1/projects/${hearth.project}${path}`;
  const answer = await fetch(url, { method, body: JSON.stringify(body), headers: { "content-type": "application/json" } });
  return { status: answer.status, body: await answer.json() };
};

hearthTest("its rules are its own", async () => {
  await fails("permission-denied", () => setDoc(doc(db, "items/a"), { n: 1 }));
  const text = rules(`match /{path=**}/items/{id} { allow read; allow write: if request.auth != null; }`);
  const files = { rules: { files: [{ name: "orders.rules", content: text }] } };
  assert.equal((await control(`/databases/${NAME}:securityRules`, files, "PUT")).status, 200);
  await fails("permission-denied", () => setDoc(doc(db, "items/a"), { n: 1 }));
  await createUserWithEmailAndPassword(device.auth, address(), "secret1");
  await setDoc(doc(db, "items/a"), { n: 1 });
  await fails("permission-denied", () => setDoc(doc(device.db, "items/a"), { n: 1 }));
  const { body } = await control(`/databases/${NAME}:securityRules`, undefined, "GET");
  assert.equal(body.rules.files[0].content, text);
});

hearthTest("listeners hear of its changes and of no other's", async () => {
  const watch = new Watch(query(collection(db, "items"), where("n", ">", 0), orderBy("n"), limit(2)));
  await watch.shows(["a"]);
  await getAdminFirestore(admin(hearth).app).doc("items/other").set({ n: 1 });
  await back.doc("items/b").set({ n: 2 });
  await watch.shows(["a", "b"]);
  await back.doc("items/c").set({ n: 0.5 });
  await watch.shows(["c", "a"]);
  await deleteDoc(doc(db, "items/c"));
  await watch.shows(["a", "b"]);
  watch.stop();
  assert.equal((await back.doc("items/other").get()).exists, false);
});

hearthTest("queries, transactions and counts are about it", async () => {
  await back.doc("shops/s/items/deep").set({ n: 7, kind: "x" });
  await back.doc("items/k").set({ n: 5, kind: "x" });
  const found = await back.collectionGroup("items").where("kind", "==", "x").orderBy("n", "desc").get();
  assert.deepEqual(found.docs.map((one) => one.ref.path), ["shops/s/items/deep", "items/k"]);
  const watch = new Watch(query(collectionGroup(db, "items"), where("kind", "==", "x"), orderBy("n", "desc")));
  await watch.shows(["deep", "k"]);
  watch.stop();
  await Promise.all([1, 2, 3].map(() => updateDoc(doc(db, "items/k"), { n: increment(1) })));
  await runTransaction(db, async (transaction) => {
    const { n } = (await transaction.get(doc(db, "items/k"))).data();
    transaction.update(doc(db, "items/k"), { n: n * 10 });
  });
  assert.equal((await getDoc(doc(db, "items/k"))).data().n, 80);
  assert.equal((await back.collection("items").count().get()).data().count, 3);
  assert.deepEqual((await back.listCollections()).map(({ id }) => id), ["items", "shops"]);
});

hearthTest("it is exported, cleared and imported alone", async () => {
  const folder = mkdtempSync(join(tmpdir(), "hearth-databases-"));
  after(() => rmSync(folder, { recursive: true }));
  const body = { export_directory: folder, export_name: "one" };
  assert.equal((await control(`/databases/${NAME}:export`, body)).status, 200);
  const watch = new Watch(collection(db, "items"));
  await watch.shows(["a", "b", "k"]);
  await control(`/databases/${NAME}/documents`, undefined, "DELETE");
  await watch.shows([]);
  const from = { export_directory: join(folder, "one", "one.overall_export_metadata") };
  assert.equal((await control(`/databases/${NAME}:import`, from)).status, 200);
  await watch.shows(["a", "b", "k"]);
  watch.stop();
  assert.equal((await back.doc("shops/s/items/deep").get()).data().n, 7);
});
