// App Check in production: unmodified SDKs with a CustomProvider and with firebase-admin, enforcement at every service, keys, replays.

import assert from "node:assert/strict";
import { generateKeyPairSync, createSign } from "node:crypto";
import { cpSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { join } from "node:path";
import { after } from "node:test";

import { initializeApp as initializeAdmin, cert } from "firebase-admin/app";
import { getAppCheck } from "firebase-admin/app-check";
import { getAuth as getAdminAuth } from "firebase-admin/auth";
import { deleteApp, initializeApp } from "firebase/app";
import { CustomProvider, getToken, initializeAppCheck } from "firebase/app-check";
import { connectAuthEmulator, createUserWithEmailAndPassword, getAuth, signOut } from "firebase/auth";
import { get, getDatabase, goOffline, onDisconnect, onValue, ref as place, set } from "firebase/database";
import * as full from "firebase/firestore";
import * as lite from "firebase/firestore/lite";
import { connectStorageEmulator, getBytes, getDownloadURL, getStorage, ref, uploadString } from "firebase/storage";

import { address, fails } from "../clients.js";
import { againstPeer, eventually, folder, hearthTest as test, log, repository, run, sleep, start } from "../hearth.js";
import { Wire } from "../realtime.js";

lite.setLogLevel("silent");
full.setLogLevel("silent");

const PROJECT = "acme-apps";
const NS = `${PROJECT}-default-rtdb`;
const BUCKET = `${PROJECT}.appspot.com`;
const APP = "1:12345:web:0123456789abcdef";
const DUMMY = "eyJlcnJvciI6IlVOS05PV05fRVJST1IifQ==";
const open = (service, where) => `service ${service} { match ${where} { match /{any=**} { allow read, write; } } }`;
const home = folder({
  "firebase.json": {
    firestore: { rules: "firestore.rules" },
    storage: { rules: "storage.rules" },
    database: { rules: "database.rules.json" },
  },
  "firestore.rules": `rules_version = '2';
service cloud.firestore { match /databases/{database}/documents {
  match /public/{id} { allow read, write; }
  match /notes/{id} { allow read, write: if request.auth != null; }
} }`,
  "storage.rules": `rules_version = '2';\n${open("firebase.storage", "/b/{bucket}/o")}`,
  "database.rules.json": { rules: { ".read": true, ".write": true } },
});
const data = join(home, "data");
const SERVICES = ["firestore", "database", "storage", "auth"];

let server, port, key, admin, agent;
const apps = [];
const hearth = (...args) => {
  const done = run([...args, "--data", data]);
  assert.equal(done.status, 0, `${args.join(" ")}: ${done.stderr}`);
  return done.stdout;
};
const json = (...args) => JSON.parse(hearth(...args, "--json"));
const serve = () => start(["serve", home, "--listen", "127.0.0.1:0", "--data", data, "--project", PROJECT, "--json"]);

async function begin() {
  server = await serve();
  port = server.ready.ports.serve;
}

if (!againstPeer) {
  const created = run(["service-account", "create", "server", "--data", data, "--project", PROJECT]);
  assert.equal(created.status, 0, created.stderr);
  key = JSON.parse(created.stdout);
  writeFileSync(join(home, "key.json"), created.stdout);
  await begin();
  agent = new https.Agent({ keepAlive: false });
  agent.createConnection = () => net.connect(port, "127.0.0.1");
  admin = initializeAdmin({ credential: cert(join(home, "key.json"), agent), httpAgent: agent, projectId: PROJECT });
  json("app-check", "app", "add", "Web", "--id", APP);
}
after(async () => {
  apps.forEach((app) => goOffline(getDatabase(app)));
  await Promise.all(apps.map((app) => signOut(getAuth(app))));
  await Promise.all(apps.map(deleteApp));
  await server?.stop();
  rmSync(home, { recursive: true, force: true });
});

const enforce = (mode, services = SERVICES) => services.forEach((service) => json("app-check", "enforce", service, mode));
const at = (path) => `http://127.0.0.1:${port}${path}`;
const appCheck = (path) => at(`/firebaseappcheck.googleapis.com${path}`);

async function post(url, body, headers = {}) {
  const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) });
  return { status: answer.status, body: await answer.json() };
}

/** What firebase-admin gives out: it exchanges the custom token by itself. */
const token = async (app = APP) => (await getAppCheck(admin).createToken(app)).token;

/** The headers of an administrator: an access token, as OAuth libraries get it. firebase-admin keeps its own beyond a revocation. */
async function bearer() {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: key.client_email, sub: key.client_email, aud: key.token_uri, scope: "https://www.googleapis.com/auth/cloud-platform", iat: now, exp: now + 3600 };
  const input = `${encode({ alg: "RS256", typ: "JWT", kid: key.private_key_id })}.${encode(claims)}`;
  const assertion = `${input}.${createSign("RSA-SHA256").update(input).sign(key.private_key).toString("base64url")}`;
  const body = new URLSearchParams({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion });
  const { access_token } = await (await fetch(at("/oauth2.googleapis.com/token"), { method: "POST", body })).json();
  return { authorization: `Bearer ${access_token}`, "content-type": "application/json" };
}

const decode = (text) => JSON.parse(Buffer.from(text.split(".")[1], "base64url"));
const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** The same claims, signed by somebody else. */
function forged(text, change = {}) {
  const header = JSON.parse(Buffer.from(text.split(".")[0], "base64url"));
  const input = `${encode(header)}.${encode({ ...decode(text), ...change })}`;
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return `${input}.${createSign("RSA-SHA256").update(input).sign(privateKey).toString("base64url")}`;
}

/** One request to each service: its HTTP status. */
const probes = {
  firestore: (headers) => fetch(at(`/v1/projects/${PROJECT}/databases/(default)/documents/public`), { headers }),
  database: (headers) => fetch(at(`/public.json?ns=${NS}`), { headers }),
  storage: (headers) => fetch(at(`/v0/b/${BUCKET}/o?prefix=public/`), { headers }),
  auth: (headers) =>
    fetch(at("/identitytoolkit.googleapis.com/v1/accounts:signUp?key=k"), { method: "POST", headers: { ...headers, "content-type": "application/json" }, body: "{}" }),
};
const status = async (service, appToken, more = {}) => {
  const answer = await probes[service]({ ...(appToken !== undefined && { "x-firebase-appcheck": appToken }), ...more });
  return { status: answer.status, text: await answer.text() };
};

/** An app with a CustomProvider, which counts how often it is asked. */
function client({ provide = token, appId = APP, provider } = {}) {
  const app = initializeApp(
    { projectId: PROJECT, apiKey: "public", appId, databaseURL: `http://127.0.0.1:${port}?ns=${NS}`, storageBucket: BUCKET },
    `app-${apps.length}`,
  );
  apps.push(app);
  let asked = 0;
  let check;
  if (provider) {
    check = initializeAppCheck(app, { provider, isTokenAutoRefreshEnabled: false });
  } else if (provide) {
    const getToken = async () => (asked++, { token: await provide(), expireTimeMillis: Date.now() + 3_600_000 });
    check = initializeAppCheck(app, { provider: new CustomProvider({ getToken }), isTokenAutoRefreshEnabled: false });
  }
  const auth = getAuth(app);
  connectAuthEmulator(auth, `http://127.0.0.1:${port}`, { disableWarnings: true }); // tells the address, no more
  const storage = getStorage(app);
  connectStorageEmulator(storage, "127.0.0.1", port);
  storage.maxUploadRetryTime = storage.maxOperationRetryTime = 3_000;
  const host = { host: `127.0.0.1:${port}`, ssl: false };
  return { app, check, auth, storage, database: getDatabase(app), lite: () => lite.initializeFirestore(app, host), full: () => full.initializeFirestore(app, host), asked: () => asked };
}

test("an app's backend mints tokens with firebase-admin, and verifies them by the published keys", async () => {
  const minted = await token();
  const claims = decode(minted);
  assert.equal(claims.sub, APP);
  assert.deepEqual(claims.aud, ["projects/12345", `projects/${PROJECT}`]);
  assert.equal(claims.exp - claims.iat, 3600);
  const verified = await getAppCheck(admin).verifyToken(minted);
  assert.equal(verified.appId, APP);
  await assert.rejects(getAppCheck(admin).verifyToken(forged(minted)));
  const long = await getAppCheck(admin).createToken(APP, { ttlMillis: 7 * 86_400_000 });
  assert.equal(long.ttlMillis, 7 * 86_400_000);
  await assert.rejects(getAppCheck(admin).createToken("1:12345:web:unknown"), /attestation failed/i);
  const keys = await fetch(appCheck("/v1/jwks"));
  assert.equal(keys.headers.get("cache-control"), "public, max-age=21600, must-revalidate");
  assert.ok((await keys.json()).keys.every(({ kty, n, d }) => kty === "RSA" && n && !d));
});

test("a token is consumed once, by whoever asks first", async () => {
  const minted = await token();
  const consume = async () => (await getAppCheck(admin).verifyToken(minted, { consume: true })).alreadyConsumed;
  const all = await Promise.all(Array.from({ length: 8 }, consume));
  assert.equal(all.filter((consumed) => !consumed).length, 1, JSON.stringify(all));
  assert.equal(await consume(), true);
  const { status } = await post(appCheck(`/v1beta/projects/${PROJECT}:verifyAppCheckToken`), { app_check_token: minted });
  assert.equal(status, 403, "administrators only");
});

test("debug tokens: made by administrators, never shown, exchanged, deleted", async () => {
  const made = json("app-check", "debug-token", "add", APP, "--name", "CI");
  const exchange = (debug, more) => post(appCheck(`/v1/projects/${PROJECT}/apps/${APP}:exchangeDebugToken?key=k`), { debug_token: debug, ...more });
  const { status, body } = await exchange(made.token.toUpperCase());
  assert.deepEqual([status, body.ttl, decode(body.token).provider], [200, "3600s", "debug"]);
  const limited = await exchange(made.token, { limited_use: true });
  assert.equal(limited.body.ttl, "300s");
  for (const bad of ["", "x", "6f9619ff-8b86-4011-b42d-00cf4fc964ff"]) {
    assert.equal((await exchange(bad)).status, 403, bad);
  }
  assert.ok(!hearth("app-check", "debug-token", "list", APP).includes(made.token));
  const owner = await bearer();
  const api = appCheck(`/v1/projects/${PROJECT}/apps/${APP}/debugTokens`);
  assert.equal((await fetch(api)).status, 403);
  const { debugTokens } = await (await fetch(api, { headers: owner })).json();
  assert.deepEqual(debugTokens.map(({ displayName, token }) => [displayName, token]), [["CI", undefined]]);
  const deleted = await fetch(at(`/firebaseappcheck.googleapis.com/v1/${debugTokens[0].name}`), { method: "DELETE", headers: owner });
  assert.equal(deleted.status, 200);
  assert.equal((await exchange(made.token)).status, 403);
  // What stands for a device's attestation in dev exists in dev only.
  const dev = await post(appCheck(`/v1/projects/${PROJECT}/apps/${APP}:exchangeRecaptchaV3Token`), { recaptcha_v3_token: "x" });
  assert.equal(dev.status, 501);
});

test("nobody is asked for a token unless an administrator says so, and then it is counted", async () => {
  for (const service of SERVICES) {
    assert.equal((await status(service)).status, 200, service);
  }
  enforce("unenforced");
  const good = await token();
  for (const service of SERVICES) {
    for (const sent of [undefined, DUMMY, "nonsense", good]) {
      assert.equal((await status(service, sent)).status, 200, `${service} ${sent}`);
    }
  }
  const counts = json("app-check", "status");
  for (const { service, valid, invalid, missing, safe_to_enforce, next } of counts.filter(({ service }) => SERVICES.includes(service))) {
    assert.deepEqual([valid, invalid, missing, safe_to_enforce], [1, 2, 1, false], service);
    assert.match(next, /hearth log --service/);
  }
  assert.match(hearth("app-check", "status"), /75\.0 % of 4 requests would be refused/);
  const events = await log(data, ["--service", "database"], (all) => all.some(({ app }) => app === APP));
  assert.deepEqual([...new Set(events.map(({ app_check }) => app_check).filter(Boolean))].sort(), ["invalid", "missing", "valid"]);
});

test("enforced: missing, placeholder, forged, foreign, unregistered and revoked tokens are refused everywhere", async () => {
  const good = await token();
  const other = json("app-check", "app", "add", "Other").at(0).id;
  const removed = await token(other);
  hearth("app-check", "app", "remove", other);
  const revoked = await token();
  await sleep(1_100);
  hearth("app-check", "app", "revoke", APP);
  await sleep(1_100);
  const fresh = await token();
  const owner = await bearer();
  const { user } = await createUserWithEmailAndPassword(client({ provide: () => fresh }).auth, address(), "correct horse battery");
  enforce("enforced");
  const bad = {
    missing: undefined, placeholder: DUMMY, malformed: "a.b", forged: forged(fresh), foreign: forged(fresh, { aud: ["projects/1", "projects/x"] }),
    "an ID token": await user.getIdToken(), unregistered: removed, revoked, "revoked, too": good, bomb: `a.b.${"c".repeat(8_000)}`,
  };
  for (const service of SERVICES) {
    assert.equal((await status(service, fresh)).status, 200, service);
    for (const [what, sent] of Object.entries(bad)) {
      const { status: code, text } = await status(service, sent);
      const expected = service === "firestore" && ["missing", "placeholder"].includes(what) ? 403 : 401;
      assert.equal(code, expected, `${service} ${what}: ${text}`);
      assert.match(text, service === "database" ? /Invalid appcheck token/ : /Firebase App Check token is invalid\./, `${service} ${what}`);
    }
    // A user's own token does not stand for an app's; an administrator needs none.
    if (service !== "auth") {
      const admitted = await status(service, undefined, owner);
      assert.equal(admitted.status, 200, `${service} as an administrator: ${admitted.text}`);
    }
  }
  const twice = await new Promise((resolve) => {
    const request = [`GET /public.json?ns=${NS} HTTP/1.1`, "host: x", `x-firebase-appcheck: ${fresh}`, `x-firebase-appcheck: ${fresh}`, "connection: close", "", ""].join("\r\n");
    const socket = net.connect(port, "127.0.0.1", () => socket.write(request));
    let said = "";
    socket.on("data", (chunk) => (said += chunk)).on("close", () => resolve(said));
  });
  assert.match(twice, /^HTTP\/1.1 401/);
  await getAdminAuth(admin).listUsers(1);
  const denials = await log(data, ["--verdict", "deny"], (all) => all.some(({ causes }) => JSON.stringify(causes).includes("revoked")));
  assert.ok(denials.some(({ app_check, causes }) => app_check === "missing" && causes[0].text === "the request has no App Check token"));
});

test("enforced: the unmodified SDKs work with a CustomProvider", async () => {
  const { check, auth, storage, database, asked, ...c } = client();
  assert.equal(decode((await getToken(check)).token).sub, APP);
  const { user } = await createUserWithEmailAndPassword(auth, address(), "correct horse battery");
  await user.getIdToken(true);
  const db = c.full();
  await full.setDoc(full.doc(db, "notes/a"), { n: 1 });
  assert.equal((await full.getDoc(full.doc(db, "notes/a"))).data().n, 1);
  const seen = [];
  const stop = full.onSnapshot(full.doc(db, "notes/a"), (snapshot) => seen.push(snapshot.data()?.n));
  await full.updateDoc(full.doc(db, "notes/a"), { n: 2 });
  await eventually(() => seen.at(-1) === 2, "a listener hears");
  stop();
  await full.terminate(db);
  await set(place(database, "here"), 1);
  assert.equal((await get(place(database, "here"))).val(), 1);
  await onDisconnect(place(database, "gone")).set("left");
  goOffline(database);
  await eventually(async () => (await (await fetch(at(`/gone.json?ns=${NS}`), { headers: { "x-firebase-appcheck": await token() } })).json()) === "left", "what was left is done");
  const file = ref(storage, "public/file");
  await uploadString(file, "bytes");
  assert.equal(Buffer.from(await getBytes(file)).toString(), "bytes");
  // A link works without an app, a wrong one does not.
  const url = await getDownloadURL(file);
  assert.equal(await (await fetch(url)).text(), "bytes");
  assert.equal((await fetch(url.replace(/token=[^&]*/, "token=x"))).status, 401);
  assert.ok(asked() >= 1);
  const liteDb = client().lite();
  await lite.setDoc(lite.doc(liteDb, "public/b"), { n: 1 });
});

test("enforced: the helper of examples/app-check, with a backend", async () => {
  const copy = folder({});
  for (const file of ["hearth-app-check.js", "backend.js", "package.json"]) {
    cpSync(join(repository, "examples/app-check", file), join(copy, file));
  }
  symlinkSync(join(repository, "suites/node/node_modules"), join(copy, "node_modules"));
  const { hearthProvider } = await import(join(copy, "hearth-app-check.js"));
  const { appCheckToken } = await import(join(copy, "backend.js"));
  const backend = http.createServer(async (request, answer) => {
    answer.statusCode = request.headers.cookie === "session=ours" ? 200 : 401;
    answer.end(answer.statusCode === 200 ? JSON.stringify(await appCheckToken(admin, APP)) : "");
  });
  await new Promise((resolve) => backend.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${backend.address().port}/`;
  const attested = client({ provider: hearthProvider(url, async () => ({ headers: { cookie: "session=ours" } })) });
  await set(place(attested.database, "helped"), 1);
  const stranger = client({ provider: hearthProvider(url) });
  await assert.rejects(set(place(stranger.database, "helped"), 2), /PERMISSION_DENIED/);
  backend.close();
  backend.closeAllConnections();
  rmSync(copy, { recursive: true, force: true });
});

test("enforced: without a provider, and with one that fails, every SDK says that it is not allowed", async () => {
  for (const provide of [null, () => Promise.reject(new Error("no attestation"))]) {
    const { auth, storage, database, ...c } = client({ provide });
    await fails("auth/firebase-app-check-token-is-invalid.", () => createUserWithEmailAndPassword(auth, address(), "correct horse battery"));
    await fails("permission-denied", () => lite.getDoc(lite.doc(c.lite(), "public/b")));
    // In Node the SDK does not look at the reason phrase; in browsers it does (suites/browser).
    await fails("storage/unauthenticated", () => getBytes(ref(storage, "public/file")));
    await assert.rejects(get(place(database, "here")), /Invalid appcheck token/);
    await assert.rejects(set(place(database, "here"), 2), /PERMISSION_DENIED/);
    let cancelled;
    onValue(place(database, "here"), () => {}, (error) => (cancelled = error));
    await eventually(() => cancelled, "a listener is refused");
    const listening = client({ provide });
    await fails("permission-denied", () => full.getDoc(full.doc(listening.full(), "public/b")));
  }
});

test("enforced while a listener is open: it ends, and administrators go on", async () => {
  enforce("off");
  const db = client({ provide: null }).full();
  let last, error;
  full.onSnapshot(full.doc(db, "public/live"), (snapshot) => (last = snapshot.data()?.n), (failed) => (error = failed.code));
  await full.setDoc(full.doc(db, "public/live"), { n: 1 });
  await eventually(() => last === 1, "it listens");
  const wire = await Wire.open(`127.0.0.1:${port}`, { ns: NS });
  assert.equal((await wire.ask("q", { p: "/here", h: "" })).s, "ok");
  enforce("enforced");
  const owner = await bearer();
  const path = `/v1/projects/${PROJECT}/databases/(default)/documents/public/live`;
  const written = await fetch(at(path), { method: "PATCH", headers: owner, body: JSON.stringify({ fields: { n: { integerValue: "2" } } }) });
  assert.equal(written.status, 200);
  await fetch(at(`/here.json?ns=${NS}`), { method: "PUT", headers: owner, body: "7" });
  await eventually(() => error === "permission-denied", "the listener ends");
  assert.equal(last, 1, "and was shown nothing more");
  await eventually(() => wire.pushes.some(({ a }) => a === "apc"), "the connection's app is revoked");
  assert.ok(!wire.pushes.some(({ a, b }) => a === "d" && b.d === 7), "and was shown nothing more");
  await wire.end();
});

test("the Realtime Database takes tokens within a connection, over WebSockets, in ac= and by header", async () => {
  const good = await token();
  const wire = await Wire.open(`127.0.0.1:${port}`, { ns: NS });
  assert.equal((await wire.ask("g", { p: "/here", q: {} })).s, "permission_denied");
  assert.equal((await wire.ask("appcheck", { token: forged(good) })).s, "invalid_token");
  assert.equal((await wire.ask("g", { p: "/here", q: {} })).s, "permission_denied");
  assert.equal((await wire.ask("appcheck", { token: good })).s, "ok");
  assert.equal((await wire.ask("g", { p: "/here", q: {} })).s, "ok");
  assert.equal((await wire.ask("unappeck", {})).s, "ok");
  assert.equal((await wire.ask("g", { p: "/here", q: {} })).s, "permission_denied");
  await wire.end();
  const query = await Wire.open(`127.0.0.1:${port}`, { ns: `${NS}&ac=${good}` });
  assert.equal((await query.ask("g", { p: "/here", q: {} })).s, "ok");
  await query.end();
  assert.equal((await fetch(at(`/here.json?ns=${NS}&ac=${good}`))).status, 200);
  assert.equal((await fetch(at(`/here.json?ns=${NS}&ac=${forged(good)}`))).status, 401);
});

test("enforcement, apps and used-up tokens outlive kill -9", async () => {
  const used = await token();
  await getAppCheck(admin).verifyToken(used, { consume: true });
  await server.stop("SIGKILL");
  await begin();
  assert.equal((await status("firestore")).status, 403);
  assert.equal((await status("firestore", used)).status, 200);
  assert.equal((await getAppCheck(admin).verifyToken(used, { consume: true })).alreadyConsumed, true);
});

test("a signing key that is rotated and revoked: tokens of the old one end, new ones count", async () => {
  const old = await token();
  const before = json("keys", "list").find(({ state }) => state === "signing").id;
  hearth("keys", "rotate", "--now");
  const next = await token();
  assert.equal((await status("database", old)).status, 200, "the old key verifies");
  assert.equal((await status("database", next)).status, 200);
  // Who keeps the published keys fetches them again: here another instance of firebase-admin.
  const other = initializeAdmin({ credential: cert(join(home, "key.json"), agent), httpAgent: agent, projectId: PROJECT }, "other");
  assert.equal((await getAppCheck(other).verifyToken(next)).appId, APP);
  hearth("keys", "revoke", before);
  assert.equal((await status("database", old)).status, 401);
  assert.equal((await status("database", next)).status, 200);
});

test("administrators set enforcement over the API, as the console does", async () => {
  const owner = await bearer();
  const service = appCheck(`/v1/projects/${PROJECT}/services/firestore.googleapis.com`);
  assert.equal((await fetch(service, { method: "PATCH", body: "{}" })).status, 403);
  const patch = async (body) => fetch(`${service}?updateMask=enforcementMode`, { method: "PATCH", headers: owner, body: JSON.stringify(body) });
  const updated = await (await patch({ enforcementMode: "OFF" })).json();
  assert.equal(updated.enforcementMode, "OFF", JSON.stringify(updated));
  assert.equal((await status("firestore")).status, 200);
  assert.equal((await patch({ enforcementMode: "SOMETIMES" })).status, 400);
  assert.equal((await patch({ enforcementMode: "ENFORCED", replayProtection: "ENFORCED" })).status, 501);
  const { services } = await (await fetch(appCheck(`/v1/projects/${PROJECT}/services`), { headers: owner })).json();
  assert.deepEqual(services.map(({ enforcementMode }) => enforcementMode), ["OFF", "ENFORCED", "ENFORCED", "ENFORCED", "OFF", "OFF"]);
});
