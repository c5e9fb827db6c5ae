// The movies' story, on the unmodified SDKs. Start Hearth first: ./x run movies

process.env.FIREBASE_AUTH_EMULATOR_HOST ??= "127.0.0.1:9099";
process.env.DATA_CONNECT_EMULATOR_HOST ??= "127.0.0.1:9399";

const { deleteApp, initializeApp } = await import("firebase/app");
const { connectAuthEmulator, createUserWithEmailAndPassword, getAuth, signOut } = await import("firebase/auth");
const { connectDataConnectEmulator, executeMutation, getDataConnect, mutationRef, setLogLevel } = await import("firebase/data-connect");
const { initializeApp: initializeServer } = await import("firebase-admin/app");
const { getDataConnect: getServerDataConnect } = await import("firebase-admin/data-connect");

const project = process.env.GCLOUD_PROJECT ?? "demo-movies";
const at = { location: "us-central1", connector: "editors" };
const server = getServerDataConnect({ ...at, serviceId: "movies" }, initializeServer({ projectId: project }));
setLogLevel("silent");

const app = initializeApp({ projectId: project, apiKey: "example" });
const auth = getAuth(app);
connectAuthEmulator(auth, `http://${process.env.FIREBASE_AUTH_EMULATOR_HOST}`, { disableWarnings: true });
const editors = getDataConnect(app, { ...at, service: "movies" });
const [host, port] = process.env.DATA_CONNECT_EMULATOR_HOST.split(":");
connectDataConnectEmulator(editors, host, Number(port));
const { user } = await createUserWithEmailAndPassword(auth, `edda-${Date.now()}@example.com`, "secret-password");

const { data } = await server.insert("movie", { title: "The Thrid Man" });
const movieId = data.movie_insert.id;

async function correct(who, operation = "UpdateMovieTitle") {
  try {
    const { data } = await executeMutation(mutationRef(editors, operation, { movieId, newTitle: "The Third Man" }));
    console.log(`${who}: ${JSON.stringify(data)}`);
  } catch (error) {
    const [{ message }] = error.response?.errors ?? [error];
    console.log(`${who}: refused, ${message}`);
  }
}

await correct("a stranger");
await server.insert("moviePermission", { movieId, userId: user.uid, role: "viewer" });
await correct("a viewer");
await server.upsert("moviePermission", { movieId, userId: user.uid, role: "editor" });
await correct("an editor");
await correct("an editor, with a list", "UpdateMovieTitle2");
await server.executeGraphql(`mutation { moviePermission_delete(key: {movieId: "${movieId}", userId: "${user.uid}"}) }`);
await correct("a former editor");
await signOut(auth);
await deleteApp(app);
