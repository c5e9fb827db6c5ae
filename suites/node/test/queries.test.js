// What server SDKs ask beyond documents: partitions of a collection group, query explain, the nearest vectors.

import assert from "node:assert/strict";
import { after } from "node:test";

import { AggregateField, FieldPath, FieldValue, Filter, getFirestore } from "firebase-admin/firestore";

import { admin } from "../clients.js";
import { dev, folder, hearthTest as test } from "../hearth.js";

const OPEN = `service cloud.firestore {
  match /databases/{database}/documents {
    match /{document=**} { allow read, write; }
  }
}`;

const hearth = await dev({ rules: OPEN });
after(() => hearth.stop());
const db = getFirestore(admin(hearth).app);
after(() => db.terminate());

const numbers = db.collection("numbers");
const writes = db.batch();
for (let n = 0; n < 10; n++) {
  writes.set(numbers.doc(`d${n}`), { n, odd: n % 2 === 1, tags: [n % 3] });
}
await writes.commit();

const vectors = db.collection("vectors");
const EMBEDDINGS = {
  a: { color: "red", embedding: FieldValue.vector([1, 2, 3]) },
  b: { color: "red", embedding: FieldValue.vector([2, 2, 3]) },
  c: { color: "yellow", embedding: FieldValue.vector([3, 4, 5]) },
  d: { color: "red", embedding: FieldValue.vector([3, 4]) },
  e: { color: "red", embedding: [1, 2, 3] },
  f: { color: "red" },
};
for (const [id, fields] of Object.entries(EMBEDDINGS)) {
  await vectors.doc(id).set(fields);
}

test("partitions are even and hold every document once", async () => {
  const paths = Array.from({ length: 600 }, (_, n) => `${["", "a/1/", "b/2/"][n % 3]}parts/d${String(n).padStart(3, "0")}`);
  for (let at = 0; at < paths.length; at += 300) {
    const batch = db.batch();
    paths.slice(at, at + 300).forEach((path) => batch.set(db.doc(path), { n: 1 }));
    await batch.commit();
  }
  for (const [asked, expected] of [[1, 1], [2, 2], [3, 3], [100, 4]]) {
    const found = [];
    const sizes = [];
    for await (const partition of db.collectionGroup("parts").getPartitions(asked)) {
      const { docs } = await partition.toQuery().get();
      sizes.push(docs.length);
      found.push(...docs.map((document) => document.ref.path));
    }
    assert.equal(sizes.length, expected);
    assert.ok(sizes.every((size) => Math.abs(size - 600 / expected) < 30), `${sizes}`);
    assert.deepEqual(found, [...paths].sort());
  }
  const none = [];
  for await (const partition of db.collectionGroup("absent").getPartitions(3)) {
    none.push(partition);
  }
  assert.equal(none.length, 1);
});

/** A query, the indexes of its plan, and how many results, reads, entries and documents it takes. */
const EXPLAINED = [
  ["all", numbers, ["(__name__ ASC)"], [10, 10, 10, 10]],
  ["an equality", numbers.where("n", "==", 3), ["(n ASC, __name__ ASC)"], [1, 1, 1, 1]],
  ["nothing found", numbers.where("n", "==", 99), ["(n ASC, __name__ ASC)"], [0, 1, 0, 0]],
  ["a list", numbers.where("n", "in", [1, 4, 99]), Array(3).fill("(n ASC, __name__ ASC)"), [2, 2, 2, 2]],
  ["an array", numbers.where("tags", "array-contains", 1), ["(tags ARRAY_CONTAINS, __name__ ASC)"], [3, 3, 3, 3]],
  ["descending", numbers.orderBy("n", "desc").limit(2).offset(3), ["(n DESC, __name__ DESC)"], [2, 5, 5, 2]],
  [
    "several fields",
    numbers.where("odd", "==", true).where("n", ">", 4),
    ["(odd ASC, n ASC, __name__ ASC)"],
    [3, 3, 3, 3],
  ],
  [
    "either",
    numbers.where(Filter.or(Filter.where("n", "==", 1), Filter.where("odd", "==", false))),
    ["(n ASC, __name__ ASC)", "(odd ASC, __name__ ASC)"],
    [6, 6, 6, 6],
  ],
  [
    "vectors",
    vectors.where("color", "==", "red").findNearest({
      vectorField: "embedding",
      queryVector: [1, 2, 3],
      limit: 5,
      distanceMeasure: "EUCLIDEAN",
    }),
    ["(color ASC, __name__ ASC, embedding VECTOR<3>)"],
    [2, 3, 2, 2],
  ],
];
for (const [name, query, indexes, figures] of EXPLAINED) {
  test(`explained: ${name}`, async () => {
    const planned = await query.explain();
    const used = (metrics) => metrics.planSummary.indexesUsed.map(({ properties }) => properties);
    assert.deepEqual(used(planned.metrics), indexes);
    assert.equal(planned.snapshot, null);
    assert.equal(planned.metrics.executionStats, null);
    const { metrics, snapshot } = await query.explain({ analyze: true });
    const { resultsReturned, readOperations, executionDuration, debugStats } = metrics.executionStats;
    assert.deepEqual(used(metrics), indexes);
    const scanned = [Number(debugStats.index_entries_scanned), Number(debugStats.documents_scanned)];
    assert.deepEqual([resultsReturned, readOperations, ...scanned], figures);
    assert.equal(snapshot.size, figures[0]);
    assert.ok(executionDuration.seconds > 0 || executionDuration.nanoseconds > 0);
    assert.equal(debugStats.billing_details.min_query_cost, figures[0] === 0 ? "1" : "0");
  });
}

test("explained: aggregations", async () => {
  const sum = numbers.where("n", "<", 5).aggregate({ all: AggregateField.count(), sum: AggregateField.sum("n") });
  const { metrics, snapshot } = await sum.explain({ analyze: true });
  assert.deepEqual(snapshot.data(), { all: 5, sum: 10 });
  assert.equal(metrics.executionStats.resultsReturned, 1);
  assert.equal(metrics.executionStats.readOperations, 1);
  assert.equal(metrics.planSummary.indexesUsed[0].properties, "(n ASC, __name__ ASC)");
  assert.equal((await sum.explain()).snapshot, null);
});

/** What is asked of the vectors, and what is found, with its distance. */
const NEAREST = [
  ["euclidean", {}, { a: 0, b: 1, c: Math.sqrt(12) }],
  ["as many as asked", { limit: 2 }, { a: 0, b: 1 }],
  ["near enough", { distanceThreshold: 1 }, { a: 0, b: 1 }],
  ["cosine", { distanceMeasure: "COSINE", distanceThreshold: 0.02 }, { a: 0, c: 0.017292370176009153 }],
  ["dot product", { distanceMeasure: "DOT_PRODUCT" }, { c: 26, b: 15, a: 14 }],
  ["a product large enough", { distanceMeasure: "DOT_PRODUCT", distanceThreshold: 15 }, { c: 26, b: 15 }],
  ["another dimension", { queryVector: [3, 3] }, { d: 1 }],
];
for (const [name, asked, expected] of NEAREST) {
  test(`nearest: ${name}`, async () => {
    const options = { vectorField: "embedding", queryVector: [1, 2, 3], limit: 10, distanceMeasure: "EUCLIDEAN" };
    for (const from of [vectors, db.collectionGroup("vectors")]) {
      const found = await from.findNearest({ ...options, distanceResultField: "far", ...asked }).get();
      assert.deepEqual(found.docs.map((document) => [document.id, document.get("far")]), Object.entries(expected));
    }
    const projected = await vectors.select("color").findNearest({ ...options, ...asked }).get();
    assert.deepEqual(projected.docs.map(({ id }) => id), Object.keys(expected));
    assert.ok(projected.docs.every((document) => document.get("embedding") === undefined));
  });
}

test("vectors require their index where production does, and the answer says which", async () => {
  const index = (...fields) => ({ collectionGroup: "vectors", queryScope: "COLLECTION", fields });
  const vector = { fieldPath: "embedding", vectorConfig: { dimension: 3, flat: {} } };
  const path = folder({
    "firebase.json": { firestore: { rules: "firestore.rules", indexes: "firestore.indexes.json" } },
    ".firebaserc": { projects: { default: "demo-vectors" } },
    "firestore.rules": OPEN,
    "firestore.indexes.json": { indexes: [index(vector)], fieldOverrides: [] },
  });
  const strict = await dev({ path, args: ["--ephemeral", "--strict-indexes"] });
  const other = getFirestore(admin(strict).app);
  try {
    await other.doc("vectors/a").set(EMBEDDINGS.a);
    const nearest = { vectorField: "embedding", queryVector: [1, 2, 3], limit: 5, distanceMeasure: "COSINE" };
    assert.equal((await other.collection("vectors").findNearest(nearest).get()).size, 1);
    const filtered = other.collection("vectors").where("color", "==", "red").findNearest(nearest).get();
    await assert.rejects(filtered, (error) => {
      assert.equal(error.code, 9);
      assert.match(error.message, /^9 FAILED_PRECONDITION: Missing vector index configuration\. .* gcloud firestore indexes/);
      assert.match(error.message, /hearth indexes add vectors color embedding:vector=3/);
      return true;
    });
  } finally {
    await other.terminate();
    await strict.stop();
  }
});

test("partitions and plans are for administrators, and pipelines for no one", async () => {
  const from = [{ collectionId: "numbers", allDescendants: true }];
  const orderBy = [{ field: { fieldPath: FieldPath.documentId().toString() } }];
  const base = `http://${hearth.firestore}/v1/projects/${hearth.project}/databases/(default)/documents`;
  for (const [verb, body, status] of [
    ["partitionQuery", { structuredQuery: { from, orderBy }, partitionCount: 2 }, "PERMISSION_DENIED"],
    ["runQuery", { structuredQuery: { from }, explainOptions: {} }, "PERMISSION_DENIED"],
    ["runQuery", { structuredQuery: { from }, explainOptions: { analyze: true } }, "PERMISSION_DENIED"],
    ["executePipeline", { structuredPipeline: { pipeline: { stages: [] } } }, "FAILED_PRECONDITION"],
  ]) {
    const answer = await (await fetch(`${base}:${verb}`, { method: "POST", body: JSON.stringify(body) })).json();
    const [{ error }] = [answer].flat();
    assert.equal(error.status, status, JSON.stringify(answer));
  }
});
