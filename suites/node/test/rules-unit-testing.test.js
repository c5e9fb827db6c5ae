// @firebase/rules-unit-testing as it is: environments, mock users and disabled rules. Its contexts carry the full SDK, whose
// reads and writes ride on streams; transactions and counts do not.

import assert from "node:assert/strict";
import { after } from "node:test";

import { assertFails, assertSucceeds, initializeTestEnvironment } from "@firebase/rules-unit-testing";
import { doc, getCountFromServer, collection, getDoc, runTransaction, setDoc, setLogLevel } from "firebase/firestore";

import { CLOSED, dev, test } from "../hearth.js";

setLogLevel("silent");
const hearth = await dev({ rules: CLOSED });
const [host, port] = hearth.firestore.split(":");

const RULES = `
rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /notes/{uid} {
      allow read: if request.auth.uid == uid;
      allow write: if request.auth.uid == uid && request.auth.token.plan == 'gold';
    }
    match /public/{id} { allow read; }
  }
}`;

const environment = await initializeTestEnvironment({
  projectId: hearth.project,
  firestore: { host, port: Number(port), rules: RULES },
});
after(async () => {
  await environment.cleanup();
  await hearth.stop();
});

const read = (db, path) => runTransaction(db, async (transaction) => (await transaction.get(doc(db, path))).data());
const write = (db, path, fields) => runTransaction(db, async (transaction) => void transaction.set(doc(db, path), fields));

test("mock users are who they say, with the claims they say", async () => {
  const gold = environment.authenticatedContext("maria", { plan: "gold" }).firestore();
  const plain = environment.authenticatedContext("maria").firestore();
  const other = environment.authenticatedContext("jose", { plan: "gold" }).firestore();
  await assertSucceeds(write(gold, "notes/maria", { text: "hers" }));
  await assertFails(write(plain, "notes/maria", { text: "hers" }));
  await assertFails(write(other, "notes/maria", { text: "his" }));
  assert.deepEqual(await assertSucceeds(read(plain, "notes/maria")), { text: "hers" });
  await assertFails(read(other, "notes/maria"));
});

test("who is signed out reads what is public", async () => {
  const db = environment.unauthenticatedContext().firestore();
  await assertSucceeds(getCountFromServer(collection(db, "public")));
  await assertFails(getCountFromServer(collection(db, "notes")));
  await assertFails(read(db, "notes/maria"));
});

test("rules are disabled for the set-up, and clearing clears", async () => {
  await environment.withSecurityRulesDisabled(async (context) => {
    await write(context.firestore(), "secret/x", { n: 1 });
    assert.deepEqual(await read(context.firestore(), "secret/x"), { n: 1 });
  });
  await environment.clearFirestore();
  await environment.withSecurityRulesDisabled(async (context) => {
    assert.equal(await read(context.firestore(), "secret/x"), undefined);
  });
});

test("broken rules are refused with their place", async () => {
  const broken = { projectId: hearth.project, firestore: { host, port: Number(port), rules: "service cloud.firestore {" } };
  await assert.rejects(initializeTestEnvironment(broken), /L?1|line/i);
  await assertFails(read(environment.unauthenticatedContext().firestore(), "notes/maria"));
});

test("plain reads and writes of the full SDK", async () => {
  const db = environment.authenticatedContext("maria", { plan: "gold" }).firestore();
  await assertSucceeds(setDoc(doc(db, "notes/maria"), { text: "hers" }));
  assert.deepEqual((await assertSucceeds(getDoc(doc(db, "notes/maria")))).data(), { text: "hers" });
});

test("the Realtime Database: rules, mock users, disabled rules, clearing", async () => {
  const [name, number] = hearth.database.split(":");
  const rules = '{"rules": { // notes\n "notes": {"$uid": {".read": "auth.uid == $uid", ".write": "auth.token.plan == \'gold\'"}}}}';
  const database = { host: name, port: Number(number), rules };
  const own = await initializeTestEnvironment({ projectId: "demo-rut-database", database });
  const gold = own.authenticatedContext("maria", { plan: "gold" }).database();
  await assertSucceeds(gold.ref("notes/maria").set("hers"));
  await assertSucceeds(gold.ref("notes/maria").get());
  await assertFails(own.authenticatedContext("maria").database().ref("notes/maria").set("hers"));
  await assertFails(own.unauthenticatedContext().database().ref("notes/maria").get());
  await own.withSecurityRulesDisabled(async (context) => {
    assert.equal((await context.database().ref("notes/maria").get()).val(), "hers");
  });
  await own.clearDatabase();
  assert.equal((await gold.ref("notes/maria").get()).exists(), false);
  const broken = { projectId: "demo-rut-database", database: { ...database, rules: "invalid json %{!@[" } };
  await assert.rejects(initializeTestEnvironment(broken), /Parse error/);
  await own.cleanup();
});
