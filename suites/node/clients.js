// Apps as developers write them: the client SDKs pointed at a running Hearth.

import { initializeApp } from "firebase/app";
import { connectAuthEmulator, getAuth } from "firebase/auth";
import { connectFirestoreEmulator, getFirestore, setLogLevel } from "firebase/firestore/lite";
import { initializeApp as initializeAdmin } from "firebase-admin/app";
import { getAuth as getAdminAuth } from "firebase-admin/auth";
import assert from "node:assert/strict";

setLogLevel("silent"); // refusals are what these tests provoke

let apps = 0;

/** One device: an app of its own with Auth and Firestore Lite. */
export function client(hearth) {
  const app = initializeApp({ projectId: hearth.project, apiKey: "suite" }, `client-${++apps}`);
  const auth = getAuth(app);
  connectAuthEmulator(auth, `http://${hearth.auth}`, { disableWarnings: true });
  const db = getFirestore(app);
  const [host, port] = hearth.firestore.split(":");
  connectFirestoreEmulator(db, host, Number(port));
  return { app, auth, db };
}

/** The Admin SDK as an emulator's user has it. */
export function admin(hearth) {
  const app = initializeAdmin({ projectId: hearth.project }, `admin-${++apps}`);
  return { app, auth: getAdminAuth(app) };
}

/** An address that no other test uses. */
export function address(name = "user") {
  return `${name}-${process.pid}-${++apps}@example.com`;
}

/** Asserts that a call fails with an SDK error code. */
export async function fails(code, call) {
  await assert.rejects(call, (error) => {
    assert.equal(error.code, code, `expected ${code}, got ${error.code}: ${error.message}`);
    return true;
  });
}

/** An unsigned token as the emulators take them. */
export function unsigned(claims, header = { alg: "none", typ: "JWT" }) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part(header)}.${part(claims)}.`;
}
