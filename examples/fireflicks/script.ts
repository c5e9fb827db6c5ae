// The story of FireFlicks, played by the unmodified Firebase SDKs: a user becomes a moderator and stops being one.
//
//   hearth dev examples/fireflicks      # in one terminal
//   npm start                           # in another
//
// Hearth's addresses come from the variables that Firebase's own tools use; the defaults are the usual ports.

import { readFileSync } from "node:fs";

import { deleteApp as deleteAdminApp, initializeApp as initializeAdminApp } from "firebase-admin/app";
import { getAuth as getAdminAuth } from "firebase-admin/auth";
import { getFirestore as getAdminFirestore } from "firebase-admin/firestore";
import { deleteApp, initializeApp } from "firebase/app";
import { connectAuthEmulator, createUserWithEmailAndPassword, getAuth, type User } from "firebase/auth";
import {
  collection,
  connectFirestoreEmulator,
  doc,
  getDocs,
  getFirestore,
  orderBy,
  query,
  serverTimestamp,
  setDoc,
  setLogLevel,
  where,
} from "firebase/firestore/lite";

setLogLevel("silent"); // the refusals below are part of the story

const projectId = process.env.GCLOUD_PROJECT ?? "demo-fireflicks";
const authHost = (process.env.FIREBASE_AUTH_EMULATOR_HOST ??= "127.0.0.1:9099");
const firestoreHost = (process.env.FIRESTORE_EMULATOR_HOST ??= "127.0.0.1:8080");

const adminApp = initializeAdminApp({ projectId });
const admin = getAdminAuth(adminApp);

const app = initializeApp({ projectId, apiKey: "any-key-will-do" });
const auth = getAuth(app);
connectAuthEmulator(auth, `http://${authHost}`, { disableWarnings: true });
const db = getFirestore(app);
const [host, port] = firestoreHost.split(":");
connectFirestoreEmulator(db, host!, Number(port));

await seed();

const email = `maria-${Date.now()}@example.com`;
const { user } = await createUserWithEmailAndPassword(auth, email, "correct horse");
tell(`${email} signed up and is ${user.uid}`);

const movies = await getDocs(query(collection(db, "movies"), where("genre", "==", "comedy"), orderBy("year", "desc")));
expect(movies.size >= 2, "a signed-in user reads movies");
tell(`she reads the comedies: ${movies.docs.map((movie) => movie.get("title")).join(", ")}`);

await setDoc(doc(db, "movies/modern-times/reviews", user.uid), { stars: 5, text: "Gears!", at: serverTimestamp() });
tell("she reviews Modern Times");

await refused("she may not add a movie", () => addMovie("up"));

await grantModeratorRole(email);
tell("an admin granted her `moderator`");
await refused("the token she holds is from before the grant, so still not", () => addMovie("up"));

expect(await moderatorByToken(user), "the fresh token carries the claim");
await addMovie("up");
tell("with a fresh token she adds Up");

await admin.setCustomUserClaims(user.uid, null);
tell("the admin took the claim back");
await moderatorByToken(user);
await refused("with the next token she is a reader again", () => addMovie("coco"));

tell("done; now ask `hearth log` who did what, and which rule decided");
await deleteApp(app);
await deleteAdminApp(adminApp);

/** The function of the article, with its steps. */
async function grantModeratorRole(email: string): Promise<void> {
  const user = await admin.getUserByEmail(email); // 1
  if (user.customClaims && user.customClaims.moderator === true) {
    return;
  } // 2
  return admin.setCustomUserClaims(user.uid, {
    moderator: true,
  }); // 3
}

/** Forces a fresh token and says whether it makes its bearer a moderator. */
async function moderatorByToken(user: User): Promise<boolean> {
  const token = await user.getIdTokenResult(true);
  return token.claims.moderator === true;
}

function addMovie(id: string): Promise<void> {
  return setDoc(doc(db, "movies", id), { title: id, year: 2009, genre: "comedy" });
}

/** Writes the documents of seed.json as an admin, whom no rule stops. */
async function seed(): Promise<void> {
  const store = getAdminFirestore(adminApp);
  const batch = store.batch();
  const collections = JSON.parse(readFileSync(new URL("seed.json", import.meta.url), "utf8")) as Record<
    string,
    Record<string, object>
  >;
  let count = 0;
  for (const [name, documents] of Object.entries(collections)) {
    for (const [id, fields] of Object.entries(documents)) {
      batch.set(store.collection(name).doc(id), fields);
      count += 1;
    }
  }
  await batch.commit();
  tell(`${count} documents of seed.json are in place`);
}

async function refused(step: string, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    const code = (error as { code?: string }).code;
    expect(code === "permission-denied", `${step}: expected permission-denied, got ${String(error)}`);
    tell(`${step}: ${(error as Error).message.replaceAll("\n", " ")}`);
    return;
  }
  throw new Error(`${step}: it was allowed`);
}

function expect(condition: boolean, what: string): void {
  if (!condition) {
    throw new Error(`not as told: ${what}`);
  }
}

function tell(line: string): void {
  console.log(`• ${line}`);
}
