// What an app does with the client SDK's Auth.

import assert from "node:assert/strict";
import { after } from "node:test";

import {
  EmailAuthProvider,
  GoogleAuthProvider,
  applyActionCode,
  confirmPasswordReset,
  createUserWithEmailAndPassword,
  deleteUser,
  fetchSignInMethodsForEmail,
  isSignInWithEmailLink,
  linkWithCredential,
  reauthenticateWithCredential,
  reload,
  sendEmailVerification,
  sendPasswordResetEmail,
  sendSignInLinkToEmail,
  signInAnonymously,
  signInWithCredential,
  signInWithCustomToken,
  signInWithEmailAndPassword,
  signInWithEmailLink,
  signOut,
  unlink,
  updateEmail,
  updatePassword,
  updateProfile,
  verifyPasswordResetCode,
} from "firebase/auth";

import { address, admin, client, fails } from "../clients.js";
import { CLOSED, dev, hearthTest, sleep, test } from "../hearth.js";

const hearth = await dev({ rules: CLOSED });
after(() => hearth.stop());
const server = admin(hearth);
const PASSWORD = "correct horse";

/** The codes that dev would have mailed, newest last. */
async function mailed(email, type) {
  const answer = await fetch(`http://${hearth.auth}/emulator/v1/projects/${hearth.project}/oobCodes`);
  const { oobCodes } = await answer.json();
  return oobCodes.filter((code) => code.email === email && code.requestType === type).at(-1);
}

test("sign up, out and in with a password", async () => {
  const { auth } = client(hearth);
  const email = address();
  const created = await createUserWithEmailAndPassword(auth, email.toUpperCase(), PASSWORD);
  assert.equal(created.user.email, email, "addresses are kept in lower case");
  assert.equal(created.user.emailVerified, false);
  assert.equal(created.user.isAnonymous, false);
  await signOut(auth);
  assert.equal(auth.currentUser, null);
  const { user } = await signInWithEmailAndPassword(auth, email, PASSWORD);
  assert.equal(user.uid, created.user.uid);
  assert.match(user.uid, /^[A-Za-z0-9]{28}$/);
});

test("a token says who and how", async () => {
  const { auth } = client(hearth);
  const email = address();
  const { user } = await createUserWithEmailAndPassword(auth, email, PASSWORD);
  const { claims, signInProvider, expirationTime, issuedAtTime } = await user.getIdTokenResult();
  assert.equal(signInProvider, "password");
  assert.equal(claims.iss, `https://securetoken.google.com/${hearth.project}`);
  assert.equal(claims.aud, hearth.project);
  assert.equal(claims.sub, user.uid);
  assert.equal(claims.user_id, user.uid);
  assert.equal(claims.email, email);
  assert.deepEqual(claims.firebase.identities, { email: [email] });
  assert.equal(Date.parse(expirationTime) - Date.parse(issuedAtTime), 3_600_000);
});

test("sign-up refuses what it must", async () => {
  const { auth } = client(hearth);
  const email = address();
  await createUserWithEmailAndPassword(auth, email, PASSWORD);
  await fails("auth/email-already-in-use", () => createUserWithEmailAndPassword(auth, email, PASSWORD));
  await fails("auth/email-already-in-use", () => createUserWithEmailAndPassword(auth, email.toUpperCase(), PASSWORD));
  await fails("auth/weak-password", () => createUserWithEmailAndPassword(auth, address(), "short"));
  await fails("auth/missing-password", () => createUserWithEmailAndPassword(auth, address(), ""));
  await fails("auth/invalid-email", () => createUserWithEmailAndPassword(auth, "no address", PASSWORD));
  await fails("auth/missing-email", () => createUserWithEmailAndPassword(auth, "", PASSWORD));
});

test("sign-in refuses what it must", async () => {
  const { auth } = client(hearth);
  const email = address();
  const { user } = await createUserWithEmailAndPassword(auth, email, PASSWORD);
  await fails("auth/wrong-password", () => signInWithEmailAndPassword(auth, email, "wrong horse"));
  await fails("auth/user-not-found", () => signInWithEmailAndPassword(auth, address("nobody"), PASSWORD));
  await fails("auth/invalid-email", () => signInWithEmailAndPassword(auth, "no address", PASSWORD));
  await server.auth.updateUser(user.uid, { disabled: true });
  await fails("auth/user-disabled", () => signInWithEmailAndPassword(auth, email, PASSWORD));
});

test("an anonymous user keeps the uid when it gets a password", async () => {
  const { auth } = client(hearth);
  const { user } = await signInAnonymously(auth);
  assert.equal(user.isAnonymous, true);
  assert.equal((await user.getIdTokenResult()).signInProvider, "anonymous");
  const email = address();
  const linked = await linkWithCredential(user, EmailAuthProvider.credential(email, PASSWORD));
  assert.equal(linked.user.uid, user.uid);
  assert.equal(linked.user.isAnonymous, false);
  assert.deepEqual(linked.user.providerData.map((provider) => provider.providerId), ["password"]);
  await signOut(auth);
  assert.equal((await signInWithEmailAndPassword(auth, email, PASSWORD)).user.uid, user.uid);
});

test("linking to a taken address is refused", async () => {
  const email = address();
  await createUserWithEmailAndPassword(client(hearth).auth, email, PASSWORD);
  const { user } = await signInAnonymously(client(hearth).auth);
  const credential = EmailAuthProvider.credential(email, PASSWORD);
  await fails("auth/email-already-in-use", () => linkWithCredential(user, credential));
});

test("custom tokens sign in, and create who is not there yet", async () => {
  const { auth } = client(hearth);
  const uid = `imported-${Date.now()}`;
  const token = await server.auth.createCustomToken(uid, { plan: "gold" });
  const { user } = await signInWithCustomToken(auth, token);
  assert.equal(user.uid, uid);
  const { claims, signInProvider } = await user.getIdTokenResult();
  assert.equal(signInProvider, "custom");
  assert.equal(claims.plan, "gold");
  assert.equal((await server.auth.getUser(uid)).uid, uid);
  await fails("auth/invalid-custom-token", () => signInWithCustomToken(auth, "no token"));
});

test("a refresh gives a newer token for the same user", async () => {
  const { auth } = client(hearth);
  const { user } = await createUserWithEmailAndPassword(auth, address(), PASSWORD);
  const first = await user.getIdTokenResult();
  assert.equal(await user.getIdToken(), first.token, "an unexpired token is kept");
  await sleep(1_100);
  const second = await user.getIdTokenResult(true);
  assert.ok(second.claims.iat > first.claims.iat);
  assert.equal(second.claims.auth_time, first.claims.auth_time, "a refresh is no new sign-in");
  assert.equal(second.claims.sub, user.uid);
});

hearthTest("revoked refresh tokens refresh no more", async () => {
  const { auth } = client(hearth);
  const { user } = await createUserWithEmailAndPassword(auth, address(), PASSWORD);
  await sleep(1_100);
  await server.auth.revokeRefreshTokens(user.uid);
  await fails("auth/user-token-expired", () => user.getIdToken(true));
  assert.equal(auth.currentUser, null, "the SDK signs the user out");
});

hearthTest("a password change ends the sessions on other devices and keeps this one", async () => {
  const [here, there] = [client(hearth).auth, client(hearth).auth];
  const email = address();
  const { user } = await createUserWithEmailAndPassword(here, email, PASSWORD);
  const other = (await signInWithEmailAndPassword(there, email, PASSWORD)).user;
  await sleep(1_100);
  await updatePassword(user, "another horse");
  await user.getIdToken(true);
  assert.equal((await server.auth.verifyIdToken(await user.getIdToken(), true)).uid, user.uid);
  await fails("auth/user-token-expired", () => other.getIdToken(true));
  await fails("auth/wrong-password", () => signInWithEmailAndPassword(there, email, PASSWORD));
  await signInWithEmailAndPassword(there, email, "another horse");
});

test("a profile is changed and cleared", async () => {
  const { auth } = client(hearth);
  const { user } = await createUserWithEmailAndPassword(auth, address(), PASSWORD);
  await updateProfile(user, { displayName: "Maria", photoURL: "https://example.com/m.png" });
  await reload(user);
  assert.equal(user.displayName, "Maria");
  assert.equal(user.photoURL, "https://example.com/m.png");
  assert.equal((await user.getIdTokenResult(true)).claims.name, "Maria");
  await updateProfile(user, { displayName: "", photoURL: "" });
  await reload(user);
  assert.equal(user.displayName, null);
});

test("an address is changed", async () => {
  const { auth } = client(hearth);
  const { user } = await createUserWithEmailAndPassword(auth, address(), PASSWORD);
  const taken = address();
  await createUserWithEmailAndPassword(client(hearth).auth, taken, PASSWORD);
  await fails("auth/email-already-in-use", () => updateEmail(user, taken));
  const next = address("next");
  await updateEmail(user, next);
  assert.equal(user.email, next);
  assert.equal((await signInWithEmailAndPassword(client(hearth).auth, next, PASSWORD)).user.uid, user.uid);
});

test("who signs in again is the same user, who cannot is refused", async () => {
  const { auth } = client(hearth);
  const email = address();
  const { user } = await createUserWithEmailAndPassword(auth, email, PASSWORD);
  await reauthenticateWithCredential(user, EmailAuthProvider.credential(email, PASSWORD));
  const wrong = EmailAuthProvider.credential(email, "wrong horse");
  await fails("auth/wrong-password", () => reauthenticateWithCredential(user, wrong));
  const other = address();
  await createUserWithEmailAndPassword(client(hearth).auth, other, PASSWORD);
  const somebody = EmailAuthProvider.credential(other, PASSWORD);
  await fails("auth/user-mismatch", () => reauthenticateWithCredential(user, somebody));
});

test("a deleted user is gone, here and on other devices", async () => {
  const [here, there] = [client(hearth).auth, client(hearth).auth];
  const email = address();
  const { user } = await createUserWithEmailAndPassword(here, email, PASSWORD);
  const other = (await signInWithEmailAndPassword(there, email, PASSWORD)).user;
  await deleteUser(user);
  assert.equal(here.currentUser, null);
  await fails("auth/user-token-expired", () => reload(other));
  await fails("auth/user-not-found", () => signInWithEmailAndPassword(there, email, PASSWORD));
  await createUserWithEmailAndPassword(here, email, PASSWORD);
});

test("sign-in methods of an address are told in dev", async () => {
  const { auth } = client(hearth);
  const email = address();
  assert.deepEqual(await fetchSignInMethodsForEmail(auth, email), []);
  await createUserWithEmailAndPassword(auth, email, PASSWORD);
  assert.deepEqual(await fetchSignInMethodsForEmail(auth, email), ["password"]);
});

test("a forgotten password is replaced by mail", async () => {
  const { auth } = client(hearth);
  const email = address();
  await createUserWithEmailAndPassword(auth, email, PASSWORD);
  await sendPasswordResetEmail(auth, email);
  const { oobCode, oobLink } = await mailed(email, "PASSWORD_RESET");
  assert.match(oobLink, /mode=resetPassword/);
  assert.equal(await verifyPasswordResetCode(auth, oobCode), email);
  await fails("auth/weak-password", () => confirmPasswordReset(auth, oobCode, "short"));
  await confirmPasswordReset(auth, oobCode, "another horse");
  await fails("auth/invalid-action-code", () => confirmPasswordReset(auth, oobCode, "third horse"));
  await signInWithEmailAndPassword(auth, email, "another horse");
  await fails("auth/user-not-found", () => sendPasswordResetEmail(auth, address("nobody")));
});

test("an address is verified by mail", async () => {
  const { auth } = client(hearth);
  const email = address();
  const { user } = await createUserWithEmailAndPassword(auth, email, PASSWORD);
  await sendEmailVerification(user);
  await applyActionCode(auth, (await mailed(email, "VERIFY_EMAIL")).oobCode);
  await reload(user);
  assert.equal(user.emailVerified, true);
  assert.equal((await user.getIdTokenResult(true)).claims.email_verified, true);
});

test("a link by mail signs in once", async () => {
  const { auth } = client(hearth);
  const email = address();
  await sendSignInLinkToEmail(auth, email, { url: "https://example.com/in", handleCodeInApp: true });
  const { oobLink } = await mailed(email, "EMAIL_SIGNIN");
  assert.equal(isSignInWithEmailLink(auth, oobLink), true);
  const { user } = await signInWithEmailLink(auth, email, oobLink);
  assert.equal(user.emailVerified, true);
  await fails("auth/invalid-action-code", () => signInWithEmailLink(auth, email, oobLink));
});

test("a provider's credential signs in, links and unlinks", async () => {
  const { auth } = client(hearth);
  const email = address();
  const google = (sub) =>
    GoogleAuthProvider.credential(JSON.stringify({ sub, email, email_verified: true, name: "Maria" }));
  const sub = `google-${Date.now()}`;
  const { user } = await signInWithCredential(auth, google(sub));
  assert.equal(user.email, email);
  assert.equal((await user.getIdTokenResult()).signInProvider, "google.com");
  assert.equal((await signInWithCredential(client(hearth).auth, google(sub))).user.uid, user.uid);
  await linkWithCredential(user, EmailAuthProvider.credential(address("second"), PASSWORD));
  assert.deepEqual(user.providerData.map((provider) => provider.providerId).sort(), ["google.com", "password"]);
  await unlink(user, "google.com");
  assert.deepEqual(user.providerData.map((provider) => provider.providerId), ["password"]);
});
