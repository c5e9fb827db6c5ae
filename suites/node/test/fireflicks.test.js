// The story of examples/fireflicks, step by step, and what the access log tells of it.

import assert from "node:assert/strict";
import { after } from "node:test";

import { createUserWithEmailAndPassword } from "firebase/auth";
import { connectStorageEmulator, getBytes, getStorage, ref, uploadBytes } from "firebase/storage";
import { collection, doc, getDoc, getDocs, serverTimestamp, setDoc } from "firebase/firestore/lite";

import { admin, address, client, fails } from "../clients.js";
import { dev, example, hearthTest, log, run, test } from "../hearth.js";

const hearth = await dev({ path: example("fireflicks"), args: [] });
after(() => hearth.stop());
const data = `${hearth.folder}/.hearth`;

const { app, auth, db } = client(hearth);
const server = admin(hearth);
const email = address("maria");
let user;

/** Cloud Storage of an app. */
function filesOf(app) {
  const storage = getStorage(app, `gs://${hearth.project}.appspot.com`);
  const [host, port] = hearth.storage.split(":");
  if (!pointed.has(storage)) {
    pointed.add(storage);
    connectStorageEmulator(storage, host, Number(port));
  }
  return storage;
}
const pointed = new WeakSet();

const addMovie = (id) => setDoc(doc(db, "movies", id), { title: id, year: 2009 });

test("a user signs up and reads movies", async () => {
  ({ user } = await createUserWithEmailAndPassword(auth, email, "correct horse"));
  assert.equal((await getDocs(collection(db, "movies"))).size, 0);
});

test("signed out, nobody reads movies", async () => {
  await fails("permission-denied", () => getDoc(doc(client(hearth).db, "movies/up")));
});

test("she reviews in her own name only, and with one to five stars", async () => {
  const review = { stars: 4, text: "tears", at: serverTimestamp() };
  await setDoc(doc(db, "movies/up/reviews", user.uid), review);
  await fails("permission-denied", () => setDoc(doc(db, "movies/up/reviews/somebody"), review));
  await fails("permission-denied", () => setDoc(doc(db, "movies/up/reviews", user.uid), { ...review, stars: 6 }));
  await fails("permission-denied", () => setDoc(doc(db, "movies/up/reviews", user.uid), { ...review, stars: "5" }));
  await fails("permission-denied", () => setDoc(doc(db, "movies/up/reviews", user.uid), { ...review, paid: true }));
  assert.equal((await getDoc(doc(db, "movies/up/reviews", user.uid))).get("stars"), 4);
});

test("she may not add a movie", () => fails("permission-denied", () => addMovie("up")));

test("a grant is not in the token she holds", async () => {
  const record = await server.auth.getUserByEmail(email);
  await server.auth.setCustomUserClaims(record.uid, { moderator: true });
  assert.equal((await user.getIdTokenResult()).claims.moderator, undefined);
  await fails("permission-denied", () => addMovie("up"));
});

test("a fresh token carries the claim and the write succeeds", async () => {
  assert.equal((await user.getIdTokenResult(true)).claims.moderator, true);
  await addMovie("up");
  assert.equal((await getDoc(doc(db, "movies/up"))).get("title"), "up");
});

test("the claim removed, the next token is refused again", async () => {
  await server.auth.setCustomUserClaims(user.uid, null);
  await addMovie("coco"); // the token of before is good until it expires
  assert.equal((await user.getIdTokenResult(true)).claims.moderator, undefined);
  await fails("permission-denied", () => addMovie("ratatouille"));
});

hearthTest("posters: moderators put up images of movies that are there, everyone looks", async () => {
  const poster = ref(filesOf(client(hearth).app), "posters/up");
  const hers = ref(filesOf(app), "posters/up");
  const png = { contentType: "image/png" };
  const bytes = new Uint8Array(1000);
  await fails("storage/unauthorized", () => uploadBytes(hers, bytes, png));
  await server.auth.setCustomUserClaims(user.uid, { moderator: true });
  await user.getIdToken(true);
  await uploadBytes(hers, bytes, png);
  assert.equal((await getBytes(poster)).byteLength, 1000);
  await fails("storage/unauthorized", () => uploadBytes(hers, bytes, { contentType: "image/svg+xml" }));
  await fails("storage/unauthorized", () => uploadBytes(hers, new Uint8Array(3 << 20), png));
  await fails("storage/unauthorized", () => uploadBytes(ref(filesOf(app), "posters/none"), bytes, png));
  assert.equal((await getBytes(poster)).byteLength, 1000, "what was refused left no trace");
});

hearthTest("screenings: who has paid sees them, for as long as the claim is there", async () => {
  await uploadBytes(ref(filesOf(app), "screenings/up/1"), new Uint8Array(10), { contentType: "video/mp4" });
  const guest = client(hearth);
  const { user: viewer } = await createUserWithEmailAndPassword(guest.auth, address("viewer"), "correct horse");
  const screening = ref(filesOf(guest.app), "screenings/up/1");
  await fails("storage/unauthorized", () => getBytes(screening));
  await server.auth.setCustomUserClaims(viewer.uid, { paid: true });
  await viewer.getIdToken(true);
  assert.equal((await getBytes(screening)).byteLength, 10);
  await server.auth.setCustomUserClaims(user.uid, null);
  await user.getIdToken(true);
});

hearthTest("the log names who was refused what, and the rule that refused", async () => {
  const question = ["--who", user.uid, "--verdict", "deny", "--path", "/movies/*"];
  const events = await log(data, question, (found) => found.length >= 3);
  assert.deepEqual(events.map((event) => event.path), ["/movies/up", "/movies/up", "/movies/ratatouille"]);
  for (const event of events) {
    assert.equal(event.service, "firestore");
    assert.equal(event.verb, "Commit");
    assert.equal(event.caller, "user");
    assert.match(event.method, /^(create|update)$/);
    assert.match(event.causes[0].at, /^firestore\.rules:(12|18):\d+$/, JSON.stringify(event.causes));
  }
});

hearthTest("the log names the rule that allowed the write", async () => {
  const question = ["--who", user.uid, "--verdict", "allow", "--path", "/movies/up"];
  const events = await log(data, question, (found) => found.some((event) => event.verb === "Commit"));
  const write = events.find((event) => event.verb === "Commit");
  assert.equal(write.method, "create");
  assert.match(write.rule, /^firestore\.rules:18:\d+$/);
  assert.ok(write.version > 0, "a write is logged with its commit");
});

hearthTest("the log tells of both claim changes, and holds no token and no value", async () => {
  const events = await log(data, ["--service", "identity", "--verdict", "admin"], (found) => found.length >= 2);
  const changes = events.filter((event) => event.path.includes(user.uid) && /update/i.test(event.verb));
  assert.equal(changes.length, 4, JSON.stringify(events, null, 1));
  assert.match(JSON.stringify(changes[0].details), /moderator/);
  assert.ok(changes.every((event) => event.caller === "admin" && event.who === "owner"));
  const everything = await log(data, []);
  assert.doesNotMatch(JSON.stringify(everything), /correct horse|eyJ/);
  // What was asked is kept in dev only, for `hearth explain --request`, and nowhere else in a line.
  const lines = everything.map(({ basis, ...line }) => line);
  assert.doesNotMatch(JSON.stringify(lines), /tears/);
});

hearthTest("the log answers people too, and narrows by time", async () => {
  const { stdout, status } = run(["log", "--data", data, "--verdict", "deny", "--since", "10m"]);
  assert.equal(status, 0);
  assert.match(stdout, new RegExp(`deny +\\S+ +${user.uid} .*/movies/up`));
  assert.equal(run(["log", "--data", data, "--since", "2100-01-01T00:00:00Z", "--json"]).stdout, "");
});
