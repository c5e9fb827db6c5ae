// Custom claims: who may set them, what they may hold, when they reach a token.

import assert from "node:assert/strict";
import { after } from "node:test";

import { createUserWithEmailAndPassword, signInAnonymously, signInWithCustomToken } from "firebase/auth";

import { address, admin, client, fails } from "../clients.js";
import { CLOSED, dev, test } from "../hearth.js";

const hearth = await dev({ rules: CLOSED });
after(() => hearth.stop());
const { auth } = admin(hearth);

const RESERVED =
  "acr amr at_hash aud auth_time azp c_hash cnf exp firebase iat iss jti nbf nonce sub".split(" ");

/** What the Admin SDK would send, past its own checks. */
async function update(body, bearer = "owner") {
  const url = `http://${hearth.auth}/identitytoolkit.googleapis.com/v1/projects/${hearth.project}/accounts:update`;
  const headers = { "content-type": "application/json", authorization: `Bearer ${bearer}` };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  return { status: answer.status, body: await answer.json() };
}

test("the Admin SDK refuses reserved names, other values than objects, and too much", async () => {
  const { uid } = await auth.createUser({});
  for (const name of RESERVED) {
    await fails("auth/reserved-claim", () => auth.setCustomUserClaims(uid, { [name]: 1 }));
  }
  for (const claims of ["moderator", 1, true, undefined]) {
    await fails("auth/argument-error", async () => auth.setCustomUserClaims(uid, claims));
  }
  await fails("auth/claims-too-large", () => auth.setCustomUserClaims(uid, { key: "x".repeat(1000) }));
});

test("so does the server, should a client not", async () => {
  const { uid } = await auth.createUser({});
  for (const name of RESERVED) {
    const { status, body } = await update({ localId: uid, customAttributes: JSON.stringify({ [name]: 1 }) });
    assert.equal(status, 400);
    assert.equal(body.error.message, `FORBIDDEN_CLAIM : ${name}`);
  }
  const large = await update({ localId: uid, customAttributes: JSON.stringify({ k: "x".repeat(1000) }) });
  assert.equal(large.body.error.message, "CLAIMS_TOO_LARGE");
  for (const text of ["[]", "1", '"a"', "{", "nonsense"]) {
    const { body } = await update({ localId: uid, customAttributes: text });
    assert.match(body.error.message, /^INVALID_CLAIMS/, text);
  }
  assert.equal((await auth.getUser(uid)).customClaims, undefined);
});

test("a thousand characters fit", async () => {
  const { uid } = await auth.createUser({});
  const claims = { k: "x".repeat(1000 - '{"k":""}'.length) };
  await auth.setCustomUserClaims(uid, claims);
  assert.deepEqual((await auth.getUser(uid)).customClaims, claims);
});

test("claims for nobody are refused", async () => {
  await fails("auth/user-not-found", () => auth.setCustomUserClaims("nobody", { a: 1 }));
});

test("setting replaces, null clears", async () => {
  const { uid } = await auth.createUser({});
  await auth.setCustomUserClaims(uid, { a: 1, b: { c: [1, "two", null] } });
  await auth.setCustomUserClaims(uid, { b: 2 });
  assert.deepEqual((await auth.getUser(uid)).customClaims, { b: 2 });
  await auth.setCustomUserClaims(uid, null);
  assert.deepEqual((await auth.getUser(uid)).customClaims ?? {}, {});
});

test("a client cannot set its own", async () => {
  const { auth: device } = client(hearth);
  const { user } = await createUserWithEmailAndPassword(device, address(), "correct horse");
  const idToken = await user.getIdToken();
  const url = `http://${hearth.auth}/identitytoolkit.googleapis.com/v1/accounts:update?key=any`;
  const body = JSON.stringify({ idToken, customAttributes: '{"role":"admin"}' });
  const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  assert.equal(answer.status, 400);
  assert.match((await answer.json()).error.message, /^INSUFFICIENT_PERMISSION/);
  assert.equal((await auth.getUser(user.uid)).customClaims, undefined);
});

test("nor with its own token in an admin's place", async () => {
  const { auth: device } = client(hearth);
  const { user } = await createUserWithEmailAndPassword(device, address(), "correct horse");
  const { status } = await update({ localId: user.uid, customAttributes: '{"role":"admin"}' }, await user.getIdToken());
  assert.ok(status === 401 || status === 403, `answered ${status}`);
});

test("anonymous users may have claims, and they reach the next token", async () => {
  const { auth: device } = client(hearth);
  const { user } = await signInAnonymously(device);
  await auth.setCustomUserClaims(user.uid, { tier: 3, nested: { a: [1, 2] } });
  assert.equal((await user.getIdTokenResult()).claims.tier, undefined);
  const { claims } = await user.getIdTokenResult(true);
  assert.equal(claims.tier, 3);
  assert.deepEqual(claims.nested, { a: [1, 2] });
  const verified = await auth.verifyIdToken(await user.getIdToken());
  assert.equal(verified.tier, 3);
});

test("a custom token's claims win by key, join the stored ones, and survive a refresh", async () => {
  const { uid } = await auth.createUser({});
  await auth.setCustomUserClaims(uid, { role: "reader", team: "red" });
  const { auth: device } = client(hearth);
  const token = await auth.createCustomToken(uid, { role: "writer" });
  const { user } = await signInWithCustomToken(device, token);
  for (const force of [false, true]) {
    const { claims } = await user.getIdTokenResult(force);
    assert.equal(claims.role, "writer");
    assert.equal(claims.team, "red");
    assert.equal(claims.sub, uid);
  }
});

test("a claim cannot pass for what the server itself says", async () => {
  const { auth: device } = client(hearth);
  const email = address();
  const { user } = await createUserWithEmailAndPassword(device, email, "correct horse");
  await auth.setCustomUserClaims(user.uid, { email: "boss@example.com", email_verified: true, user_id: "boss" });
  const { claims } = await user.getIdTokenResult(true);
  assert.equal(claims.email, email);
  assert.equal(claims.email_verified, false);
  assert.equal(claims.user_id, user.uid);
});
