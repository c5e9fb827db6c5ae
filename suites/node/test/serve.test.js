// `hearth serve`: unmodified Admin SDKs with a key file and real signatures, clients with real tokens, and every forgery refused.
//
// The Admin SDK talks to Google's host names. A server in production sends them to Hearth by DNS and a private CA; here an
// agent, given to the SDK through its public options, connects them to Hearth's port.

import assert from "node:assert/strict";
import { createHmac, createPrivateKey, createSign, generateKeyPairSync } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import net from "node:net";
import { join } from "node:path";
import { after } from "node:test";

import { initializeApp as initializeClient } from "firebase/app";
import { connectAuthEmulator, getAuth as getClientAuth } from "firebase/auth";
import {
  createUserWithEmailAndPassword,
  signInWithCustomToken,
  signInWithEmailAndPassword,
  updatePassword,
} from "firebase/auth";
import { doc, getDoc, initializeFirestore, setDoc, setLogLevel } from "firebase/firestore/lite";
import { cert, initializeApp } from "firebase-admin/app";
import { getAuth } from "firebase-admin/auth";

import { address, fails, unsigned } from "../clients.js";
import { againstPeer, eventually, folder, hearthTest, log, run, sleep, start } from "../hearth.js";

setLogLevel("silent");
const PROJECT = "acme-prod";
const RULES = `
rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /notes/{uid} { allow read, write: if request.auth.uid == uid; }
    match /staff/{id} { allow read, write: if request.auth.token.role == 'staff'; }
    match /public/{id} { allow read; }
  }
}`;
const PASSWORD = "correct horse battery";

const home = folder({ "firebase.json": { firestore: { rules: "firestore.rules" } }, "firestore.rules": RULES });
const data = join(home, "data");
const keyPath = join(home, "key.json");
let server;
let port;
let key;
let admin;

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
}
after(async () => {
  await server?.stop();
  rmSync(home, { recursive: true, force: true });
});

let apps = 0;

/** A device of production: its Auth and its Firestore, on Hearth's one port. */
function device() {
  const app = initializeClient({ projectId: PROJECT, apiKey: "public" }, `device-${++apps}`);
  const auth = getClientAuth(app);
  connectAuthEmulator(auth, `http://127.0.0.1:${port}`, { disableWarnings: true }); // tells the address, no more
  return { auth, db: initializeFirestore(app, { host: `127.0.0.1:${port}`, ssl: false }) };
}

async function signedUp() {
  const { auth, db } = device();
  const { user } = await createUserWithEmailAndPassword(auth, address(), PASSWORD);
  return { auth, db, user };
}

const documents = () => `http://127.0.0.1:${port}/v1/projects/${PROJECT}/databases/(default)/documents`;
const identity = (path) => `http://127.0.0.1:${port}/identitytoolkit.googleapis.com/v1/${path}`;

async function post(url, body, bearer) {
  const headers = { "content-type": "application/json", ...(bearer && { authorization: `Bearer ${bearer}` }) };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await answer.text();
  return { status: answer.status, text };
}

async function get(document, bearer) {
  const answer = await fetch(`${documents()}/${document}`, { headers: bearer ? { authorization: `Bearer ${bearer}` } : {} });
  return answer.status;
}

const encode = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const decode = (part) => JSON.parse(Buffer.from(part, "base64url"));

/** A JWT with RS256 by any key. */
function signed(header, claims, privateKey) {
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${createSign("RSA-SHA256").update(input).sign(privateKey).toString("base64url")}`;
}

hearthTest("a key file is what the Admin SDKs read", () => {
  assert.equal(key.type, "service_account");
  assert.equal(key.project_id, PROJECT);
  assert.match(key.client_email, /@/);
  assert.equal(createPrivateKey(key.private_key).asymmetricKeyType, "rsa");
  assert.ok(key.private_key_id && key.client_id && key.token_uri);
});

hearthTest("an unmodified Admin SDK manages users", async () => {
  const email = address();
  const { uid } = await admin.createUser({ email, password: PASSWORD });
  await admin.setCustomUserClaims(uid, { role: "staff" });
  assert.deepEqual((await admin.getUserByEmail(email)).customClaims, { role: "staff" });
  assert.ok((await admin.listUsers(10)).users.some((user) => user.uid === uid));
  await admin.deleteUser(uid);
  await fails("auth/user-not-found", () => admin.getUser(uid));
});

hearthTest("it verifies the signatures of real tokens", async () => {
  const { user } = await signedUp();
  const token = await user.getIdToken();
  const [header] = token.split(".").map((part, index) => (index < 2 ? decode(part) : part));
  assert.equal(header.alg, "RS256");
  assert.ok(header.kid);
  assert.equal((await admin.verifyIdToken(token, true)).uid, user.uid);
});

hearthTest("it refuses forged ones", async () => {
  const { user } = await signedUp();
  const [header, claims, signature] = (await user.getIdToken()).split(".");
  const altered = encode({ ...decode(claims), role: "staff" });
  await fails("auth/argument-error", () => admin.verifyIdToken(`${header}.${altered}.${signature}`));
  await fails("auth/argument-error", () => admin.verifyIdToken(unsigned(decode(claims))));
});

hearthTest("session cookies are signed, verified and revoked", async () => {
  const { user } = await signedUp();
  const cookie = await admin.createSessionCookie(await user.getIdToken(), { expiresIn: 5 * 60_000 });
  assert.equal((await admin.verifySessionCookie(cookie, true)).uid, user.uid);
  await sleep(1_100);
  await admin.revokeRefreshTokens(user.uid);
  await fails("auth/session-cookie-revoked", () => admin.verifySessionCookie(cookie, true));
});

hearthTest("custom tokens signed with the key file sign in; signed with another they do not", async () => {
  const { auth } = device();
  const { user } = await signInWithCustomToken(auth, await admin.createCustomToken("from-elsewhere", { role: "staff" }));
  assert.equal(user.uid, "from-elsewhere");
  assert.equal((await user.getIdTokenResult()).claims.role, "staff");
  const other = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const [header, claims] = (await admin.createCustomToken("boss")).split(".").slice(0, 2).map(decode);
  await fails("auth/invalid-custom-token", () => signInWithCustomToken(auth, signed(header, claims, other)));
  await fails("auth/invalid-custom-token", () => signInWithCustomToken(auth, unsigned(claims)));
});

hearthTest("rules decide for real tokens", async () => {
  const { db, user } = await signedUp();
  await setDoc(doc(db, "notes", user.uid), { text: "mine" });
  assert.equal((await getDoc(doc(db, "notes", user.uid))).get("text"), "mine");
  await fails("permission-denied", () => setDoc(doc(db, "notes/somebody"), {}));
  await fails("permission-denied", () => setDoc(doc(db, "staff/plan"), {}));
  await admin.setCustomUserClaims(user.uid, { role: "staff" });
  await user.getIdToken(true);
  await setDoc(doc(db, "staff/plan"), { n: 1 });
});

hearthTest("a denial tells a client nothing of the rules", async () => {
  const { text } = await post(`${documents()}/staff?documentId=x`, { fields: {} });
  assert.match(text, /Missing or insufficient permissions\./);
  assert.doesNotMatch(text, /L\d|rules|false for/);
});

hearthTest("unknown addresses and wrong passwords look alike", async () => {
  const { auth, user } = await signedUp();
  for (const email of [user.email, address("nobody")]) {
    await fails("auth/invalid-credential", () => signInWithEmailAndPassword(auth, email, "wrong horse"));
  }
});

hearthTest("every forged credential is refused, by Firestore and by identity", async () => {
  const { user } = await signedUp();
  const good = await user.getIdToken();
  assert.equal(await get(`notes/${user.uid}`, good), 404, "the real one passes");
  const [header, claims] = good.split(".").slice(0, 2).map(decode);
  const signature = good.split(".")[2];
  const attacker = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwk = attacker.publicKey.export({ format: "jwk" });
  const certificates = await (
    await fetch(`http://127.0.0.1:${port}/www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com`)
  ).json();
  const hmac = (secret) => {
    const input = `${encode({ alg: "HS256", typ: "JWT", kid: header.kid })}.${encode(claims)}`;
    return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
  };
  const now = Math.floor(Date.now() / 1000);
  const account = {
    iss: key.client_email,
    sub: key.client_email,
    iat: now,
    exp: now + 3600,
    scope: "https://www.googleapis.com/auth/cloud-platform",
  };
  const accountHeader = { alg: "RS256", typ: "JWT", kid: key.private_key_id };
  const forged = {
    "unsigned": unsigned(claims),
    "unsigned, as mock users have it": unsigned({ ...claims, iat: 0, exp: 3600 }, { alg: "none", type: "JWT" }),
    "alg None": unsigned(claims, { alg: "None", typ: "JWT" }),
    "unsigned with the real signature": `${unsigned(claims)}${signature}`,
    "signature cut off": good.slice(0, -8),
    "signature left out": `${good.split(".").slice(0, 2).join(".")}.`,
    "two parts": good.split(".").slice(0, 2).join("."),
    "four parts": `${good}.x`,
    "claims changed": `${encode(header)}.${encode({ ...claims, role: "staff" })}.${signature}`,
    "user changed": `${encode(header)}.${encode({ ...claims, sub: "boss", user_id: "boss" })}.${signature}`,
    "expiry changed": `${encode(header)}.${encode({ ...claims, exp: claims.exp + 9999 })}.${signature}`,
    "signed by another key under the real key's name": signed(header, claims, attacker.privateKey),
    "signed by a key nobody knows": signed({ ...header, kid: "mine" }, claims, attacker.privateKey),
    "no key name": signed({ alg: "RS256", typ: "JWT" }, claims, attacker.privateKey),
    "its own key in the header": signed({ ...header, jwk }, claims, attacker.privateKey),
    "a key's address in the header": signed({ ...header, jku: "http://127.0.0.1:1/" }, claims, attacker.privateKey),
    "a key name that is a path": signed({ ...header, kid: "../../etc/passwd" }, claims, attacker.privateKey),
    "HS256 with the public certificate": hmac(certificates[header.kid]),
    "HS256 with the key's name": hmac(header.kid),
    "a refresh token": user.refreshToken,
    "a session cookie": await admin.createSessionCookie(good, { expiresIn: 5 * 60_000 }),
    "a custom token": await admin.createCustomToken("boss", { role: "staff" }),
    "an account's token for another audience": signed(accountHeader, { ...account, aud: "https://evil.example/" }, key.private_key),
    "an account's token by another key": signed(accountHeader, account, attacker.privateKey),
    "an account that is not": signed(
      { ...accountHeader, kid: "none" },
      { ...account, iss: "boss@acme", sub: "boss@acme" },
      attacker.privateKey,
    ),
    "an account's token for too long": signed(
      accountHeader,
      { ...account, aud: "https://firestore.googleapis.com/", exp: now + 9_000_000 },
      key.private_key,
    ),
    "owner": "owner",
    "OWNER": "OWNER",
    "ya29": "ya29.a0AfH6SMBx",
    "nothing of the kind": "abc",
    "dots": "..",
    "dots and letters": "a.b.c",
  };
  for (const [name, token] of Object.entries(forged)) {
    assert.equal(await get(`notes/${user.uid}`, token), 401, `Firestore, get: ${name}`);
    assert.equal(await get("public/x", token), 401, `Firestore, get of what everybody may: ${name}`);
    const commit = { writes: [{ delete: `projects/${PROJECT}/databases/(default)/documents/staff/x` }] };
    assert.equal((await post(`${documents()}:commit`, commit, token)).status, 401, `Firestore, commit: ${name}`);
    const claim = { localId: user.uid, customAttributes: '{"role":"staff"}' };
    const update = await post(identity(`projects/${PROJECT}/accounts:update`), claim, token);
    assert.equal(update.status, 401, `identity, admin: ${name}: ${update.text}`);
    const lookup = await post(`${identity("accounts:lookup")}?key=public`, { idToken: token });
    assert.equal(lookup.status, 400, `identity, lookup: ${name}`);
    assert.match(lookup.text, /INVALID_ID_TOKEN|TOKEN_EXPIRED/, `identity, lookup: ${name}`);
    const refresh = await post(`http://127.0.0.1:${port}/securetoken.googleapis.com/v1/token?key=public`, {
      grant_type: "refresh_token",
      refresh_token: token,
    });
    assert.equal(refresh.status, token === user.refreshToken ? 200 : 400, `identity, refresh: ${name}`);
  }
  assert.equal((await admin.getUser(user.uid)).customClaims, undefined);
});

hearthTest("a user's own token is no admin's", async () => {
  const { user } = await signedUp();
  const token = await user.getIdToken();
  const claim = { localId: user.uid, customAttributes: '{"role":"staff"}' };
  const update = await post(identity(`projects/${PROJECT}/accounts:update`), claim, token);
  assert.ok([401, 403].includes(update.status), update.text);
  const list = await fetch(identity(`projects/${PROJECT}/accounts:batchGet`), { headers: { authorization: `Bearer ${token}` } });
  assert.ok([401, 403].includes(list.status));
});

hearthTest("a token of an account signed by itself is an admin's, at Firestore", async () => {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: key.client_email,
    sub: key.client_email,
    iat: now,
    exp: now + 3600,
    aud: "https://firestore.googleapis.com/",
  };
  const header = { alg: "RS256", typ: "JWT", kid: key.private_key_id };
  assert.equal(await get("anything/at-all", signed(header, claims, key.private_key)), 404);
});

hearthTest("revoked, disabled and deleted users are refused at once, tokens not yet expired", async () => {
  for (const act of [
    (uid) => admin.revokeRefreshTokens(uid),
    (uid) => admin.updateUser(uid, { disabled: true }),
    (uid) => admin.deleteUser(uid),
  ]) {
    const { user } = await signedUp();
    const token = await user.getIdToken();
    assert.equal(await get(`notes/${user.uid}`, token), 404);
    await sleep(1_100);
    await act(user.uid);
    assert.equal(await get(`notes/${user.uid}`, token), 401, String(act));
  }
});

hearthTest("a password change ends other sessions", async () => {
  const { auth, user } = await signedUp();
  const other = device();
  const elsewhere = (await signInWithEmailAndPassword(other.auth, user.email, PASSWORD)).user;
  await sleep(1_100);
  await updatePassword(user, "another horse");
  assert.equal(auth.currentUser.uid, user.uid);
  await fails("auth/user-token-expired", () => elsewhere.getIdToken(true));
});

hearthTest("what is only for dev is not there", async () => {
  const base = `http://127.0.0.1:${port}`;
  for (const [method, path] of [
    ["DELETE", `/emulator/v1/projects/${PROJECT}/databases/(default)/documents`],
    ["DELETE", `/emulator/v1/projects/${PROJECT}/accounts`],
    ["GET", `/emulator/v1/projects/${PROJECT}/oobCodes`],
    ["PUT", `/emulator/v1/projects/${PROJECT}:securityRules`],
  ]) {
    const answer = await fetch(base + path, { method, headers: { authorization: "Bearer owner" }, body: method === "PUT" ? "{}" : undefined });
    assert.ok([401, 403, 404, 405].includes(answer.status), `${method} ${path}: ${answer.status}`);
  }
  const { user } = await signedUp();
  assert.equal((await admin.getUser(user.uid)).uid, user.uid, "nothing was cleared");
});

hearthTest("production does not start with broken rules, or without a project", async () => {
  const broken = folder({ "firebase.json": { firestore: { rules: "r.rules" } }, "r.rules": "service cloud.firestore {" });
  const args = ["serve", broken, "--listen", "127.0.0.1:0", "--data", join(broken, "data"), "--json"];
  const { status, stderr } = run([...args, "--project", PROJECT]);
  assert.notEqual(status, 0);
  assert.match(stderr, /r\.rules:1:\d+/);
  assert.notEqual(run(args).status, 0);
  rmSync(broken, { recursive: true });
});

hearthTest("without rules production denies", async () => {
  const bare = folder({ "firebase.json": {} });
  const running = await start(["serve", bare, "--listen", "127.0.0.1:0", "--data", join(bare, "data"), "--project", PROJECT, "--json"]);
  const url = `http://127.0.0.1:${running.ready.ports.serve}/v1/projects/${PROJECT}/databases/(default)/documents/public/x`;
  assert.equal((await fetch(url)).status, 403);
  // Rules may come later, and then count from the next SIGHUP on.
  writeFileSync(join(bare, "firestore.rules"), RULES);
  process.kill(running.pid, "SIGHUP");
  await eventually(async () => (await fetch(url)).status === 404, "the rules are in force");
  rmSync(join(bare, "firestore.rules"));
  process.kill(running.pid, "SIGHUP");
  await eventually(() => running.said().includes("the rules in force stay"), "a word on what stays in force");
  assert.equal((await fetch(url)).status, 404);
  await running.stop();
  rmSync(bare, { recursive: true });
});

hearthTest("the log names the account behind each admin's act", async () => {
  const { user } = await signedUp();
  await admin.setCustomUserClaims(user.uid, { role: "staff" });
  const found = await log(data, ["--who", key.client_email, "--verdict", "admin"], (events) =>
    events.some((event) => event.path.includes(user.uid)),
  );
  assert.ok(found.every((event) => event.caller === "admin"));
  assert.doesNotMatch(JSON.stringify(found), /eyJ|PRIVATE KEY/);
});
