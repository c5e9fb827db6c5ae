// What an app does with Firestore Lite, and what the rules do to it.

import assert from "node:assert/strict";
import { after } from "node:test";

import { createUserWithEmailAndPassword, signInAnonymously } from "firebase/auth";
import {
  Bytes,
  GeoPoint,
  Timestamp,
  addDoc,
  and,
  arrayRemove,
  arrayUnion,
  average,
  collection,
  collectionGroup,
  deleteDoc,
  deleteField,
  doc,
  documentId,
  endBefore,
  getAggregate,
  getCount,
  getDoc,
  getDocs,
  increment,
  limit,
  limitToLast,
  or,
  orderBy,
  query,
  runTransaction,
  serverTimestamp,
  setDoc,
  startAfter,
  startAt,
  sum,
  updateDoc,
  where,
  writeBatch,
} from "firebase/firestore/lite";

import { address, admin, client, fails, unsigned } from "../clients.js";
import { dev, test } from "../hearth.js";

const RULES = `
rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /open/{id=**} { allow read, write; }
    match /{path=**}/open-group/{id} { allow read; }
    match /owned/{id} {
      allow read: if resource.data.owner == request.auth.uid;
      allow create: if request.resource.data.owner == request.auth.uid;
      allow update: if resource.data.owner == request.auth.uid && request.resource.data.owner == resource.data.owner;
      allow delete: if resource.data.owner == request.auth.uid && resource.data.locked != true;
    }
    match /stamped/{id} { allow write: if request.resource.data.at == request.time; allow read; }
    match /members/{uid} { allow write: if request.auth.uid == uid; allow get: if request.auth.uid == uid; }
    match /club/{id} {
      allow read: if exists(/databases/$(database)/documents/members/$(request.auth.uid));
      allow write: if get(/databases/$(database)/documents/members/$(request.auth.uid)).data.rank >= 2;
    }
    match /pairs/{id} {
      allow create: if getAfter(/databases/$(database)/documents/pairs/$(id == 'left' ? 'right' : 'left')).data.n
        == request.resource.data.n;
    }
    match /few/{id} { allow list: if request.query.limit <= 3; }
    match /get-only/{id} { allow get; }
    match /write-only/{id} { allow create; }
  }
}`;

const hearth = await dev({ rules: RULES });
after(() => hearth.stop());
const server = admin(hearth);
const { db } = client(hearth);
let names = 0;
const fresh = () => doc(db, "open", `d${++names}`);
const freshCollection = () => collection(db, "open", `c${++names}`, "items");
const ids = (snapshot) => snapshot.docs.map((found) => found.id);

/** A signed-in device. */
async function signedIn(claims) {
  const device = client(hearth);
  const { user } = await createUserWithEmailAndPassword(device.auth, address(), "correct horse");
  if (claims) {
    await server.auth.setCustomUserClaims(user.uid, claims);
    await user.getIdToken(true);
  }
  return { ...device, user };
}

test("every kind of value comes back as it went", async () => {
  const ref = fresh();
  const value = {
    nothing: null,
    yes: true,
    no: false,
    zero: 0,
    int: 42,
    negative: -7,
    large: Number.MAX_SAFE_INTEGER,
    double: 3.25,
    tiny: 5e-324,
    nan: NaN,
    infinity: -Infinity,
    text: "grüße 🔥 \u0000 \"",
    empty: "",
    when: new Timestamp(1_700_000_000, 123_456_000),
    ancient: Timestamp.fromDate(new Date("0001-01-01T00:00:00Z")),
    bytes: Bytes.fromUint8Array(new Uint8Array([0, 1, 254, 255])),
    place: new GeoPoint(-33.5, 151.25),
    ref: doc(db, "open/other"),
    list: [1, "two", null, { three: 3 }],
    map: { a: { b: { c: 1 } }, "dotted.key": 1, "ü`\\": 3 },
    none: {},
    never: [],
  };
  await setDoc(ref, value);
  const { ref: link, bytes, ...rest } = (await getDoc(ref)).data();
  const { ref: _, bytes: __, ...sent } = value;
  assert.deepEqual(rest, sent);
  assert.equal(link.path, "open/other");
  assert.deepEqual(bytes.toUint8Array(), new Uint8Array([0, 1, 254, 255]));
});

test("set replaces, merge joins, update touches paths", async () => {
  const ref = fresh();
  await setDoc(ref, { a: 1, b: { c: 1, d: 2 } });
  await setDoc(ref, { b: { c: 3 } }, { merge: true });
  assert.deepEqual((await getDoc(ref)).data(), { a: 1, b: { c: 3, d: 2 } });
  await setDoc(ref, { a: 9, b: { c: 9 } }, { mergeFields: ["b.c"] });
  assert.deepEqual((await getDoc(ref)).data(), { a: 1, b: { c: 9, d: 2 } });
  await updateDoc(ref, { "b.d": 7, e: { f: 1 }, a: deleteField() });
  assert.deepEqual((await getDoc(ref)).data(), { b: { c: 9, d: 7 }, e: { f: 1 } });
  await setDoc(ref, { only: true });
  assert.deepEqual((await getDoc(ref)).data(), { only: true });
});

test("what is not there is not found, deleted or updated", async () => {
  const ref = fresh();
  assert.equal((await getDoc(ref)).exists(), false);
  await fails("not-found", () => updateDoc(ref, { a: 1 }));
  await deleteDoc(ref);
});

test("added documents get an id of their own", async () => {
  const items = freshCollection();
  const added = await addDoc(items, { n: 1 });
  assert.match(added.id, /^[A-Za-z0-9]{20}$/);
  assert.deepEqual(ids(await getDocs(items)), [added.id]);
});

test("the server's time, counters and sets", async () => {
  const ref = fresh();
  await setDoc(ref, { n: 1, list: ["a"], at: serverTimestamp() });
  await updateDoc(ref, { n: increment(41), list: arrayUnion("b", "a", "b"), absent: increment(1.5) });
  await updateDoc(ref, { list: arrayRemove("a"), later: serverTimestamp() });
  const data = (await getDoc(ref)).data();
  assert.equal(data.n, 42);
  assert.equal(data.absent, 1.5);
  assert.deepEqual(data.list, ["b"]);
  assert.ok(Math.abs(data.at.toMillis() - Date.now()) < 60_000);
  assert.ok(data.later >= data.at);
});

test("a rule may demand the server's time", async () => {
  await setDoc(doc(db, "stamped/now"), { at: serverTimestamp() });
  await fails("permission-denied", () => setDoc(doc(db, "stamped/then"), { at: Timestamp.fromMillis(Date.now() - 60_000) }));
});

test("queries: filters", async () => {
  const items = freshCollection();
  const rows = [
    { n: 1, tag: "red", tags: ["x", "y"] },
    { n: 2, tag: "blue", tags: ["y"] },
    { n: 3, tag: "red", tags: [] },
    { n: 4.5, tag: "green" },
    { n: "5", tag: null },
  ];
  for (const [index, row] of rows.entries()) {
    await setDoc(doc(items, `r${index}`), row);
  }
  const cases = [
    [where("n", "==", 1), ["r0"]],
    [where("n", "<", 3), ["r0", "r1"]],
    [where("n", "<=", 3), ["r0", "r1", "r2"]],
    [where("n", ">", 2), ["r2", "r3"]],
    [where("n", ">=", "0"), ["r4"]],
    [where("tag", "!=", "red"), ["r1", "r3"]],
    [where("tag", "==", null), ["r4"]],
    [where("tag", "in", ["blue", "green"]), ["r1", "r3"]],
    [where("tag", "not-in", ["red", "blue"]), ["r3"]],
    [where("tags", "array-contains", "y"), ["r0", "r1"]],
    [where("tags", "array-contains-any", ["x", "z"]), ["r0"]],
    [where("tags", "==", []), ["r2"]],
    [where(documentId(), ">", "r3"), ["r4"]],
    [where(documentId(), "in", ["r2", "r0"]), ["r0", "r2"]],
    [or(where("n", "==", 1), where("tag", "==", "green")), ["r0", "r3"]],
    [and(where("tag", "==", "red"), or(where("n", "==", 3), where("n", "==", 99))), ["r2"]],
  ];
  for (const [filter, expected] of cases) {
    const found = ids(await getDocs(query(items, filter)));
    assert.deepEqual(found.sort(), expected, JSON.stringify(filter));
  }
  const both = await getDocs(query(items, where("tag", "==", "red"), where("n", ">", 1)));
  assert.deepEqual(ids(both), ["r2"]);
});

test("queries: order, limits and cursors", async () => {
  const items = freshCollection();
  for (const [id, n, m] of [["a", 3, 1], ["b", 1, 2], ["c", 2, 1], ["d", 2, 2]]) {
    await setDoc(doc(items, id), { n, m });
  }
  await setDoc(doc(items, "e"), { other: true });
  const asked = async (...constraints) => ids(await getDocs(query(items, ...constraints)));
  assert.deepEqual(await asked(orderBy("n")), ["b", "c", "d", "a"]);
  assert.deepEqual(await asked(orderBy("n", "desc")), ["a", "d", "c", "b"]);
  assert.deepEqual(await asked(orderBy("m"), orderBy("n", "desc")), ["a", "c", "d", "b"]);
  assert.deepEqual(await asked(orderBy("n"), limit(2)), ["b", "c"]);
  assert.deepEqual(await asked(orderBy("n"), limitToLast(2)), ["d", "a"]);
  assert.deepEqual(await asked(orderBy("n"), startAt(2)), ["c", "d", "a"]);
  assert.deepEqual(await asked(orderBy("n"), startAfter(1), endBefore(3)), ["c", "d"]);
  assert.deepEqual(await asked(orderBy("n"), startAfter(await getDoc(doc(items, "c")))), ["d", "a"]);
  assert.deepEqual(await asked(orderBy("n"), orderBy("m", "desc"), startAt(2, 2)), ["d", "c", "a"]);
  assert.deepEqual(await asked(), ["a", "b", "c", "d", "e"]);
});

test("queries: counts, sums and averages", async () => {
  const items = freshCollection();
  for (const n of [1, 2, 4.5]) {
    await addDoc(items, { n });
  }
  await addDoc(items, { n: "no number" });
  assert.equal((await getCount(items)).data().count, 4);
  assert.equal((await getCount(query(items, where("n", ">", 1)))).data().count, 2);
  const totals = await getAggregate(items, { total: sum("n"), mean: average("n") });
  assert.deepEqual(totals.data(), { total: 7.5, mean: 2.5 });
  assert.deepEqual((await getAggregate(items, { none: average("absent") })).data(), { none: null });
});

test("queries over all collections of one name", async () => {
  const name = "open-group";
  for (const parent of ["p1", "p2"]) {
    await setDoc(doc(db, "open", parent, name, `in-${parent}`), { n: 1 });
  }
  assert.deepEqual(ids(await getDocs(query(collectionGroup(db, name), where("n", "==", 1)))), ["in-p1", "in-p2"]);
  await fails("permission-denied", () => getDocs(collectionGroup(db, "items")));
});

test("a batch is all or nothing", async () => {
  const [good, bad] = [fresh(), doc(db, "get-only/x")];
  const batch = writeBatch(db).set(good, { n: 1 }).set(bad, { n: 1 });
  await fails("permission-denied", () => batch.commit());
  assert.equal((await getDoc(good)).exists(), false);
  const other = fresh();
  await setDoc(other, { gone: true });
  await writeBatch(db).set(good, { n: 1 }).update(good, { n: increment(1) }).delete(other).commit();
  assert.equal((await getDoc(good)).get("n"), 2);
  assert.equal((await getDoc(other)).exists(), false);
  await fails("not-found", () => writeBatch(db).set(other, { n: 1 }).update(fresh(), { n: 1 }).commit());
  assert.equal((await getDoc(other)).exists(), false);
});

test("transactions read, then write", async () => {
  const ref = fresh();
  await setDoc(ref, { n: 1 });
  const result = await runTransaction(db, async (transaction) => {
    const n = (await transaction.get(ref)).get("n");
    transaction.update(ref, { n: n + 1 });
    return n;
  });
  assert.equal(result, 1);
  assert.equal((await getDoc(ref)).get("n"), 2);
});

test("transactions that meet do not lose an update", async () => {
  const ref = fresh();
  await setDoc(ref, { n: 0 });
  const add = () =>
    runTransaction(
      db,
      async (transaction) => transaction.update(ref, { n: (await transaction.get(ref)).get("n") + 1 }),
      { maxAttempts: 50 },
    );
  await Promise.all(Array.from({ length: 8 }, add));
  assert.equal((await getDoc(ref)).get("n"), 8);
});

test("a transaction that the rules refuse changes nothing", async () => {
  const ref = fresh();
  await fails("permission-denied", () =>
    runTransaction(db, async (transaction) => {
      await transaction.get(ref);
      transaction.set(ref, { n: 1 });
      transaction.set(doc(db, "get-only/x"), { n: 1 });
    }),
  );
  assert.equal((await getDoc(ref)).exists(), false);
});

test("no rule, no access", async () => {
  for (const { db: device } of [client(hearth), await signedIn()]) {
    await fails("permission-denied", () => getDoc(doc(device, "private/x")));
    await fails("permission-denied", () => getDocs(collection(device, "private")));
    await fails("permission-denied", () => setDoc(doc(device, "private/x"), {}));
    await fails("permission-denied", () => updateDoc(doc(device, "private/x"), { a: 1 }));
    await fails("permission-denied", () => deleteDoc(doc(device, "private/x")));
    await fails("permission-denied", () => getCount(collection(device, "private")));
  }
});

test("get is not list, and create is not update", async () => {
  await getDoc(doc(db, "get-only/x"));
  await fails("permission-denied", () => getDocs(collection(db, "get-only")));
  const ref = doc(db, "write-only/once");
  await setDoc(ref, { n: 1 });
  await fails("permission-denied", () => setDoc(ref, { n: 2 }));
  await fails("permission-denied", () => deleteDoc(ref));
  await fails("permission-denied", () => getDoc(ref));
});

test("owners reach what is theirs", async () => {
  const [maria, jose] = [await signedIn(), await signedIn()];
  const ref = (device) => doc(device.db, "owned/diary");
  await fails("permission-denied", () => setDoc(ref(jose), { owner: maria.user.uid }));
  await setDoc(ref(maria), { owner: maria.user.uid, text: "dear diary", locked: true });
  assert.equal((await getDoc(ref(maria))).get("text"), "dear diary");
  await fails("permission-denied", () => getDoc(ref(jose)));
  await fails("permission-denied", () => updateDoc(ref(jose), { owner: jose.user.uid }));
  await fails("permission-denied", () => updateDoc(ref(maria), { owner: jose.user.uid }));
  await fails("permission-denied", () => deleteDoc(ref(maria)));
  await updateDoc(ref(maria), { locked: false });
  await deleteDoc(ref(maria));
});

test("rules are not filters", async () => {
  const maria = await signedIn();
  await setDoc(doc(maria.db, "owned/hers"), { owner: maria.user.uid });
  const all = collection(maria.db, "owned");
  await fails("permission-denied", () => getDocs(all));
  const hers = await getDocs(query(all, where("owner", "==", maria.user.uid)));
  assert.deepEqual(ids(hers), ["hers"]);
  await fails("permission-denied", () => getDocs(query(all, where("owner", "==", "somebody"))));
  assert.equal((await getCount(query(all, where("owner", "==", maria.user.uid)))).data().count, 1);
  await getDocs(query(collection(db, "few"), limit(3)));
  await fails("permission-denied", () => getDocs(query(collection(db, "few"), limit(4))));
  await fails("permission-denied", () => getDocs(collection(db, "few")));
});

test("rules read other documents", async () => {
  const maria = await signedIn();
  const news = doc(maria.db, "club/news");
  await fails("permission-denied", () => getDoc(news));
  await setDoc(doc(maria.db, "members", maria.user.uid), { rank: 1 });
  assert.equal((await getDoc(news)).exists(), false);
  await getDocs(collection(maria.db, "club"));
  await fails("permission-denied", () => setDoc(news, { n: 1 }));
  await setDoc(doc(maria.db, "members", maria.user.uid), { rank: 2 });
  await setDoc(news, { n: 1 });
  await fails("permission-denied", () => getDoc(doc(db, "club/news")));
});

test("rules see the whole batch with getAfter", async () => {
  const [left, right] = [doc(db, "pairs/left"), doc(db, "pairs/right")];
  await fails("permission-denied", () => setDoc(left, { n: 1 }));
  await fails("permission-denied", () => writeBatch(db).set(left, { n: 1 }).set(right, { n: 2 }).commit());
  await writeBatch(db).set(left, { n: 1 }).set(right, { n: 1 }).commit();
});

test("unsigned tokens pass in dev, expired ones too, as mock users have them", async () => {
  const url = `http://${hearth.firestore}/v1/projects/${hearth.project}/databases/(default)/documents/members/mock`;
  const ask = (token) => fetch(url, { headers: { authorization: `Bearer ${token}` } });
  const claims = { sub: "mock", user_id: "mock", iat: 0, exp: 3600, aud: "demo-project", firebase: {} };
  assert.equal((await ask(unsigned(claims))).status, 404);
  assert.equal((await ask(unsigned(claims, { alg: "none", type: "JWT" }))).status, 404);
  assert.equal((await ask(unsigned({ ...claims, sub: "other", user_id: "other" }))).status, 403);
  assert.equal((await ask("owner")).status, 404);
});

test("an anonymous user is somebody, a signed-out one is nobody", async () => {
  const device = client(hearth);
  const { user } = await signInAnonymously(device.auth);
  await setDoc(doc(device.db, "owned/anonymous"), { owner: user.uid });
  await fails("permission-denied", () => getDoc(doc(db, "owned/anonymous")));
});

test("bad requests are refused before any rule", async () => {
  const base = `http://${hearth.firestore}/v1/projects/${hearth.project}/databases/(default)/documents`;
  const post = async (path, body) => {
    const answer = await fetch(base + path, {
      method: "POST",
      headers: { authorization: "Bearer owner" },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
    return { status: answer.status, body: await answer.json() };
  };
  const write = (name, fields) => ({ writes: [{ update: { name, fields } }] });
  const root = `projects/${hearth.project}/databases/(default)/documents`;
  const cases = [
    [":commit", "{", 400],
    [":commit", write(`${root}/open`, {}), 400],
    [":commit", write(`${root}/open/__bad__`, {}), 400],
    [":commit", write(`${root}/open/x`, { a: { arrayValue: { values: [{ arrayValue: {} }] } } }), 400],
    [":runQuery", { structuredQuery: { from: [{ collectionId: "open" }], limit: -1 } }, 400],
  ];
  for (const [path, body, status] of cases) {
    assert.equal((await post(path, body)).status, status, JSON.stringify(body));
  }
});
