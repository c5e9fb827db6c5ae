// Apps as developers write them: the client SDKs pointed at a running Hearth.

import { initializeApp } from "firebase/app";
import { connectAuthEmulator, getAuth } from "firebase/auth";
import { connectFirestoreEmulator, getFirestore, setLogLevel } from "firebase/firestore/lite";
import { initializeApp as initializeAdmin } from "firebase-admin/app";
import { getAuth as getAdminAuth } from "firebase-admin/auth";
import { connectFirestoreEmulator as connectFull, getFirestore as getFull, onSnapshot } from "firebase/firestore";
import assert from "node:assert/strict";

import { eventually } from "./hearth.js";

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

/** The same with the full Firestore SDK, which listens. */
export function fullClient(hearth) {
  const app = initializeApp({ projectId: hearth.project, apiKey: "suite" }, `client-${++apps}`);
  const auth = getAuth(app);
  connectAuthEmulator(auth, `http://${hearth.auth}`, { disableWarnings: true });
  const db = getFull(app);
  const [host, port] = hearth.firestore.split(":");
  connectFull(db, host, Number(port));
  return { app, auth, db };
}

/** A listener, and what it has heard. */
export class Watch {
  changes = [];
  last = undefined;
  error = undefined;

  constructor(what) {
    const heard = (snapshot) => {
      this.last = snapshot;
      this.changes.push(...(snapshot.docChanges?.() ?? []).map(({ type, doc }) => `${type} ${doc.id}`));
    };
    this.stop = onSnapshot(what, { includeMetadataChanges: true }, heard, (error) => (this.error = error));
  }

  /** The ids it shows, as the server has confirmed them. */
  get ids() {
    if (!this.last || this.last.metadata.fromCache || this.last.metadata.hasPendingWrites) {
      return undefined;
    }
    return this.last.docs ? this.last.docs.map((found) => found.id) : this.last.exists() ? [this.last.id] : [];
  }

  /** Waits until it shows these documents, in this order. */
  async shows(ids) {
    const want = JSON.stringify(ids);
    const has = () => JSON.stringify(this.ids) === want;
    await eventually(has, `a listener shows ${want}`).catch((error) => {
      throw new Error(`${error.message}; it shows ${JSON.stringify(this.ids)}, ${this.changes}, ${this.error}`);
    });
  }

  /** Waits until it has ended with an error. */
  async fails(code) {
    await eventually(() => this.error, `a listener fails with ${code}`);
    assert.equal(this.error.code, code, this.error.message);
  }
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
