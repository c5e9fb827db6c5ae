// The page of FireFlicks: moderators see more. What is hidden is not what protects: rules and functions decide.

import { initializeApp } from "firebase/app";
import { connectAuthEmulator, getAuth, onIdTokenChanged, signInWithEmailAndPassword } from "firebase/auth";
import { addDoc, collection, connectFirestoreEmulator, getDocs, getFirestore } from "firebase/firestore/lite";
import { connectFunctionsEmulator, getFunctions, httpsCallable } from "firebase/functions";

const settings = await (await fetch("settings.json")).json();
const app = initializeApp({ projectId: settings.projectId, apiKey: "any-key-will-do" });
const auth = getAuth(app);
connectAuthEmulator(auth, `http://${settings.authHost}`, { disableWarnings: true });
const db = getFirestore(app);
connectFirestoreEmulator(db, ...address(settings.firestoreHost));
const functions = getFunctions(app);
connectFunctionsEmulator(functions, ...address(settings.functionsHost));

const element = (id) => document.getElementById(id);
const say = (text) => (element("said").textContent = text);

function address(text) {
  const [host, port] = text.split(":");
  return [host, Number(port)];
}

/** The article's: what the claims of a fresh token say. */
function refreshClaims() {
  return auth.currentUser
    .getIdTokenResult(true) // 1
    .then((idTokenResult) => {
      // 2 Confirm the user is an Admin
      if (idTokenResult.claims.moderator) {
        // 3
        showModeratorUI();
      } else {
        showRegularUI();
      }
    })
    .catch((error) => {
      say(error.message);
    });
}

function showModeratorUI() {
  element("role").textContent = "a moderator";
  element("moderator").hidden = false;
}

function showRegularUI() {
  element("role").textContent = "a viewer";
  element("moderator").hidden = true;
}

async function showMovies() {
  const movies = await getDocs(collection(db, "movies"));
  element("movies").replaceChildren(
    ...movies.docs.map((movie) => {
      const line = document.createElement("li");
      line.textContent = movie.get("title");
      return line;
    }),
  );
}

function onSubmit(id, act) {
  element(id).addEventListener("submit", async (event) => {
    event.preventDefault();
    await act().catch((error) => say(error.message));
  });
}

onSubmit("sign-in", async () => {
  await signInWithEmailAndPassword(auth, element("email").value, element("password").value);
  await refreshClaims();
  await showMovies();
});
onSubmit("add-movie", async () => {
  await addDoc(collection(db, "movies"), { title: element("title").value });
  await showMovies();
});
onSubmit("add-admin", async () => {
  const { data } = await httpsCallable(functions, "addAdmin")({ email: element("other").value });
  say(data.result ?? data.error);
});
onIdTokenChanged(auth, (user) => user || (element("role").textContent = "signed out"));
