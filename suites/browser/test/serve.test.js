// Production: a server with a certificate, where browsers speak HTTP/2 and tokens are real.

import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { folder, run, start } from "../../node/hearth.js";
import { profile, require, tab } from "../browser.js";

const selfsigned = require("selfsigned");

const PROJECT = "acme-browser";
const RULES = `
rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /notes/{uid} { allow read, write: if request.auth.uid == uid; }
    match /public/{id} { allow read; allow write: if request.auth != null; }
  }
}`;

const home = folder({ "firebase.json": { firestore: { rules: "firestore.rules" } }, "firestore.rules": RULES });
const path = (name) => join(home, name);

let server;
before(async () => {
  const pems = selfsigned.generate([{ name: "commonName", value: "localhost" }], { keySize: 2048, days: 1 });
  writeFileSync(path("cert.pem"), pems.cert);
  writeFileSync(path("cert.key"), pems.private);
  const data = path("data");
  assert.equal(run(["service-account", "create", "server", "--data", data, "--project", PROJECT]).status, 0);
  const secure = ["--tls-cert", path("cert.pem"), "--tls-key", path("cert.key")];
  server = await start(["serve", home, "--listen", "127.0.0.1:0", "--data", data, "--project", PROJECT, "--json", ...secure]);
});
after(async () => {
  await server?.stop();
  rmSync(home, { recursive: true, force: true });
});

test("over TLS and HTTP/2: listens, writes, is denied", { timeout: 60_000 }, async () => {
  const page = await tab(await profile({ ignoreHTTPSErrors: true }));
  const protocols = new Set();
  page.on("response", async (response) => {
    if (response.url().includes("/channel?") && !response.url().includes("SID=")) {
      protocols.add((await response.allHeaders())["x-client-wire-protocol"]);
    }
  });
  const host = `localhost:${server.ready.ports.serve}`;
  const found = await page.evaluate(
    async (options) => {
      const { auth, db } = sdk.open(options);
      const denied = sdk.follow(sdk.doc(db, "notes/somebody"), () => 0);
      await denied.until(({ error }) => error, "a denial without a user");
      const { user } = await sdk.auth.createUserWithEmailAndPassword(auth, "ada@example.com", "correct horse battery");
      const own = sdk.follow(sdk.doc(db, "notes", user.uid), (snapshot) => snapshot.data()?.text ?? null);
      const all = sdk.follow(sdk.collection(db, "public"), (snapshot) => snapshot.size);
      await sdk.setDoc(sdk.doc(db, "notes", user.uid), { text: "schön" });
      // Writes overtake one another over HTTP/2.
      await Promise.all(Array.from({ length: 50 }, (_, n) => sdk.setDoc(sdk.doc(db, "public", `p${n}`), { n })));
      await own.until(({ seen }) => seen.at(-1) === "schön", "one's own note");
      await all.until(({ seen }) => seen.at(-1) === 50, "fifty documents");
      const count = (await sdk.getCountFromServer(sdk.collection(db, "public"))).data().count;
      await sdk.terminate(db);
      return { denied: denied.error, count };
    },
    { project: PROJECT, host, authUrl: `https://${host}` },
  );
  assert.deepEqual(found, { denied: "permission-denied", count: 50 });
  assert.deepEqual([...protocols], ["h2"]);
  assert.deepEqual(page.failures, []);
  await page.context().close();
});
