// What a page loads: the unmodified web SDK, bundled, and a way to open it. Tests call `sdk` from outside.

import { initializeApp } from "firebase/app";
import * as appCheck from "firebase/app-check";
import * as auth from "firebase/auth";
import * as database from "firebase/database";
import * as firestore from "firebase/firestore";
import * as storage from "firebase/storage";

firestore.setLogLevel("silent"); // refusals are what some tests provoke

/** An app of its own. `emulator`: as developers open it; else as in production, over this host. */
function open({ project, emulator, host, authUrl, settings = {}, persistent = false, name = "app" }) {
  const app = initializeApp({ projectId: project, apiKey: "suite", authDomain: "localhost" }, name);
  const users = auth.initializeAuth(app, { persistence: auth.inMemoryPersistence });
  if (authUrl) {
    auth.connectAuthEmulator(users, authUrl, { disableWarnings: true });
  }
  const all = { ...settings, ...(host && { host, ssl: true }) };
  if (persistent) {
    all.localCache = firestore.persistentLocalCache({ tabManager: firestore.persistentMultipleTabManager() });
  }
  const db = firestore.initializeFirestore(app, all);
  if (emulator) {
    const [name, port] = emulator.split(":");
    firestore.connectFirestoreEmulator(db, name, Number(port));
  }
  return { app, auth: users, db };
}

/** A Realtime Database, as developers open it. `transport`: the one that is forced, if any. */
function openDatabase({ project, address, ns, transport, name = "app" }) {
  if (transport) {
    database[transport]();
  }
  const app = initializeApp({ projectId: project, databaseURL: `http://${address}?ns=${ns}` }, name);
  const db = database.getDatabase(app);
  const [host, port] = address.split(":");
  database.connectDatabaseEmulator(db, host, Number(port));
  return db;
}

/** Follows a query or a document: what was seen, in order, and the error that ended it. */
function follow(target, read) {
  const seen = [];
  const follower = { seen, error: null };
  const next = (snapshot) => seen.push(read(snapshot));
  const failed = (error) => (follower.error = error.code);
  follower.stop = firestore.onSnapshot(target, { includeMetadataChanges: true }, next, failed);
  follower.until = (condition, what, ms = 10_000) => until(() => condition(follower), () => `${what}; seen: ${JSON.stringify(seen.slice(-3))}, error: ${follower.error}`, ms);
  return follower;
}

async function until(condition, what, ms = 10_000) {
  for (const end = Date.now() + ms; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 10))) {
    if (await condition()) {
      return;
    }
  }
  throw new Error(`did not happen within ${ms} ms: ${what()}`);
}

globalThis.sdk = { ...firestore, appCheck, auth, initializeApp, storage, database, open, openDatabase, follow, until };
