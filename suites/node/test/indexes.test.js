// Indexes and keys of production, with an unmodified firebase-admin: queries that lack an index, and a key that is revoked.

import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import { join } from "node:path";
import tls from "node:tls";
import { after } from "node:test";

import { cert, initializeApp } from "firebase-admin/app";
import { getAuth } from "firebase-admin/auth";
import selfsigned from "selfsigned";

import { againstPeer, folder, hearthTest, run, start } from "../hearth.js";

const PROJECT = "acme-indexes";
const RULES = `
rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /{path=**} { allow read; }
  }
}`;

const home = folder({
  "firebase.json": { firestore: { rules: "firestore.rules", indexes: "firestore.indexes.json" } },
  "firestore.rules": RULES,
  "firestore.indexes.json": { indexes: [], fieldOverrides: [] },
});
const data = join(home, "data");
const path = (name) => join(home, name);
const names = ["identitytoolkit", "oauth2", "securetoken", "firestore", "www"].map((name) => `${name}.googleapis.com`);
const pems = selfsigned.generate([{ name: "commonName", value: "hearth.test" }], {
  keySize: 2048,
  days: 1,
  extensions: [
    { name: "basicConstraints", cA: true },
    { name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }, ...names.map((value) => ({ type: 2, value }))] },
  ],
});
writeFileSync(path("cert.pem"), pems.cert);
writeFileSync(path("cert.key"), pems.private);

let server;
let port;
let db;

/** What a verb that succeeds prints. */
function verb(...args) {
  const { status, stdout, stderr } = run(args);
  assert.equal(status, 0, stderr);
  return stdout;
}

/** An Admin SDK with a key file of its own. */
function admin(name) {
  writeFileSync(path(`${name}.json`), verb("service-account", "create", name, "--data", data, "--project", PROJECT));
  const agent = new https.Agent({ keepAlive: false });
  agent.createConnection = ({ servername, host }) =>
    tls.connect({ port, host: "127.0.0.1", servername: servername || host, ca: pems.cert });
  return initializeApp({ credential: cert(path(`${name}.json`), agent), httpAgent: agent, projectId: PROJECT }, name);
}

if (!againstPeer) {
  const secure = ["--tls-cert", path("cert.pem"), "--tls-key", path("cert.key")];
  const where = ["--listen", "127.0.0.1:0", "--data", data, "--project", PROJECT, "--json"];
  server = await start(["serve", home, ...where, ...secure]);
  port = server.ready.ports.serve;
  process.env.GRPC_DEFAULT_SSL_ROOTS_FILE_PATH = path("cert.pem"); // read when the SDK is loaded
  const { getFirestore } = await import("firebase-admin/firestore");
  db = getFirestore(admin("server"));
  db.settings({ host: `127.0.0.1:${port}`, ssl: true });
}
after(async () => {
  await db?.terminate();
  await server?.stop();
  rmSync(home, { recursive: true, force: true });
});

const indexes = () => JSON.parse(verb("indexes", "list", "--data", data, "--json"));

hearthTest("a query without its index fails as in production, and passes once it is built, without a restart", async () => {
  for (const [name, state, population] of [["LA", "CA", 4], ["SF", "CA", 1], ["DC", null, 1]]) {
    await db.doc(`cities/${name}`).set({ state, population });
  }
  const query = db.collection("cities").where("state", "==", "CA").orderBy("population", "desc");
  const refused = await query.get().then(() => assert.fail("it passed"), (error) => error);
  assert.equal(refused.code, 9);
  assert.match(refused.message, /The query requires an index\. You can create it here: https:\/\/console\.firebase\.google\.com\/v1\/r\/project\/acme-indexes\/firestore\/indexes\?create_composite=\S+/);
  const [, command] = refused.message.match(/with Hearth: hearth (.+?)\)$/);
  assert.equal(command, "indexes add cities state population:desc");
  const [suggestion] = JSON.parse(verb("indexes", "suggest", "--data", data, "--json"));
  assert.equal(suggestion.arguments, "cities state population:desc");
  assert.deepEqual(indexes(), []);

  verb(...command.split(" "), "--project-dir", home);
  assert.equal(JSON.parse(readFileSync(path("firestore.indexes.json"), "utf8")).indexes[0].fields[1].order, "DESCENDING");
  const [built] = JSON.parse(verb("indexes", "build", "--project-dir", home, "--data", data, "--json"));
  assert.equal(built.state, "ready");
  const found = await query.get();
  assert.deepEqual(found.docs.map((city) => city.id), ["LA", "SF"]);
  // Both ways round, and counted.
  const up = db.collection("cities").where("state", "==", "CA").orderBy("population");
  assert.deepEqual((await up.get()).docs.map((city) => city.id), ["SF", "LA"]);
  assert.equal((await query.count().get()).data().count, 2);
  await assert.rejects(() => db.collectionGroup("cities").where("state", "==", "CA").get(), {
    code: 9,
    message: /requires a COLLECTION_GROUP_ASC index for collection cities and field state/,
  });
  verb("indexes", "drop", String(built.id), "--data", data);
  await assert.rejects(() => query.get(), { code: 9 });
});

hearthTest("junk queries of nobody leave no index", async () => {
  for (let n = 0; n < 30; n++) {
    await db.doc(`shop/item${n}`).set({ a: n, b: `${n}`, tags: ["x"] });
  }
  const documents = `https://127.0.0.1:${port}/v1/projects/${PROJECT}/databases/(default)/documents:runQuery`;
  const ask = (structuredQuery) =>
    new Promise((resolve, reject) => {
      const request = https.request(documents, { method: "POST", ca: pems.cert }, (answer) => {
        answer.resume().once("end", () => resolve(answer.statusCode));
      });
      request.once("error", reject).end(JSON.stringify({ structuredQuery }));
    });
  const fields = ["a", "b", "tags", "nobody", "has"];
  const statuses = new Set();
  for (let n = 0; n < 200; n++) {
    const direction = n % 2 ? "ASCENDING" : "DESCENDING";
    const orderBy = [`${fields[n % 5]}${n % 7 || ""}`, fields[(n + 1 + (n % 3)) % 5]];
    const order = orderBy.slice(n % 2).map((fieldPath) => ({ field: { fieldPath }, direction }));
    statuses.add(await ask({ from: [{ collectionId: "shop", allDescendants: n % 4 === 0 }], orderBy: order }));
  }
  assert.deepEqual([...statuses].sort(), [200, 400]);
  assert.deepEqual(indexes().filter((index) => index.index.collectionGroup === "shop"), []);
});

hearthTest("a revoked service account ends at once, for an Admin SDK that runs", async () => {
  const auth = getAuth(admin("leaver"));
  const { uid } = await auth.createUser({});
  assert.equal((await auth.getUser(uid)).uid, uid);
  verb("service-account", "revoke", "leaver", "--data", data);
  await assert.rejects(() => auth.getUser(uid));
  await assert.rejects(() => auth.createCustomToken("x").then((token) => token && auth.getUser(uid)));
});
