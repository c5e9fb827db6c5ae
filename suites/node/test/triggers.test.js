// Functions that events call, with the real packages: what they are told when data is written through the real SDKs.

import assert from "node:assert/strict";
import { after } from "node:test";

import { createUserWithEmailAndPassword } from "firebase/auth";
import { doc, setDoc } from "firebase/firestore/lite";
import { getFirestore } from "firebase-admin/firestore";

import { address, admin, client } from "../clients.js";
import { hearthTest, log, sleep } from "../hearth.js";
import { codebase, heard, told, triggered } from "../triggers.js";

const CODE = `
const functions = require("firebase-functions/v1");
const firestore = require("firebase-functions/v2/firestore");
const show = (snapshot) => (snapshot && snapshot.exists ? { ...snapshot.data() } : null);
const change = (data) => ({ before: show(data.before), after: show(data.after) });

for (const [name, on] of [["created", "onDocumentCreated"], ["deleted", "onDocumentDeleted"]]) {
  exports[name] = firestore[on]("demo/{id}", (event) => tell(name, { params: event.params, data: show(event.data), id: event.id }));
}
for (const [name, on] of [["updated", "onDocumentUpdated"], ["written", "onDocumentWritten"]]) {
  exports[name] = firestore[on]("demo/{id}", (event) => tell(name, { params: event.params, ...change(event.data), id: event.id,
    document: event.document, database: event.database, project: event.project, source: event.source, subject: event.subject, type: event.type,
    time: event.time, ref: event.data.after.ref.path, updated: event.data.after.exists && event.data.after.updateTime.toDate().toISOString() }));
}
exports.deep = firestore.onDocumentWritten("{rest=**}/deep/{id}", (event) => tell("deep", { params: event.params }));
exports.withAuth = firestore.onDocumentWrittenWithAuthContext("owned/{id}", (event) => tell("withAuth", { authType: event.authType, authId: event.authId }));
exports.other = firestore.onDocumentWritten({ document: "demo/{id}", database: "other" }, (event) => tell("other", { database: event.database }));
const first = functions.firestore.document("first/{id}");
exports.first = functions.runWith({ failurePolicy: false }).firestore.document("first/{id}").onWrite((data, context) => tell("first", { ...change(data), params: context.params, context }));
exports.firstCreated = first.onCreate((snapshot, context) => tell("firstCreated", { data: show(snapshot), context }));
exports.firstUpdated = first.onUpdate((data) => tell("firstUpdated", change(data)));
exports.firstDeleted = first.onDelete((snapshot) => tell("firstDeleted", { data: show(snapshot) }));
const failed = {};
exports.retried = firestore.onDocumentCreated({ document: "retried/{id}", retry: true }, (event) => {
  const times = (failed[event.params.id] = (failed[event.params.id] ?? 0) + 1);
  tell("retried", { id: event.params.id, times });
  if (times < 3) throw new Error("not yet");
});
exports.once = firestore.onDocumentCreated("once/{id}", () => { tell("once", {}); throw new Error("for good"); });
exports.slow = firestore.onDocumentWritten("slow/{id}", async (event) => {
  const { n } = event.data.after.data();
  await new Promise((resolve) => setTimeout(resolve, n % 2 ? 20 : 1));
  tell("slow", { id: event.params.id, n });
});
`;

const project = codebase(CODE, {
  json: { firestore: { rules: "firestore.rules" } },
  files: { "firestore.rules": "service cloud.firestore { match /databases/{d}/documents { match /{x=**} { allow read, write: if request.auth != null; } } }" },
});
const hearth = await triggered(project);
after(() => hearth.stop());
const { app } = admin(hearth);
const db = getFirestore(app);

hearthTest("a document that is created, updated and deleted is told with what was and what is", async () => {
  const place = db.doc("demo/abc");
  const { writeTime } = await place.set({ a: 1, nested: { x: [1, "2"] } });
  await place.update({ a: 2 });
  await place.delete();
  const written = await heard(project, "written", 3);
  assert.deepEqual(written.map(({ before, after }) => [before?.a ?? null, after?.a ?? null]), [[null, 1], [1, 2], [2, null]]);
  const [first] = written;
  assert.deepEqual(first.params, { id: "abc" });
  assert.deepEqual(first.after.nested, { x: [1, "2"] });
  assert.deepEqual(
    [first.document, first.database, first.project, first.subject, first.type, first.ref],
    ["demo/abc", "(default)", hearth.project, "documents/demo/abc", "google.cloud.firestore.document.v1.written", "demo/abc"],
  );
  assert.equal(first.source, `//firestore.googleapis.com/projects/${hearth.project}/databases/(default)`);
  assert.equal(first.updated, writeTime.toDate().toISOString());
  assert.equal(Date.parse(first.time), writeTime.toMillis());
  assert.deepEqual((await heard(project, "created")).map(({ data }) => data.a), [1]);
  assert.deepEqual((await heard(project, "updated")).map(({ before, after }) => [before.a, after.a]), [[1, 2]]);
  assert.deepEqual((await heard(project, "deleted")).map(({ data }) => data.a), [2]);
  assert.equal(told(project, "created")[0].id, first.id, "one event has one id, whoever is told");
});

hearthTest("what changes nothing, and what no pattern matches, is nobody's event", async () => {
  await db.doc("demo/same").set({ a: 1 });
  await heard(project, "written", 4);
  await db.doc("demo/same").set({ a: 1 });
  await db.doc("demo/same/sub/x").set({ a: 1 });
  await db.doc("x/y/deep/z").set({ a: 1 });
  const [deep] = await heard(project, "deep");
  assert.equal(deep.params.id, "z");
  await sleep(200);
  assert.equal(told(project, "written").length, 4);
});

hearthTest("the first generation gets data and context", async () => {
  const place = db.doc("first/abc");
  await place.set({ a: 1 });
  await place.set({ a: 2 });
  await place.delete();
  const all = await heard(project, "first", 3);
  assert.deepEqual(all.map(({ before, after }) => [before?.a ?? null, after?.a ?? null]), [[null, 1], [1, 2], [2, null]]);
  const { context, params } = all[0];
  assert.deepEqual(params, { id: "abc" });
  assert.equal(context.eventType, "google.firestore.document.write");
  assert.deepEqual(context.resource, { service: "firestore.googleapis.com", name: `projects/${hearth.project}/databases/(default)/documents/first/abc` });
  for (const name of ["firstCreated", "firstUpdated", "firstDeleted"]) {
    assert.equal((await heard(project, name)).length, 1, name);
  }
});

hearthTest("who caused it is told where the trigger asks", async () => {
  await db.doc("owned/a").set({ a: 1 });
  assert.deepEqual((await heard(project, "withAuth")).map(({ authType, authId }) => [authType, authId]), [["service_account", "owner"]]);
  const { auth, db: web } = client(hearth);
  const { user } = await createUserWithEmailAndPassword(auth, address(), "secret words");
  await setDoc(doc(web, "owned/b"), { b: 1 });
  const [, second] = await heard(project, "withAuth", 2);
  assert.deepEqual([second.authType, second.authId], ["unknown", user.uid]);
});

hearthTest("a named database has triggers of its own", async () => {
  const before = told(project, "written").length;
  await getFirestore(app, "other").doc("demo/there").set({ a: 1 });
  assert.deepEqual((await heard(project, "other")).map(({ database }) => database), ["other"]);
  assert.equal(told(project, "written").length, before);
});

hearthTest("what fails is told again where the function asks for it, and given up where not", async () => {
  await db.doc("retried/a").set({});
  await db.doc("once/a").set({});
  assert.deepEqual((await heard(project, "retried", 3)).map(({ times }) => times), [1, 2, 3]);
  await sleep(600);
  assert.equal(told(project, "once").length, 1);
});

hearthTest("events about one document come in its order, others beside them", async () => {
  const ids = ["a", "b", "c", "d"];
  for (let n = 0; n < 20; n++) {
    await Promise.all(ids.map((id) => db.doc(`slow/${id}`).set({ n })));
  }
  const all = await heard(project, "slow", 80);
  for (const id of ids) {
    assert.deepEqual(all.filter((one) => one.id === id).map(({ n }) => n), [...Array(20).keys()], id);
  }
});

hearthTest("while background triggers are disabled what is written is no event", async () => {
  const put = async (name) => (await fetch(`http://${hearth.hub}/functions/${name}`, { method: "PUT" })).json();
  const before = told(project, "created").length;
  assert.deepEqual(await put("disableBackgroundTriggers"), { enabled: false });
  await db.doc("demo/unheard").set({ a: 1 });
  assert.deepEqual(await put("enableBackgroundTriggers"), { enabled: true });
  await db.doc("demo/heard").set({ a: 1 });
  await heard(project, "created", before + 1);
  await sleep(200);
  assert.deepEqual(told(project, "created").slice(before).map(({ params }) => params.id), ["heard"]);
});

hearthTest("the access log has each delivery, and the request that caused it", async () => {
  await db.doc("demo/logged").set({ a: 1 });
  const data = `${project.path}/.hearth`;
  const writes = await log(data, ["--path", "/demo/logged"], (events) => events.length > 0);
  const deliveries = (events) => events.filter(({ verb, details }) => verb === "deliver" && details?.causedBy === writes[0].request);
  const events = await log(data, [], (all) => deliveries(all).length >= 2);
  assert.deepEqual(deliveries(events).map(({ path }) => path).sort(), ["/functions/us-central1/created", "/functions/us-central1/written"]);
  assert.match(deliveries(events)[0].details.trace, /^[0-9a-f]{32}$/);
});
