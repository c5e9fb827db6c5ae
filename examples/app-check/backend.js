// The backend's side: gives out App Check tokens to clients that it recognizes. `firebase-admin` exchanges them at Hearth.

import { getAppCheck } from "firebase-admin/app-check";

/**
 * Answers a client's request for a token, once you have decided that it comes from your app.
 * @param {import("firebase-admin/app").App} app initialized with a service account's key (`hearth service-account create`)
 * @param {string} appId the app's id, as `hearth app-check app list` shows it
 */
export async function appCheckToken(app, appId) {
  const { token, ttlMillis } = await getAppCheck(app).createToken(appId);
  return { token, expireTimeMillis: Date.now() + ttlMillis };
}
