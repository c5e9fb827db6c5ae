// Cloud Storage in production: URLs and forms that a service account has signed with Google's client, and users whose claims go
// while they upload.

import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { join } from "node:path";
import { after } from "node:test";

import { Storage } from "@google-cloud/storage";
import { initializeApp as initializeClient } from "firebase/app";
import { connectAuthEmulator, createUserWithEmailAndPassword, getAuth as getClientAuth } from "firebase/auth";
import { cert, initializeApp } from "firebase-admin/app";
import { getAuth } from "firebase-admin/auth";

import { address } from "../clients.js";
import { againstPeer, folder, hearthTest, run, sleep, start } from "../hearth.js";

const PROJECT = "acme-files";
const BUCKET = `${PROJECT}.appspot.com`;
const RULES = `
rules_version = '2';
service firebase.storage {
  match /b/{bucket}/o {
    match /edited/{file} { allow read: if true; allow write: if request.auth.token.editor == true; }
  }
}`;
const home = folder({ "firebase.json": { storage: { rules: "storage.rules" } }, "storage.rules": RULES });
const data = join(home, "data");
const keyPath = join(home, "key.json");
let server;
let port;
let key;
let admin;
let bucket;
if (!againstPeer) {
  const created = run(["service-account", "create", "server", "--data", data, "--project", PROJECT]);
  assert.equal(created.status, 0, created.stderr);
  key = JSON.parse(created.stdout);
  writeFileSync(keyPath, created.stdout);
  server = await start(["serve", home, "--listen", "127.0.0.1:0", "--data", data, "--project", PROJECT, "--json"]);
  port = server.ready.ports.serve;
  const agent = new https.Agent({ keepAlive: false });
  agent.createConnection = () => net.connect(port, "127.0.0.1");
  admin = getAuth(initializeApp({ credential: cert(keyPath, agent), httpAgent: agent, projectId: PROJECT }));
  bucket = new Storage({ projectId: PROJECT, credentials: key }).bucket(BUCKET);
}
after(async () => {
  await server?.stop();
  rmSync(home, { recursive: true, force: true });
});

/** Asks Hearth what is addressed to Google: as a DNS entry of one's own has it. */
function ask(url, { method = "GET", headers = {}, body } = {}) {
  const { host, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const asked = { host: "127.0.0.1", port, method, path: pathname + search, headers: { ...headers, host } };
    const request = http.request(asked, (answer) => {
      const pieces = [];
      answer.on("data", (piece) => pieces.push(piece));
      answer.on("end", () =>
        resolve({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(pieces).toString() }),
      );
    });
    request.on("error", reject);
    request.end(body);
  });
}

const MINUTE = 60_000;
const signed = async (name, action, more = {}) =>
  (await bucket.file(name).getSignedUrl({ version: "v4", action, expires: Date.now() + MINUTE, ...more }))[0];

for (const version of ["v2", "v4"]) {
  hearthTest(`${version}: a signed URL writes, reads and deletes its object, and nothing else`, async () => {
    const name = `signed ${version}/ä+!*'()%.txt`;
    const kind = { version, contentType: "text/plain" };
    const put = await signed(name, "write", kind);
    const headers = { "content-type": "text/plain" };
    assert.equal((await ask(put, { method: "PUT", headers, body: "hello" })).status, 200);
    assert.equal((await ask(put, { method: "PUT", headers: { "content-type": "text/html" }, body: "x" })).status, 403);
    const read = await signed(name, "read", { version });
    const got = await ask(read);
    assert.deepEqual([got.status, got.text], [200, "hello"]);
    for (const [forged, options] of [
      [read.replace("signed%20", "others%20"), {}],
      [read, { method: "DELETE" }],
      [read.replace(/(Expires=)(\d+)/, (_, name, number) => `${name}${Number(number) + 1}`), {}],
      [read.replace(/(Signature=)(...)/, "$1000"), {}],
      [read.replaceAll("server%40", "nobody%40"), {}],
    ]) {
      const refused = await ask(forged, options);
      assert.equal(refused.status, 403, forged);
      assert.match(refused.text, /<Code>AccessDenied<\/Code>/);
    }
    assert.equal((await ask(await signed(name, "delete", { version }), { method: "DELETE" })).status, 204);
    assert.equal((await ask(read)).status, 404);
  });
}

hearthTest("a signed URL ends, and may say how browsers take the object", async () => {
  const put = await signed("page", "write", { contentType: "text/html" });
  await ask(put, { method: "PUT", headers: { "content-type": "text/html" }, body: "<script>" });
  const saved = await ask(await signed("page", "read", { promptSaveAs: "b.html" }));
  assert.match(saved.headers["content-disposition"], /^attachment; filename="?b\.html/);
  const inline = await ask(await signed("page", "read", { responseDisposition: "inline" }));
  assert.match(inline.headers["content-disposition"], /^attachment/, "HTML is never shown from this origin");
  const own = await ask(await signed("page", "read", { virtualHostedStyle: true }));
  assert.deepEqual([own.status, own.text], [200, "<script>"]);
  const soon = await signed("page", "read", { expires: Date.now() + 2_000 });
  assert.equal((await ask(soon)).status, 200);
  await sleep(3_000);
  assert.equal((await ask(soon)).status, 403);
  assert.equal((await ask(await signed("page", "read", { accessibleAt: Date.now() + 40 * MINUTE, expires: Date.now() + 50 * MINUTE }))).status, 403);
  const listed = await ask((await bucket.getSignedUrl({ version: "v4", action: "list", expires: Date.now() + MINUTE }))[0]);
  assert.match(listed.text, /<Key>page<\/Key>/);
});

hearthTest("a signed resumable upload goes on at its address", async () => {
  const begin = await signed("large", "resumable");
  const begun = await ask(begin, { method: "POST", headers: { "x-goog-resumable": "start", "content-length": "0" } });
  assert.equal(begun.status, 201, begun.text);
  const at = begun.headers.location;
  const chunk = (range, body) => ask(at, { method: "PUT", headers: { "content-range": range }, body });
  assert.equal((await chunk("bytes 0-4/11", "hello")).status, 308);
  assert.equal((await chunk("bytes 5-10/11", " world")).status, 200);
  assert.equal((await ask(await signed("large", "read"))).text, "hello world");
  assert.equal((await ask(begin.replace("large", "larger"), { method: "POST", headers: { "x-goog-resumable": "start", "content-length": "0" } })).status, 403);
});

hearthTest("a form is what its policy says", async () => {
  const [{ url, fields }] = await bucket.file("posted").generateSignedPostPolicyV4({
    expires: Date.now() + MINUTE,
    conditions: [["content-length-range", 1, 10]],
    fields: { "x-goog-meta-kind": "poster" },
  });
  const post = (changed, file) => {
    const form = Object.entries({ ...fields, ...changed }).map(
      ([name, value]) => `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
    );
    form.push(`--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n${file}\r\n--b--\r\n`);
    return ask(url, { method: "POST", headers: { "content-type": "multipart/form-data; boundary=b" }, body: form.join("") });
  };
  const good = await post({}, "hello");
  assert.equal(good.status, 204, good.text);
  assert.equal((await ask(await signed("posted", "read"))).text, "hello");
  for (const [changed, file, status] of [
    [{ key: "other" }, "hello", 403],
    [{ "content-type": "text/html" }, "hello", 403],
    [{ "x-goog-meta-kind": "film" }, "hello", 403],
    [{ "x-goog-signature": "00" }, "hello", 403],
    [{ policy: Buffer.from("{}").toString("base64") }, "hello", 403],
    [{}, "more than ten bytes", 413],
  ]) {
    assert.equal((await post(changed, file)).status, status, JSON.stringify(changed));
  }
  assert.equal((await ask(await signed("posted", "read"))).text, "hello");
});

hearthTest("whoever signs nothing and shows nothing is refused", async () => {
  const host = "https://storage.googleapis.com";
  for (const path of [`/${BUCKET}/posted`, `/storage/v1/b/${BUCKET}/o`, `/${BUCKET}`]) {
    assert.equal((await ask(host + path)).status, 401, path);
  }
});

hearthTest("claims and sessions that go between two chunks keep the object from appearing", async () => {
  const { user, token } = await editor();
  for (const [name, revoke] of [
    ["claim", () => admin.setCustomUserClaims(user.uid, { editor: false })],
    ["disabled", () => admin.updateUser(user.uid, { disabled: true })],
  ]) {
    await admin.updateUser(user.uid, { disabled: false });
    await admin.setCustomUserClaims(user.uid, { editor: true });
    const chunk = await begin(name, token);
    assert.equal((await chunk("upload", 0, "hello")).status, 200, name);
    await revoke();
    const last = await chunk("upload, finalize", 5, " world");
    assert.ok([401, 403].includes(last.status), `${name}: ${last.status}`);
    assert.equal((await ask(`https://firebasestorage.googleapis.com/v0/b/${BUCKET}/o/edited%2F${name}`)).status, 404, name);
    // It does not come back with the claim.
    await admin.updateUser(user.uid, { disabled: false });
    await admin.setCustomUserClaims(user.uid, { editor: true });
    const again = await chunk("finalize", 11, "");
    assert.ok(name !== "claim" || again.status === 403, `${name}: ${again.status}`);
  }
});

/** A user with a token that says `editor`. */
async function editor() {
  const auth = getClientAuth(initializeClient({ projectId: PROJECT, apiKey: "public" }, "device"));
  connectAuthEmulator(auth, `http://127.0.0.1:${port}`, { disableWarnings: true });
  const { user } = await createUserWithEmailAndPassword(auth, address(), "correct horse battery");
  await admin.setCustomUserClaims(user.uid, { editor: true });
  return { user, token: await user.getIdToken(true) };
}

/** Begins an upload as the web SDK does; what sends its chunks. */
async function begin(name, token) {
  const headers = { authorization: `Firebase ${token}`, "x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start" };
  const url = `https://firebasestorage.googleapis.com/v0/b/${BUCKET}/o?name=edited/${name}`;
  const begun = await ask(url, { method: "POST", headers, body: "{}" });
  assert.equal(begun.status, 200, begun.text);
  const at = begun.headers["x-goog-upload-url"];
  return (command, offset, body) => {
    const of = { authorization: `Firebase ${token}`, "x-goog-upload-command": command, "x-goog-upload-offset": String(offset) };
    return ask(at, { method: "POST", headers: of, body });
  };
}
