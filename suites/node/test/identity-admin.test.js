// What a server does with the Admin SDK's Auth.

import assert from "node:assert/strict";
import { after } from "node:test";

import { createUserWithEmailAndPassword, signInWithEmailAndPassword } from "firebase/auth";

import { address, admin, client, fails } from "../clients.js";
import { CLOSED, dev, hearthTest, sleep, test } from "../hearth.js";

const hearth = await dev({ rules: CLOSED });
after(() => hearth.stop());
const { auth } = admin(hearth);
const PASSWORD = "correct horse";
let numbers = 0;
const phone = () => `+1650555${String(++numbers).padStart(4, "0")}`;

test("a user is created with everything and found by everything", async () => {
  const wanted = {
    uid: `u-${Date.now()}`,
    email: address(),
    emailVerified: true,
    phoneNumber: phone(),
    displayName: "Maria",
    photoURL: "https://example.com/m.png",
    disabled: false,
  };
  const created = await auth.createUser({ ...wanted, password: PASSWORD });
  for (const found of [
    created,
    await auth.getUser(wanted.uid),
    await auth.getUserByEmail(wanted.email.toUpperCase()),
    await auth.getUserByPhoneNumber(wanted.phoneNumber),
  ]) {
    for (const [key, value] of Object.entries(wanted)) {
      assert.equal(found[key], value, key);
    }
    assert.ok(Math.abs(Date.parse(found.metadata.creationTime) - Date.now()) < 60_000);
    assert.deepEqual(found.providerData.map((provider) => provider.providerId).sort(), ["password", "phone"]);
  }
  assert.equal((await signInWithEmailAndPassword(client(hearth).auth, wanted.email, PASSWORD)).user.uid, wanted.uid);
});

hearthTest("a user whom an admin created has not signed in yet", async () => {
  const { uid } = await auth.createUser({ email: address(), password: PASSWORD });
  assert.equal((await auth.getUser(uid)).metadata.lastSignInTime, null);
});

test("what is taken is refused", async () => {
  const taken = await auth.createUser({ email: address(), phoneNumber: phone() });
  await fails("auth/uid-already-exists", () => auth.createUser({ uid: taken.uid }));
  await fails("auth/email-already-exists", () => auth.createUser({ email: taken.email }));
  await fails("auth/phone-number-already-exists", () => auth.createUser({ phoneNumber: taken.phoneNumber }));
  const other = await auth.createUser({});
  await fails("auth/email-already-exists", () => auth.updateUser(other.uid, { email: taken.email }));
});

test("who is not there is not found", async () => {
  await fails("auth/user-not-found", () => auth.getUser("nobody"));
  await fails("auth/user-not-found", () => auth.getUserByEmail(address("nobody")));
  await fails("auth/user-not-found", () => auth.getUserByPhoneNumber("+16505559999"));
  await fails("auth/user-not-found", () => auth.updateUser("nobody", { displayName: "x" }));
  await fails("auth/user-not-found", () => auth.deleteUser("nobody"));
});

test("many are looked up at once", async () => {
  const [a, b, c] = [
    await auth.createUser({}),
    await auth.createUser({ email: address() }),
    await auth.createUser({ phoneNumber: phone() }),
  ];
  const { users, notFound } = await auth.getUsers([
    { uid: a.uid },
    { email: b.email },
    { phoneNumber: c.phoneNumber },
    { uid: "nobody" },
  ]);
  assert.deepEqual(users.map((user) => user.uid).sort(), [a.uid, b.uid, c.uid].sort());
  assert.deepEqual(notFound, [{ uid: "nobody" }]);
});

test("a user is updated, and fields are taken away", async () => {
  const { uid } = await auth.createUser({ email: address(), phoneNumber: phone(), displayName: "Maria" });
  const email = address("new");
  const updated = await auth.updateUser(uid, { email, emailVerified: true, displayName: null, phoneNumber: null });
  assert.equal(updated.email, email);
  assert.equal(updated.emailVerified, true);
  assert.equal(updated.displayName ?? null, null);
  assert.equal(updated.phoneNumber ?? null, null);
  await auth.updateUser(uid, { password: PASSWORD, disabled: true });
  await fails("auth/user-disabled", () => signInWithEmailAndPassword(client(hearth).auth, email, PASSWORD));
  await auth.updateUser(uid, { disabled: false });
  await signInWithEmailAndPassword(client(hearth).auth, email, PASSWORD);
});

test("a provider is linked, found by and unlinked", async () => {
  const { uid } = await auth.createUser({ email: address() });
  const rawId = `google-${Date.now()}`;
  await auth.updateUser(uid, { providerToLink: { providerId: "google.com", uid: rawId, displayName: "Maria" } });
  assert.equal((await auth.getUserByProviderUid("google.com", rawId)).uid, uid);
  const unlinked = await auth.updateUser(uid, { providersToUnlink: ["google.com"] });
  assert.deepEqual(unlinked.providerData.filter((provider) => provider.providerId === "google.com"), []);
});

test("listing pages through everybody once", async () => {
  const uids = new Set();
  for (let count = 0; count < 7; count += 1) {
    uids.add((await auth.createUser({})).uid);
  }
  const seen = [];
  let token;
  do {
    const page = await auth.listUsers(3, token);
    assert.ok(page.users.length <= 3);
    seen.push(...page.users.map((user) => user.uid));
    token = page.pageToken;
  } while (token);
  assert.equal(new Set(seen).size, seen.length, "nobody comes twice");
  for (const uid of uids) {
    assert.ok(seen.includes(uid));
  }
});

test("users are deleted, one and many", async () => {
  const one = await auth.createUser({});
  await auth.deleteUser(one.uid);
  await fails("auth/user-not-found", () => auth.getUser(one.uid));
  const uids = [(await auth.createUser({})).uid, (await auth.createUser({})).uid];
  const result = await auth.deleteUsers([...uids, "nobody"]);
  assert.deepEqual([result.successCount, result.failureCount], [3, 0]);
  assert.equal((await auth.getUsers(uids.map((uid) => ({ uid })))).users.length, 0);
});

test("users are imported with claims, and bad rows are named", async () => {
  const good = { uid: `imported-${Date.now()}`, email: address(), customClaims: { role: "partner" } };
  const result = await auth.importUsers([
    good,
    { uid: `phone-${Date.now()}`, phoneNumber: phone(), providerData: [] },
    { uid: "bad", email: "no address" },
  ]);
  assert.deepEqual([result.successCount, result.failureCount], [2, 1]);
  assert.equal(result.errors[0].index, 2);
  assert.deepEqual((await auth.getUser(good.uid)).customClaims, { role: "partner" });
});

hearthTest("an imported HMAC-SHA256 password signs in", async () => {
  const { createHmac } = await import("node:crypto");
  const [key, salt, email] = ["key", "salt", address()];
  const passwordHash = createHmac("sha256", key).update(PASSWORD + salt).digest();
  const user = { uid: `hashed-${Date.now()}`, email, passwordHash, passwordSalt: Buffer.from(salt) };
  const result = await auth.importUsers([user], { hash: { algorithm: "HMAC_SHA256", key: Buffer.from(key) } });
  assert.equal(result.failureCount, 0);
  await fails("auth/wrong-password", () => signInWithEmailAndPassword(client(hearth).auth, email, "wrong horse"));
  assert.equal((await signInWithEmailAndPassword(client(hearth).auth, email, PASSWORD)).user.uid, user.uid);
});

test("ID tokens are verified", async () => {
  const { user } = await createUserWithEmailAndPassword(client(hearth).auth, address(), PASSWORD);
  const claims = await auth.verifyIdToken(await user.getIdToken(), true);
  assert.equal(claims.uid, user.uid);
  assert.equal(claims.email, user.email);
  await fails("auth/argument-error", () => auth.verifyIdToken("no token"));
});

test("revocation and disabling reach verification", async () => {
  const { user } = await createUserWithEmailAndPassword(client(hearth).auth, address(), PASSWORD);
  const token = await user.getIdToken();
  await sleep(1_100);
  await auth.revokeRefreshTokens(user.uid);
  await fails("auth/id-token-revoked", () => auth.verifyIdToken(token, true));
  await auth.updateUser(user.uid, { disabled: true });
  await fails("auth/user-disabled", () => auth.verifyIdToken(token, true));
});

test("session cookies are made, verified and revoked", async () => {
  const { user } = await createUserWithEmailAndPassword(client(hearth).auth, address(), PASSWORD);
  await auth.setCustomUserClaims(user.uid, { role: "editor" });
  const token = await user.getIdToken(true);
  const cookie = await auth.createSessionCookie(token, { expiresIn: 5 * 60_000 });
  const claims = await auth.verifySessionCookie(cookie, true);
  assert.equal(claims.uid, user.uid);
  assert.equal(claims.role, "editor");
  assert.equal(claims.iss, `https://session.firebase.google.com/${hearth.project}`);
  assert.equal(claims.exp - claims.iat, 300);
  await fails("auth/invalid-session-cookie-duration", () => auth.createSessionCookie(token, { expiresIn: 1_000 }));
  await fails("auth/invalid-id-token", () => auth.createSessionCookie("no token", { expiresIn: 5 * 60_000 }));
  await sleep(1_100);
  await auth.revokeRefreshTokens(user.uid);
  await fails("auth/session-cookie-revoked", () => auth.verifySessionCookie(cookie, true));
});

test("links for mails are made", async () => {
  const email = address();
  await auth.createUser({ email, password: PASSWORD });
  const settings = { url: "https://example.com/next", handleCodeInApp: true };
  for (const [mode, link] of [
    ["resetPassword", await auth.generatePasswordResetLink(email)],
    ["verifyEmail", await auth.generateEmailVerificationLink(email, settings)],
    ["signIn", await auth.generateSignInWithEmailLink(email, settings)],
  ]) {
    const { searchParams } = new URL(link);
    assert.equal(searchParams.get("mode"), mode);
    assert.ok(searchParams.get("oobCode").length > 20);
  }
  await fails("auth/email-not-found", () => auth.generatePasswordResetLink(address("nobody")));
});
