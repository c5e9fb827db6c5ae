// Functions that events of the other services call, with the real packages: the Realtime Database, accounts and objects.

import assert from "node:assert/strict";
import { after } from "node:test";

import { deleteApp } from "firebase/app";
import { createUserWithEmailAndPassword, deleteUser } from "firebase/auth";
import { connectDatabaseEmulator, getDatabase as getWebDatabase, ref, set } from "firebase/database";
import { getDatabase } from "firebase-admin/database";
import { getAuth } from "firebase-admin/auth";
import { getStorage } from "firebase-admin/storage";
import { initializeApp } from "firebase-admin/app";

import { address, client } from "../clients.js";
import { hearthTest, sleep } from "../hearth.js";
import { codebase, heard, told, triggered } from "../triggers.js";

const CODE = `
const functions = require("firebase-functions/v1");
const database = require("firebase-functions/v2/database");
const storage = require("firebase-functions/v2/storage");
const identity = require("firebase-functions/v2/identity");
const change = (data) => ({ before: data.before.val(), after: data.after.val() });
const who = (event) => ({ authType: event.authType, authId: event.authId });

exports.written = database.onValueWritten("/foo/{x}", (event) => tell("written", { ...change(event.data), params: event.params, ref: event.ref, instance: event.instance, type: event.type, subject: event.subject, ...who(event) }));
exports.created = database.onValueCreated("/foo/{x}", (event) => tell("created", { data: event.data.val(), params: event.params }));
exports.updated = database.onValueUpdated("/foo/{x}", (event) => tell("updated", change(event.data)));
exports.deleted = database.onValueDeleted("/foo/{x}", (event) => tell("deleted", { data: event.data.val() }));
exports.deep = database.onValueWritten("/deep/{a}/in/{b}", (event) => tell("deep", { ...change(event.data), params: event.params }));
exports.elsewhere = database.onValueWritten({ ref: "/foo/{x}", instance: "else*" }, (event) => tell("elsewhere", { instance: event.instance }));
exports.first = functions.database.ref("/first/{x}").onWrite((data, context) => tell("first", { ...change(data), params: context.params, auth: context.auth, authType: context.authType, eventType: context.eventType, resource: context.resource }));
exports.firstCreated = functions.database.ref("/first/{x}").onCreate((data, context) => tell("firstCreated", { data: data.val(), params: context.params }));
exports.counts = database.onValueWritten("/counts/{x}", (event) => tell("counts", { n: event.data.after.val(), x: event.params.x }));

exports.userCreated = functions.auth.user().onCreate((user, context) => tell("userCreated", { user, context }));
exports.userDeleted = functions.auth.user().onDelete((user) => tell("userDeleted", { uid: user.uid }));
if (identity.onUserCreated) {
  exports.userCreatedV2 = identity.onUserCreated((event) => tell("userCreatedV2", { uid: event.data.uid, email: event.data.email, type: event.type, project: event.project }));
  exports.userDeletedV2 = identity.onUserDeleted((event) => tell("userDeletedV2", { uid: event.data.uid }));
}

exports.finalized = storage.onObjectFinalized((event) => tell("finalized", { object: event.data, bucket: event.bucket, subject: event.subject, source: event.source, type: event.type }));
exports.objectDeleted = storage.onObjectDeleted((event) => tell("objectDeleted", { file: event.data.name, generation: event.data.generation }));
exports.metadataUpdated = storage.onObjectMetadataUpdated((event) => tell("metadataUpdated", { metadata: event.data.metadata }));
exports.firstFinalized = functions.storage.object().onFinalize((object, context) => tell("firstFinalized", { file: object.name, size: object.size, context }));
exports.firstObjectDeleted = functions.storage.object().onDelete((object) => tell("firstObjectDeleted", { file: object.name }));
exports.otherBucket = storage.onObjectFinalized("other-bucket", (event) => tell("otherBucket", { bucket: event.bucket }));
`;

const project = codebase(CODE, { json: { database: { rules: "database.rules.json" } }, files: { "database.rules.json": '{ "rules": { ".read": true, ".write": true } }' } });
const hearth = await triggered(project);
after(() => hearth.stop());
process.env.FIREBASE_DATABASE_EMULATOR_HOST = hearth.database;
const bucket = `${hearth.project}.appspot.com`;
const databaseURL = `http://${hearth.database}?ns=${hearth.project}-default-rtdb`;
const app = initializeApp({ projectId: hearth.project, databaseURL, storageBucket: bucket }, "triggers-services");
const db = getDatabase(app);
after(() => db.goOffline());

hearthTest("a place of the Realtime Database is told with what was and what is, for writes at it, below and above", async () => {
  await db.ref("foo/a").set({ n: 1, more: [1, 2] });
  await db.ref("foo/a/n").set(2);
  await db.ref("foo").update({ a: null, b: "leaf" });
  const all = await heard(project, "written", 4);
  const of = (x) => all.filter(({ params }) => params.x === x).map(({ before, after }) => [before, after]);
  assert.deepEqual(of("a"), [
    [null, { n: 1, more: [1, 2] }],
    [{ n: 1, more: [1, 2] }, { n: 2, more: [1, 2] }],
    [{ n: 2, more: [1, 2] }, null],
  ]);
  assert.deepEqual(of("b"), [[null, "leaf"]]);
  const { ref: at, instance, type, subject, authType } = all[0];
  assert.deepEqual([at, instance, type, subject, authType], ["foo/a", `${hearth.project}-default-rtdb`, "google.firebase.database.ref.v1.written", "refs/foo/a", "admin"]);
  assert.deepEqual((await heard(project, "created", 2)).map(({ data }) => data).sort(), [{ n: 1, more: [1, 2] }, "leaf"].sort());
  assert.deepEqual((await heard(project, "updated")).map(({ after }) => after.n), [2]);
  assert.deepEqual((await heard(project, "deleted")).map(({ data }) => data.n), [2]);
});

hearthTest("a write far above is an event of each place that it changes, and of no other", async () => {
  await db.ref("deep").set({ k: { in: { x: 1, y: 1 }, out: 1 }, l: { in: { z: 1 } } });
  await heard(project, "deep", 3);
  await db.ref("deep").set({ k: { in: { x: 1, y: 2 }, out: 2 }, l: { in: { z: 1 } } });
  const all = await heard(project, "deep", 4);
  assert.deepEqual(all[3], { ...all[3], before: 1, after: 2, params: { a: "k", b: "y" } });
  await sleep(200);
  assert.equal(told(project, "deep").length, 4);
});

hearthTest("another instance's triggers are its own", async () => {
  const before = told(project, "written").length;
  const other = initializeApp({ projectId: hearth.project, databaseURL: `http://${hearth.database}?ns=elsewhere` }, "elsewhere");
  await getDatabase(other).ref("foo/a").set(1);
  getDatabase(other).goOffline();
  assert.deepEqual((await heard(project, "elsewhere")).map(({ instance }) => instance), ["elsewhere"]);
  await heard(project, "written", before + 1);
});

hearthTest("the first generation's database triggers know who wrote", async () => {
  await db.ref("first/a").set({ n: 1 });
  const [first] = await heard(project, "first");
  assert.deepEqual([first.before, first.after, first.params, first.authType], [null, { n: 1 }, { x: "a" }, "ADMIN"]);
  assert.equal(first.eventType, "google.firebase.database.ref.write");
  const resource = `projects/_/instances/${hearth.project}-default-rtdb/refs/first/a`;
  assert.deepEqual(first.resource, { service: "firebaseio.com", name: resource });
  assert.deepEqual((await heard(project, "firstCreated")).map(({ data }) => data), [{ n: 1 }]);
  const { app: web, auth } = client(hearth);
  const { user } = await createUserWithEmailAndPassword(auth, address(), "secret words");
  const webDb = getWebDatabase(web, `http://${hearth.database}?ns=${hearth.project}-default-rtdb`);
  const [host, port] = hearth.database.split(":");
  connectDatabaseEmulator(webDb, host, Number(port));
  await set(ref(webDb, "first/b"), 1);
  await set(ref(webDb, "foo/web"), 1);
  const [, second] = await heard(project, "first", 2);
  assert.deepEqual([second.authType, second.auth.uid, second.auth.token.user_id], ["USER", user.uid, user.uid]);
  const mine = () => told(project, "written").filter(({ params }) => params.x === "web");
  for (let i = 0; i < 100 && mine().length === 0; i++) await sleep(20);
  assert.deepEqual([mine()[0].authType, mine()[0].authId], ["app_user", user.uid]);
  // A connection and a timer that renews the token would keep this process.
  await auth.signOut();
  await deleteApp(web);
});

hearthTest("writes of one place that follow each other are told in their order", async () => {
  for (let n = 1; n <= 50; n++) {
    db.ref("counts/a").set(n);
  }
  const all = await heard(project, "counts", 50);
  assert.deepEqual(all.map(({ n }) => n), Array.from({ length: 50 }, (_, at) => at + 1));
});

hearthTest("an account that is made and deleted is told to both generations, an imported one is not", async () => {
  const { auth } = client(hearth);
  const email = address();
  const { user } = await createUserWithEmailAndPassword(auth, email, "secret words");
  const [created] = await heard(project, "userCreated", 2).then((all) => all.filter((one) => one.user.uid === user.uid));
  assert.deepEqual([created.user.email, created.user.emailVerified, created.user.disabled], [email, false, false]);
  assert.deepEqual(created.user.providerData.map(({ providerId }) => providerId), ["password"]);
  assert.ok(Date.parse(created.user.metadata.creationTime) > Date.now() - 60_000, JSON.stringify(created.user.metadata));
  assert.equal(created.context.eventType, "google.firebase.auth.user.create");
  await deleteUser(user);
  assert.deepEqual((await heard(project, "userDeleted")).map(({ uid }) => uid), [user.uid]);
  const v2 = (await heard(project, "userCreatedV2", 2)).find(({ uid }) => uid === user.uid);
  assert.deepEqual([v2.email, v2.type, v2.project], [email, "google.firebase.auth.user.v2.created", hearth.project]);
  assert.deepEqual((await heard(project, "userDeletedV2")).map(({ uid }) => uid), [user.uid]);
  const count = told(project, "userCreated").length;
  await getAuth(app).importUsers([{ uid: "imported", email: "imported@example.com" }]);
  await getAuth(app).createUser({ uid: "made" });
  await heard(project, "userCreated", count + 1);
  assert.deepEqual(told(project, "userCreated").slice(count).map(({ user: { uid } }) => uid), ["made"]);
});

hearthTest("an object is told when it is there, when its metadata changes, and when it is gone", async () => {
  const file = getStorage(app).bucket().file("folder/a.txt");
  await file.save("hello", { contentType: "text/plain", metadata: { metadata: { own: "1" } } });
  const [first] = await heard(project, "finalized");
  const { object } = first;
  assert.deepEqual([object.name, object.bucket, object.contentType, object.kind, object.metadata.own], ["folder/a.txt", bucket, "text/plain", "storage#object", "1"]);
  assert.equal(Number(object.size), 5);
  assert.deepEqual([first.bucket, first.subject, first.source, first.type], [bucket, "objects/folder/a.txt", `//storage.googleapis.com/projects/_/buckets/${bucket}/objects/folder/a.txt`, "google.cloud.storage.object.v1.finalized"]);
  await file.setMetadata({ metadata: { own: "2" } });
  assert.equal((await heard(project, "metadataUpdated"))[0].metadata.own, "2");
  await file.save("again");
  await heard(project, "finalized", 2);
  assert.equal((await heard(project, "objectDeleted"))[0].generation, object.generation, "what is overwritten is gone");
  await file.delete();
  await heard(project, "objectDeleted", 2);
  await heard(project, "firstFinalized", 2);
  const [v1] = told(project, "firstFinalized");
  assert.deepEqual([v1.file, v1.context.eventType, v1.context.resource.name], ["folder/a.txt", "google.storage.object.finalize", `projects/_/buckets/${bucket}/objects/folder/a.txt`]);
  await heard(project, "firstObjectDeleted", 2);
  assert.equal(told(project, "otherBucket").length, 0);
});
