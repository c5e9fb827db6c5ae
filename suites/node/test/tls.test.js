// `hearth serve` with a certificate: unmodified SDKs over TLS, Firestore over gRPC with a key file included.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import { join } from "node:path";
import tls from "node:tls";
import { after } from "node:test";

import { cert, initializeApp } from "firebase-admin/app";
import { getAuth } from "firebase-admin/auth";
import selfsigned from "selfsigned";

import { address } from "../clients.js";
import { againstPeer, binary, eventually, folder, hearthTest, log, run, start } from "../hearth.js";

const PROJECT = "acme-tls";
const RULES = `
rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /public/{id} { allow read; }
  }
}`;
const GOOGLE = ["identitytoolkit", "oauth2", "securetoken", "firestore", "www"].map((name) => `${name}.googleapis.com`);

const home = folder({ "firebase.json": { firestore: { rules: "firestore.rules" } }, "firestore.rules": RULES });
const data = join(home, "data");
const path = (name) => join(home, name);
const pems = selfsigned.generate([{ name: "commonName", value: "hearth.test" }], {
  keySize: 2048,
  days: 1,
  extensions: [
    { name: "basicConstraints", cA: true },
    {
      name: "subjectAltName",
      altNames: [{ type: 7, ip: "127.0.0.1" }, ...["hearth.test", ...GOOGLE].map((value) => ({ type: 2, value }))],
    },
  ],
});
writeFileSync(path("cert.pem"), pems.cert);
writeFileSync(path("cert.key"), pems.private);

let server;
let port;
let app;
if (!againstPeer) {
  const created = run(["service-account", "create", "server", "--data", data, "--project", PROJECT]);
  assert.equal(created.status, 0, created.stderr);
  writeFileSync(path("key.json"), created.stdout);
  const secure = ["--tls-cert", path("cert.pem"), "--tls-key", path("cert.key")];
  const where = ["--listen", "127.0.0.1:0", "--data", data, "--project", PROJECT, "--json"];
  server = await start(["serve", home, ...where, ...secure]);
  port = server.ready.ports.serve;
  const agent = new https.Agent({ keepAlive: false });
  // Google's names lead to Hearth, which proves with its certificate that it may answer for them.
  agent.createConnection = ({ servername, host }) =>
    tls.connect({ port, host: "127.0.0.1", servername: servername || host, ca: pems.cert });
  app = initializeApp({ credential: cert(path("key.json"), agent), httpAgent: agent, projectId: PROJECT });
}
after(async () => {
  await server?.stop();
  rmSync(home, { recursive: true, force: true });
});

/** A GET over TLS with Node's own client. */
function get(url, options) {
  return new Promise((resolve, reject) => {
    const request = https.get(url, { ca: pems.cert, ...options }, (answer) => {
      answer.resume().once("end", () => resolve(answer.statusCode));
    });
    request.once("error", reject);
  });
}

hearthTest("an unmodified Admin SDK manages users over TLS", async () => {
  const auth = getAuth(app);
  const { uid } = await auth.createUser({ email: address() });
  assert.equal((await auth.getUser(uid)).uid, uid);
});

hearthTest("Firestore's Admin SDK reads and writes over gRPC with a key file and TLS", async () => {
  process.env.GRPC_DEFAULT_SSL_ROOTS_FILE_PATH = path("cert.pem"); // read when the SDK is loaded
  const { getFirestore } = await import("firebase-admin/firestore");
  const db = getFirestore(app);
  db.settings({ host: `127.0.0.1:${port}`, ssl: true });
  const note = db.doc("public/note");
  await note.set({ text: "over TLS" });
  assert.equal((await note.get()).get("text"), "over TLS");
  const changed = await db.runTransaction(async (transaction) => {
    const seen = await transaction.get(note);
    transaction.update(note, { text: `${seen.get("text")}, twice` });
    return seen.get("text");
  });
  assert.equal(changed, "over TLS");
  assert.equal((await db.collection("public").where("text", "==", "over TLS, twice").get()).size, 1);
  const [event] = await log(data, ["--path", "/public/note", "--verdict", "admin"], (events) => events.length > 0);
  assert.match(event.who, /^server@/);
  await db.terminate();
});

hearthTest("a reader without a token gets over TLS what the rules give, and nothing in plain text", async () => {
  const note = `/v1/projects/${PROJECT}/databases/(default)/documents/public/note`;
  assert.equal(await get(`https://127.0.0.1:${port}${note}`), 200);
  assert.equal(await get(`https://127.0.0.1:${port}${note.replace("public", "private")}`), 403);
  await assert.rejects(() => fetch(`http://127.0.0.1:${port}${note}`));
  await assert.rejects(() => get(`https://127.0.0.1:${port}${note}`, { ca: undefined }), /self-signed certificate/);
});

hearthTest("the screen tells an address that works", async () => {
  const secure = ["--tls-cert", path("cert.pem"), "--tls-key", path("cert.key")];
  const where = ["--listen", "127.0.0.1:0", "--data", path("other"), "--project", PROJECT];
  const child = spawn(binary, ["serve", home, ...where, ...secure], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk) => (said += chunk));
  await eventually(() => said.includes("rules"), "the screen");
  const [, url] = said.match(/serve +(http\S+)/);
  assert.match(url, /^https:/);
  assert.equal(await get(`${url}/v1/projects/${PROJECT}/databases/(default)/documents/private/a`), 403);
  child.kill("SIGTERM");
  await once(child, "exit");
});
