// What happens to open streams: refusals, tokens that change, a server that dies and comes back.

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { dev, folder, start } from "../../node/hearth.js";
import { require, tab } from "../browser.js";

const { deleteApp, initializeApp } = require("firebase-admin/app");
const { getAuth } = require("firebase-admin/auth");
const { getFirestore } = require("firebase-admin/firestore");

const RULES = `
rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /open/{document=**} { allow read, write; }
    match /counters/{id} { allow read, write; }
    match /own/{uid} { allow read, write: if request.auth.uid == uid; }
    match /movies/{id} { allow read: if request.auth.token.role == 'moderator'; }
  }
}`;

const project = "demo-sessions";
const dir = folder({
  "firebase.json": { firestore: { rules: "firestore.rules" } },
  ".firebaserc": { projects: { default: project } },
  "firestore.rules": RULES,
});
const data = join(dir, "data");

let hearth;
let admin;
before(async () => {
  hearth = await dev({ project, path: dir, args: ["--data", data] });
  admin = initializeApp({ projectId: project });
});
after(async () => {
  await deleteApp(admin);
  await hearth?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const options = () => ({ project, emulator: hearth.firestore, authUrl: `http://${hearth.auth}` });

test("a listener that the rules deny ends, and the others go on", { timeout: 60_000 }, async () => {
  const page = await tab();
  const found = await page.evaluate(async (options) => {
    const { db } = sdk.open(options);
    const granted = sdk.follow(sdk.doc(db, "open/a"), (snapshot) => snapshot.data()?.n ?? null);
    const denied = sdk.follow(sdk.collection(db, "movies"), (snapshot) => snapshot.size);
    await denied.until(({ error }) => error, "the denial");
    const refused = await sdk.setDoc(sdk.doc(db, "movies/m"), {}).catch((error) => error.code);
    await sdk.setDoc(sdk.doc(db, "open/a"), { n: 7 });
    await granted.until(({ seen }) => seen.at(-1) === 7, "the other listener");
    return { error: denied.error, seen: denied.seen.length, refused, granted: granted.error };
  }, options());
  assert.deepEqual(found, { error: "permission-denied", seen: 0, refused: "permission-denied", granted: null });
  assert.deepEqual(page.failures, []);
  await page.context().close();
});

test("streams are the signed-in user's: sign-in, a claim that comes and goes, sign-out", { timeout: 60_000 }, async () => {
  const page = await tab();
  await getFirestore(admin).doc("movies/m1").set({ title: "Metropolis" });
  const uid = await page.evaluate(async (options) => {
    Object.assign(globalThis, sdk.open(options));
    const { user } = await sdk.auth.createUserWithEmailAndPassword(auth, "mod@example.com", "correct horse");
    globalThis.own = sdk.follow(sdk.doc(db, "own", user.uid), (snapshot) => snapshot.data()?.n ?? null);
    await sdk.setDoc(sdk.doc(db, "own", user.uid), { n: 1 });
    await own.until(({ seen }) => seen.at(-1) === 1, "one's own document");
    return user.uid;
  }, options());
  await getAuth(admin).setCustomUserClaims(uid, { role: "moderator" });
  await page.evaluate(async () => {
    await auth.currentUser.getIdToken(true);
    globalThis.movies = sdk.follow(sdk.collection(db, "movies"), (snapshot) => snapshot.size);
    await movies.until(({ seen }) => seen.at(-1) === 1, "the movies of a moderator");
    // The refreshed token took the streams over; the listener from before is still there.
    await sdk.setDoc(sdk.doc(db, "own", auth.currentUser.uid), { n: 2 });
    await own.until(({ seen }) => seen.at(-1) === 2, "one's own document again");
  });
  await getAuth(admin).setCustomUserClaims(uid, {});
  const found = await page.evaluate(async () => {
    await auth.currentUser.getIdToken(true);
    await movies.until(({ error }) => error, "the end of a listener without its claim");
    const signedIn = { own: own.error, movies: movies.error };
    await sdk.auth.signOut(auth);
    await own.until(({ error }) => error, "the end of a listener without its user");
    return { signedIn, signedOut: own.error };
  });
  const expected = { signedIn: { own: null, movies: "permission-denied" }, signedOut: "permission-denied" };
  assert.deepEqual(found, expected);
  assert.deepEqual(page.failures, []);
  await page.context().close();
});

test("a server that is killed and started again: pages go on, lose nothing and repeat nothing", { timeout: 120_000 }, async () => {
  const pages = await Promise.all([{}, { experimentalForceLongPolling: true }].map(async (settings) => {
    const page = await tab();
    await page.evaluate(async (options) => {
      Object.assign(globalThis, sdk.open(options));
      globalThis.changes = [];
      globalThis.follower = sdk.follow(sdk.collection(db, "counters"), (snapshot) => {
        snapshot.docChanges().forEach(({ type, doc }) => !doc.metadata.hasPendingWrites && changes.push([type, doc.id, doc.get("n")]));
        return { size: snapshot.size, cached: snapshot.metadata.fromCache };
      });
      await follower.until(({ seen }) => seen.at(-1)?.cached === false, "the first snapshot");
    }, { ...options(), settings });
    return page;
  }));
  const [first] = pages;
  const ports = `auth=${hearth.auth.split(":")[1]},firestore=${hearth.firestore.split(":")[1]},hub=${hearth.hub.split(":")[1]}`;
  let written = 0;
  for (let round = 0; round < 3; round += 1) {
    for (let n = 0; n < 5; n += 1) {
      await first.evaluate((id) => sdk.setDoc(sdk.doc(db, "counters", id), { n: Number(id) }), String(written++));
    }
    process.kill(hearth.pid, "SIGKILL");
    await hearth.exited;
    // While nobody answers, a write waits.
    await first.evaluate((id) => void (globalThis.waiting = sdk.setDoc(sdk.doc(db, "counters", id), { n: Number(id) })), String(written++));
    const again = await start(["dev", dir, "--ports", ports, "--json", "--data", data]);
    Object.assign(hearth, { pid: again.pid, exited: again.exited, stop: again.stop });
    await first.evaluate(() => waiting);
    for (const page of pages) {
      await page.evaluate(async (size) => {
        await follower.until(({ seen }) => seen.at(-1).size === size && !seen.at(-1).cached, `${size} documents`, 30_000);
      }, written);
    }
  }
  const second = await pages[1].evaluate(() => ({ changes, error: follower.error, sizes: follower.seen.map(({ size }) => size) }));
  assert.deepEqual(second.changes.map(([, id]) => Number(id)), Array.from({ length: written }, (_, n) => n), "each once, in order");
  assert.ok(second.changes.every(([type, id, n]) => type === "added" && n === Number(id)));
  assert.ok(second.sizes.every((size, at) => at === 0 || size >= second.sizes[at - 1]), `never fewer: ${second.sizes}`);
  assert.equal(second.error, null);
  for (const page of pages) {
    assert.deepEqual(page.failures, []);
    await page.context().close();
  }
});
