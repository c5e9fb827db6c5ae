// Cloud Storage with the SDKs as they are: web, Admin and Google's own client, guarded by rules.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after } from "node:test";

import { assertFails, assertSucceeds, initializeTestEnvironment } from "@firebase/rules-unit-testing";
import { deleteApp, initializeApp } from "firebase/app";
import {
  connectStorageEmulator,
  deleteObject,
  getBytes,
  getDownloadURL,
  getMetadata,
  getStorage,
  list,
  listAll,
  ref,
  updateMetadata,
  uploadBytes,
  uploadBytesResumable,
  uploadString,
} from "firebase/storage";
import * as admin from "firebase-admin";

import { CLOSED, dev, folder, test } from "../hearth.js";

const PROJECT = "demo-suite";
const BUCKET = `${PROJECT}.appspot.com`;
const RULES = `
rules_version = '2';
service firebase.storage {
  match /b/{bucket}/o {
    match /public/{rest=**} { allow read; }
    match /users/{uid}/{rest=**} {
      allow read, delete, update: if request.auth.uid == uid;
      allow create: if request.auth.uid == uid && request.resource.size < 6 * 1024 * 1024;
    }
    match /editors/{file} {
      allow read: if true;
      allow create: if firestore.get(/databases/(default)/documents/roles/$(request.auth.uid)).data.editor == true;
    }
  }
}`;

const path = folder({
  "firebase.json": { firestore: { rules: "firestore.rules" }, storage: { rules: "storage.rules" } },
  ".firebaserc": { projects: { default: PROJECT } },
  "firestore.rules": CLOSED,
  "storage.rules": RULES,
});
const hearth = await dev({ path });
const [host, port] = hearth.storage.split(":");

const app = initializeApp({ projectId: PROJECT, storageBucket: BUCKET, apiKey: "none" }, "web");
const as = (user) => {
  const own = initializeApp({ projectId: PROJECT, storageBucket: BUCKET, apiKey: "none" }, `app-${Math.random()}`);
  const storage = getStorage(own);
  connectStorageEmulator(storage, host, Number(port), user ? { mockUserToken: { sub: user } } : {});
  storage.maxUploadRetryTime = 5_000;
  storage.maxOperationRetryTime = 5_000;
  apps.push(own);
  return storage;
};
const apps = [app];
const owner = admin.default.initializeApp({ projectId: PROJECT, storageBucket: BUCKET }, "owner");
after(async () => {
  await Promise.all(apps.map(deleteApp));
  await owner.delete();
  await hearth.stop();
});

const fails = (code) => (error) => assert.equal(error.code, code) ?? true;

test("web: bytes go up and come down, with metadata and a URL", async () => {
  const at = ref(as("maria"), "users/maria/a b+ä.txt");
  const { metadata } = await uploadBytes(at, Buffer.from("hello world"), {
    contentType: "text/plain",
    customMetadata: { stage: "draft" },
  });
  assert.equal(metadata.md5Hash, "XrY7u+Ae7tCTyyK7j1rNww==");
  assert.deepEqual(metadata.customMetadata, { stage: "draft" });
  assert.equal(Buffer.from(await getBytes(at)).toString(), "hello world");
  assert.equal(Buffer.from(await getBytes(at, 5)).toString(), "hello");
  const answer = await fetch(await getDownloadURL(at));
  assert.equal(await answer.text(), "hello world");
  assert.equal((await updateMetadata(at, { customMetadata: { stage: "done" } })).customMetadata.stage, "done");
  assert.equal((await getMetadata(at)).size, 11);
  await deleteObject(at);
  await assert.rejects(getMetadata(at), fails("storage/object-not-found"));
});

test("web: what rules deny is unauthorized, there or not", async () => {
  const maria = as("maria");
  await uploadString(ref(maria, "users/maria/secret"), "x");
  const jose = as("jose");
  await assert.rejects(getBytes(ref(jose, "users/maria/secret")), fails("storage/unauthorized"));
  await assert.rejects(getBytes(ref(jose, "users/maria/none")), fails("storage/unauthorized"));
  await assert.rejects(uploadString(ref(as(), "users/maria/secret"), "y"), fails("storage/unauthorized"));
  await assert.rejects(listAll(ref(jose, "users/maria")), fails("storage/unauthorized"));
});

test("web: a large object comes in chunks, is paused and goes on; a larger one is refused before its bytes", async () => {
  const maria = as("maria");
  const bytes = randomBytes(5 * 1024 * 1024);
  const task = uploadBytesResumable(ref(maria, "users/maria/large"), bytes);
  let paused = false;
  task.on("state_changed", ({ bytesTransferred }) => {
    if (!paused && bytesTransferred > 0) {
      paused = true;
      task.pause();
      setTimeout(() => task.resume(), 50);
    }
  });
  await task;
  assert.ok(paused);
  assert.ok(bytes.equals(Buffer.from(await getBytes(ref(maria, "users/maria/large")))));
  const refused = uploadBytesResumable(ref(maria, "users/maria/larger"), Buffer.alloc(7 * 1024 * 1024));
  await assert.rejects(Promise.resolve(refused), fails("storage/unauthorized"));
  assert.equal(refused.snapshot.bytesTransferred, 0);
});

test("web: lists have folders and pages", async () => {
  const bucket = owner.storage().bucket();
  for (const name of ["public/1", "public/2", "public/3", "public/in/4"]) {
    await bucket.file(name).save(name);
  }
  const nobody = as();
  const all = await listAll(ref(nobody, "public"));
  assert.deepEqual(all.items.map((item) => item.name), ["1", "2", "3"]);
  assert.deepEqual(all.prefixes.map((item) => item.fullPath), ["public/in"]);
  const first = await list(ref(nobody, "public"), { maxResults: 2 });
  const second = await list(ref(nobody, "public"), { maxResults: 2, pageToken: first.nextPageToken });
  assert.deepEqual([...first.items, ...second.items].map((item) => item.name), ["1", "2", "3"]);
});

test("rules read Firestore: a role that is given and taken decides", async () => {
  const role = owner.firestore().doc("roles/maria");
  const at = ref(as("maria"), "editors/a");
  await assert.rejects(uploadString(at, "x"), fails("storage/unauthorized"));
  await role.set({ editor: true });
  await uploadString(at, "x");
  await role.delete();
  await assert.rejects(uploadString(at, "y"), fails("storage/unauthorized"));
});

test("Admin SDK: files are saved, streamed, copied, moved, listed and deleted", async () => {
  const bucket = owner.storage().bucket();
  const bytes = randomBytes(3 * 1024 * 1024);
  await bucket.file("admin/simple").save(bytes, { resumable: false, metadata: { contentType: "a/b", metadata: { k: "v" } } });
  await bucket.file("admin/resumable").save(bytes, { resumable: true, validation: "crc32c" });
  for (const name of ["admin/simple", "admin/resumable"]) {
    const [got] = await bucket.file(name).download();
    assert.ok(bytes.equals(got), name);
  }
  const [part] = await bucket.file("admin/simple").download({ start: 10, end: 19 });
  assert.ok(bytes.subarray(10, 20).equals(part));
  await bucket.file("admin/simple").copy(bucket.file("admin/copy"));
  await bucket.file("admin/copy").move("admin/moved");
  const [metadata] = await bucket.file("admin/moved").getMetadata();
  assert.deepEqual([metadata.contentType, metadata.metadata.k, metadata.size], ["a/b", "v", String(bytes.length)]);
  await bucket.file("admin/moved").setMetadata({ metadata: { k: null, l: "w" } });
  const [files] = await bucket.getFiles({ prefix: "admin/" });
  assert.deepEqual(files.map((file) => file.name), ["admin/moved", "admin/resumable", "admin/simple"]);
  await bucket.combine(["admin/simple", "admin/resumable"], "admin/both");
  assert.equal(Number((await bucket.file("admin/both").getMetadata())[0].size), 2 * bytes.length);
  await bucket.file("admin/simple").makePublic();
  await bucket.deleteFiles({ prefix: "admin/" });
  assert.deepEqual((await bucket.getFiles({ prefix: "admin/" }))[0], []);
  assert.deepEqual(await bucket.file("admin/simple").exists(), [false]);
  await assert.rejects(bucket.file("none").download(), { code: 404 });
});

test("Admin SDK: preconditions, buckets and a URL for a file", async () => {
  const bucket = owner.storage().bucket();
  await bucket.file("once").save("one", { preconditionOpts: { ifGenerationMatch: 0 } });
  await assert.rejects(bucket.file("once").save("two", { preconditionOpts: { ifGenerationMatch: 0 } }), { code: 412 });
  const other = owner.storage().bucket("another-bucket");
  assert.deepEqual(await other.exists(), [false]);
  const storage = new (await import("@google-cloud/storage")).Storage({ projectId: PROJECT, apiEndpoint: `http://${hearth.storage}` });
  await storage.createBucket("another-bucket");
  assert.deepEqual(await other.exists(), [true]);
  await storage.bucket("another-bucket").delete();
  const { getDownloadURL: urlOf } = await import("firebase-admin/storage");
  // It asks the Firebase API without a credential, where the rules decide.
  await bucket.file("public/url").save("one");
  assert.equal(await (await fetch(await urlOf(bucket.file("public/url")))).text(), "one");
});

test("rules-unit-testing: rules are put, mock users are who they say, and clearing clears", async () => {
  const environment = await initializeTestEnvironment({
    projectId: PROJECT,
    storage: { host, port: Number(port), rules: RULES },
  });
  const maria = environment.authenticatedContext("maria").storage();
  const jose = environment.authenticatedContext("jose").storage();
  await assertSucceeds(maria.ref("users/maria/x").putString("x").then());
  await assertFails(jose.ref("users/maria/x").putString("x").then());
  await assertFails(jose.ref("users/maria/x").getMetadata());
  await environment.withSecurityRulesDisabled(async (context) => {
    await context.storage().ref("x").putString("x");
    await context.storage().ref("x").getMetadata();
  });
  await environment.clearStorage();
  await environment.withSecurityRulesDisabled(async (context) => {
    await assert.rejects(context.storage().ref("x").getMetadata(), fails("storage/object-not-found"));
  });
  await environment.cleanup();
});
