// What a server does with the Admin SDK's Firestore, over gRPC.

import assert from "node:assert/strict";
import { after } from "node:test";

import { FieldPath, FieldValue, Filter, GeoPoint, Timestamp, getFirestore } from "firebase-admin/firestore";

import { admin } from "../clients.js";
import { CLOSED, dev, test } from "../hearth.js";

const hearth = await dev({ rules: CLOSED }); // rules do not bind a server
after(() => hearth.stop());
const db = getFirestore(admin(hearth).app);
after(() => db.terminate());
let names = 0;
const fresh = () => db.doc(`docs/d${++names}`);
const freshCollection = () => db.collection(`docs/c${++names}/items`);
const ids = (snapshot) => snapshot.docs.map((found) => found.id);
const [ALREADY_EXISTS, FAILED_PRECONDITION, NOT_FOUND] = [6, 9, 5];

async function rejectsWith(code, call) {
  await assert.rejects(call, (error) => {
    assert.equal(error.code, code, error.message);
    return true;
  });
}

test("every kind of value comes back as it went", async () => {
  const ref = fresh();
  const value = {
    nothing: null,
    yes: true,
    int: 42,
    double: 3.25,
    nan: NaN,
    text: "grüße 🔥",
    when: new Timestamp(1_700_000_000, 123_456_000),
    bytes: Buffer.from([0, 1, 254, 255]),
    place: new GeoPoint(-33.5, 151.25),
    list: [1, "two", null, { three: 3 }],
    map: { a: { b: { c: 1 } }, "dotted.key": 1 },
    vector: FieldValue.vector([1, 2.5, -3]),
    none: {},
    never: [],
  };
  await ref.set({ ...value, ref });
  const { ref: link, ...rest } = (await ref.get()).data();
  assert.deepEqual(rest, value);
  assert.equal(link.path, ref.path);
});

test("set, create, merge, update, delete", async () => {
  const ref = fresh();
  const first = await ref.create({ a: 1, b: { c: 1, d: 2 } });
  await rejectsWith(ALREADY_EXISTS, () => ref.create({}));
  await ref.set({ b: { c: 3 } }, { merge: true });
  await ref.update({ "b.d": FieldValue.delete(), e: 5 });
  await ref.update(new FieldPath("dotted.key"), 1, "e", 6);
  assert.deepEqual((await ref.get()).data(), { a: 1, b: { c: 3 }, e: 6, "dotted.key": 1 });
  const found = await ref.get();
  assert.ok(found.createTime.isEqual(first.writeTime));
  assert.ok(found.updateTime > found.createTime);
  await ref.delete();
  assert.equal((await ref.get()).exists, false);
  await rejectsWith(NOT_FOUND, () => ref.update({ a: 1 }));
});

test("preconditions hold a write back", async () => {
  const ref = fresh();
  const { writeTime } = await ref.set({ n: 1 });
  await ref.update({ n: 2 }, { lastUpdateTime: writeTime });
  await rejectsWith(FAILED_PRECONDITION, () => ref.update({ n: 3 }, { lastUpdateTime: writeTime }));
  await rejectsWith(FAILED_PRECONDITION, () => ref.delete({ lastUpdateTime: writeTime }));
  await rejectsWith(NOT_FOUND, () => fresh().delete({ exists: true }));
  assert.equal((await ref.get()).get("n"), 2);
});

test("a write that changes nothing keeps the update time", async () => {
  const ref = fresh();
  await ref.set({ n: 1 });
  const before = (await ref.get()).updateTime;
  await ref.set({ n: 1 });
  assert.ok((await ref.get()).updateTime.isEqual(before));
});

test("transforms", async () => {
  const ref = fresh();
  await ref.set({ n: 1, list: ["a"], at: FieldValue.serverTimestamp() });
  await ref.update({
    n: FieldValue.increment(1.5),
    list: FieldValue.arrayUnion("b", "a"),
    absent: FieldValue.increment(2),
  });
  await ref.update({ list: FieldValue.arrayRemove("a") });
  const { n, list, absent, at } = (await ref.get()).data();
  assert.deepEqual([n, list, absent], [2.5, ["b"], 2]);
  assert.ok(Math.abs(at.toMillis() - Date.now()) < 60_000);
  await ref.set({ n: FieldValue.increment(2) });
  assert.deepEqual((await ref.get()).data(), { n: 2 }, "a set replaces before it counts");
});

test("queries: filters", async () => {
  const items = freshCollection();
  const rows = { a: { n: 1, tag: "red", tags: ["x"] }, b: { n: 2, tag: "blue", tags: ["x", "y"] }, c: { n: 3, tag: "red" } };
  for (const [id, row] of Object.entries(rows)) {
    await items.doc(id).set(row);
  }
  const cases = [
    [items.where("n", "==", 2), ["b"]],
    [items.where("n", ">", 1), ["b", "c"]],
    [items.where("tag", "!=", "red"), ["b"]],
    [items.where("tag", "in", ["red"]), ["a", "c"]],
    [items.where("tags", "array-contains", "x"), ["a", "b"]],
    [items.where("tags", "array-contains-any", ["y", "z"]), ["b"]],
    [items.where("tag", "==", "red").where("n", "<", 3), ["a"]],
    [items.where(Filter.or(Filter.where("n", "==", 3), Filter.where("tag", "==", "blue"))), ["b", "c"]],
    [items.where(FieldPath.documentId(), ">=", "b"), ["b", "c"]],
  ];
  for (const [query, expected] of cases) {
    assert.deepEqual(ids(await query.get()).sort(), expected);
  }
  const some = await items.orderBy("n").select("n").get();
  assert.deepEqual(some.docs.map((found) => found.data()), [{ n: 1 }, { n: 2 }, { n: 3 }]);
});

test("queries: order, limits, offset and cursors", async () => {
  const items = freshCollection();
  for (const [id, n] of [["a", 3], ["b", 1], ["c", 2], ["d", 2]]) {
    await items.doc(id).set({ n });
  }
  assert.deepEqual(ids(await items.orderBy("n").get()), ["b", "c", "d", "a"]);
  assert.deepEqual(ids(await items.orderBy("n", "desc").limit(2).get()), ["a", "d"]);
  assert.deepEqual(ids(await items.orderBy("n").limitToLast(2).get()), ["d", "a"]);
  assert.deepEqual(ids(await items.orderBy("n").offset(1).limit(2).get()), ["c", "d"]);
  assert.deepEqual(ids(await items.orderBy("n").startAt(2).endBefore(3).get()), ["c", "d"]);
  assert.deepEqual(ids(await items.orderBy("n").startAfter(await items.doc("c").get()).get()), ["d", "a"]);
  assert.deepEqual(ids(await items.orderBy("n").endAt(await items.doc("c").get()).get()), ["b", "c"]);
});

test("queries: aggregates", async () => {
  const items = freshCollection();
  for (const n of [1, 2, 6]) {
    await items.add({ n });
  }
  assert.equal((await items.count().get()).data().count, 3);
  assert.equal((await items.where("n", ">", 1).count().get()).data().count, 2);
  assert.equal((await items.limit(2).count().get()).data().count, 2);
});

test("queries over all collections of one name", async () => {
  const name = `group${++names}`;
  await db.doc(`docs/p1/${name}/x`).set({ n: 1 });
  await db.doc(`docs/p2/${name}/y`).set({ n: 2 });
  await db.doc(`${name}/z`).set({ n: 3 });
  assert.deepEqual(ids(await db.collectionGroup(name).orderBy("n").get()), ["x", "y", "z"]);
  assert.deepEqual(ids(await db.collectionGroup(name).where("n", ">", 1).get()), ["y", "z"]);
});

test("large results come whole", async () => {
  const items = freshCollection();
  for (let start = 0; start < 1_200; start += 400) {
    const batch = db.batch();
    for (let index = start; index < start + 400; index += 1) {
      batch.set(items.doc(String(index).padStart(5, "0")), { index, text: "x".repeat(200) });
    }
    await batch.commit();
  }
  const all = await items.get();
  assert.equal(all.size, 1_200);
  assert.deepEqual(all.docs.map((found) => found.get("index")), Array.from({ length: 1_200 }, (_, index) => index));
});

test("a batch is all or nothing", async () => {
  const [one, two] = [fresh(), fresh()];
  await rejectsWith(NOT_FOUND, () => db.batch().set(one, { n: 1 }).update(two, { n: 1 }).commit());
  assert.equal((await one.get()).exists, false);
  const results = await db.batch().set(one, { n: 1 }).create(two, { n: 1 }).commit();
  assert.equal(results.length, 2);
  assert.ok(results[0].writeTime.isEqual(results[1].writeTime));
});

test("getAll answers in the order of the question", async () => {
  const [one, two, missing] = [fresh(), fresh(), fresh()];
  await db.batch().set(one, { n: 1, m: 1 }).set(two, { n: 2, m: 2 }).commit();
  const found = await db.getAll(two, missing, one);
  assert.deepEqual(found.map((doc) => doc.get("n")), [2, undefined, 1]);
  const [masked] = await db.getAll(one, { fieldMask: ["m"] });
  assert.deepEqual(masked.data(), { m: 1 });
});

test("transactions read and write, and meet without losing an update", async () => {
  const ref = fresh();
  await ref.set({ n: 0 });
  const add = () =>
    db.runTransaction(
      async (transaction) => {
        const n = (await transaction.get(ref)).get("n");
        transaction.update(ref, { n: n + 1 });
        return n;
      },
      { maxAttempts: 20 },
    );
  const seen = await Promise.all(Array.from({ length: 6 }, add));
  assert.deepEqual(seen.sort(), [0, 1, 2, 3, 4, 5]);
  assert.equal((await ref.get()).get("n"), 6);
});

test("a transaction's query sees one moment, and its failure writes nothing", async () => {
  const items = freshCollection();
  await items.doc("a").set({ n: 1 });
  const other = fresh();
  await assert.rejects(
    db.runTransaction(async (transaction) => {
      assert.equal((await transaction.get(items.where("n", "==", 1))).size, 1);
      transaction.set(other, { n: 1 });
      throw new Error("changed my mind");
    }),
    /changed my mind/,
  );
  assert.equal((await other.get()).exists, false);
});

test("a read-only transaction reads", async () => {
  const ref = fresh();
  await ref.set({ n: 1 });
  const n = await db.runTransaction(async (transaction) => (await transaction.get(ref)).get("n"), { readOnly: true });
  assert.equal(n, 1);
});

test("a bulk writer writes each on its own", async () => {
  const items = freshCollection();
  const taken = items.doc("taken");
  await taken.set({});
  const writer = db.bulkWriter();
  const failures = [];
  writer.onWriteError((error) => {
    failures.push(error.code);
    return false;
  });
  for (let index = 0; index < 60; index += 1) {
    void writer.set(items.doc(`i${index}`), { index });
  }
  const refused = writer.create(taken, {}).catch(() => "refused");
  await writer.close();
  assert.equal(await refused, "refused");
  assert.deepEqual(failures, [ALREADY_EXISTS]);
  assert.equal((await items.count().get()).data().count, 61);
});

test("collections and documents are listed, missing parents too", async () => {
  const root = fresh();
  await root.collection("b").doc("x").set({});
  await root.collection("a").doc("missing").collection("deep").doc("y").set({});
  assert.deepEqual((await root.listCollections()).map((collection) => collection.id), ["a", "b"]);
  assert.deepEqual((await root.collection("a").listDocuments()).map((ref) => ref.id), ["missing"]);
  assert.ok((await db.listCollections()).some((collection) => collection.id === "docs"));
});

test("a document is deleted with all below it", async () => {
  const root = fresh();
  await root.set({});
  await root.collection("a").doc("x").set({});
  await root.collection("a").doc("x").collection("b").doc("y").set({});
  await db.recursiveDelete(root);
  assert.equal((await root.get()).exists, false);
  assert.deepEqual(await root.listCollections(), []);
});

test("document ids of every kind", async () => {
  const items = freshCollection();
  const wanted = ["a b", "é🔥", "a%2Fb", "'quoted'", "1", "~", ".dot", "x".repeat(300)];
  for (const id of wanted) {
    await items.doc(id).set({ id });
  }
  for (const id of wanted) {
    assert.equal((await items.doc(id).get()).get("id"), id);
  }
  assert.deepEqual(ids(await items.get()).sort(), [...wanted].sort());
});

test("databases do not see each other", async () => {
  const { app } = admin(hearth);
  const other = getFirestore(app, "other-database");
  await other.doc("docs/shared-name").set({ where: "other" });
  assert.equal((await db.doc("docs/shared-name").get()).exists, false);
  assert.equal((await other.doc("docs/shared-name").get()).get("where"), "other");
  await other.terminate();
});
