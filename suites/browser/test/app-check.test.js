// App Check in Chromium: the unmodified web SDK with its debug provider and with a CustomProvider, against enforced services.
//
// The SDK asks a host of Google's for tokens; a web app that is served by Hearth has it lead here, and so does this test.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { dev, folder, run } from "../../node/hearth.js";
import { profile, tab } from "../browser.js";

const PROJECT = "demo-attested";
const APP = "1:12345:web:0123456789abcdef";
const OPEN = "{ match /{any=**} { allow read, write; } }";
const GOOGLE = "https://content-firebaseappcheck.googleapis.com/**";

let hearth, home, debugToken;
before(async () => {
  home = folder({
    "firebase.json": { firestore: { rules: "firestore.rules" }, storage: { rules: "storage.rules" }, database: { rules: "database.rules.json" } },
    ".firebaserc": { projects: { default: PROJECT } },
    "firestore.rules": `rules_version = '2'; service cloud.firestore { match /databases/{database}/documents ${OPEN} }`,
    "storage.rules": `rules_version = '2'; service firebase.storage { match /b/{bucket}/o ${OPEN} }`,
    "database.rules.json": { rules: { ".read": true, ".write": true } },
    "hearth.toml": '[app-check]\nfirestore = "enforced"\ndatabase = "enforced"\nstorage = "enforced"\nauth = "enforced"\n',
  });
  hearth = await dev({ path: home, args: [] });
  const hearthSays = (...args) => JSON.parse(run(["app-check", ...args, "--data", `${home}/.hearth`, "--json"]).stdout);
  hearthSays("app", "add", "Web", "--id", APP);
  debugToken = hearthSays("debug-token", "add", APP, "--name", "Chromium").token;
});
after(() => hearth?.stop());

/** A tab whose SDK reaches Hearth where it asks for Google's host of App Check. */
async function attestedTab() {
  const page = await tab(await profile());
  page.exchanges = 0;
  await page.route(GOOGLE, async (route) => {
    page.exchanges++;
    const { pathname, search } = new URL(route.request().url());
    const to = `http://${hearth.auth}/content-firebaseappcheck.googleapis.com${pathname}${search}`;
    const headers = { "content-type": "application/json" };
    const method = route.request().method();
    const answer = await fetch(to, { method, headers, body: method === "POST" ? route.request().postData() : undefined });
    const cors = { "access-control-allow-origin": "*", "access-control-allow-headers": "*", "content-type": "application/json" };
    await route.fulfill({ status: answer.status, headers: cors, body: await answer.text() });
  });
  return page;
}

const where = () => ({ project: PROJECT, appId: APP, auth: hearth.auth, firestore: hearth.firestore, database: hearth.database, storage: hearth.storage });

/** What every service says to an app, whose provider is named. Runs in the page. */
async function everything({ project, appId, auth, firestore, database, storage, provider, debugToken, token }) {
  if (provider === "debug") {
    self.FIREBASE_APPCHECK_DEBUG_TOKEN = debugToken;
  }
  const ns = `${project}-default-rtdb`;
  const app = sdk.initializeApp({ projectId: project, apiKey: "k", appId, storageBucket: `${project}.appspot.com`, databaseURL: `http://${database}?ns=${ns}` });
  if (provider) {
    const custom = new sdk.appCheck.CustomProvider({ getToken: async () => ({ token, expireTimeMillis: Date.now() + 3_600_000 }) });
    const debug = new sdk.appCheck.ReCaptchaV3Provider("site-key");
    sdk.appCheck.initializeAppCheck(app, { provider: provider === "custom" ? custom : debug, isTokenAutoRefreshEnabled: true });
  }
  const [host, port] = firestore.split(":");
  const users = sdk.auth.initializeAuth(app, { persistence: sdk.auth.inMemoryPersistence });
  sdk.auth.connectAuthEmulator(users, `http://${auth}`, { disableWarnings: true });
  const db = sdk.initializeFirestore(app, { host: `${host}:${port}`, ssl: false });
  const files = sdk.storage.getStorage(app);
  sdk.storage.connectStorageEmulator(files, storage.split(":")[0], Number(storage.split(":")[1]));
  files.maxUploadRetryTime = files.maxOperationRetryTime = 3_000;
  const tree = sdk.database.getDatabase(app);
  const late = () => new Promise((resolve) => setTimeout(resolve, 8_000, "no answer"));
  const said = async (work) => {
    try {
      return await Promise.race([work(), late()]);
    } catch (error) {
      return error.code ?? error.message;
    }
  };
  const file = sdk.storage.ref(files, "a/b");
  const found = {
    auth: await said(async () => typeof (await sdk.auth.signInAnonymously(users)).user.uid),
    firestore: await said(async () => {
      await sdk.setDoc(sdk.doc(db, "a/b"), { n: 1 });
      return (await sdk.getDoc(sdk.doc(db, "a/b"))).data().n;
    }),
    listen: await said(() => new Promise((resolve, reject) => sdk.onSnapshot(sdk.doc(db, "a/b"), { includeMetadataChanges: true }, (snapshot) => snapshot.metadata.fromCache || resolve(snapshot.data()?.n), reject))),
    storage: await said(async () => {
      await sdk.storage.uploadString(file, "bytes");
      return (await sdk.storage.getMetadata(file)).size;
    }),
    database: await said(async () => {
      await sdk.database.set(sdk.database.ref(tree, "a"), 1);
      return (await sdk.database.get(sdk.database.ref(tree, "a"))).val();
    }),
  };
  sdk.database.goOffline(tree);
  await sdk.terminate(db);
  return found;
}

test("the debug provider: every service answers", { timeout: 60_000 }, async () => {
  const page = await attestedTab();
  const found = await page.evaluate(everything, { ...where(), provider: "debug", debugToken });
  assert.deepEqual(found, { auth: "string", firestore: 1, listen: 1, storage: 5, database: 1 });
  assert.equal(page.exchanges >= 1, true);
  assert.deepEqual(page.failures, []);
  await page.context().close();
});

test("a CustomProvider: every service answers, and Google is not asked", { timeout: 60_000 }, async () => {
  const to = `http://${hearth.auth}/v1/projects/${PROJECT}/apps/${APP}:exchangeDebugToken`;
  const { token } = await (await fetch(to, { method: "POST", body: JSON.stringify({ debugToken }) })).json();
  const page = await attestedTab();
  const found = await page.evaluate(everything, { ...where(), provider: "custom", token });
  assert.deepEqual(found, { auth: "string", firestore: 1, listen: 1, storage: 5, database: 1 });
  assert.equal(page.exchanges, 0);
  await page.context().close();
});

test("no provider, a debug token that nobody has registered, a stranger's token: no service answers", { timeout: 60_000 }, async () => {
  for (const options of [{}, { provider: "debug", debugToken: "6f9619ff-8b86-4011-b42d-00cf4fc964ff" }, { provider: "custom", token: "a.b.c" }]) {
    const page = await attestedTab();
    const found = await page.evaluate(everything, { ...where(), ...options });
    // A token that is no good may be replaced by a better one: Firestore's client goes on asking for one.
    const firestore = options.token ? "no answer" : "permission-denied";
    assert.deepEqual(found, {
      auth: "auth/firebase-app-check-token-is-invalid.",
      firestore,
      listen: firestore,
      storage: "storage/unauthorized-app",
      database: "PERMISSION_DENIED",
    });
    await page.context().close();
  }
});
