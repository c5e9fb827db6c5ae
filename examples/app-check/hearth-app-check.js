// The client's side: a provider that asks your own backend for App Check tokens. Copy it into your app.

import { CustomProvider } from "firebase/app-check";

/**
 * A provider for `initializeAppCheck`.
 * @param {string} url where your backend gives out tokens: `{ "token": "…", "expireTimeMillis": 1764000000000 }`
 * @param {() => Promise<RequestInit>} [proof] what the backend wants to see before: headers, a body
 */
export function hearthProvider(url, proof = async () => ({})) {
  return new CustomProvider({
    async getToken() {
      const answer = await fetch(url, { method: "POST", ...(await proof()) });
      if (!answer.ok) {
        throw new Error(`${url} gave no App Check token: ${answer.status}`);
      }
      return answer.json();
    },
  });
}
