// The blog's story, on the unmodified SDKs. Start Hearth first: ./x run blog

process.env.FIREBASE_AUTH_EMULATOR_HOST ??= "127.0.0.1:9099";
process.env.DATA_CONNECT_EMULATOR_HOST ??= "127.0.0.1:9399";

const { deleteApp, initializeApp } = await import("firebase/app");
const { connectAuthEmulator, createUserWithEmailAndPassword, getAuth, signOut } = await import("firebase/auth");
const { connectDataConnectEmulator, executeMutation, executeQuery, getDataConnect, mutationRef, QueryFetchPolicy, queryRef, setLogLevel } =
  await import("firebase/data-connect");
const { initializeApp: initializeServer } = await import("firebase-admin/app");
const { getAuth: getServerAuth } = await import("firebase-admin/auth");

const project = process.env.GCLOUD_PROJECT ?? "demo-blog";
const server = getServerAuth(initializeServer({ projectId: project }));
setLogLevel("silent");

/** A device with somebody who is new. */
async function device(name) {
  const app = initializeApp({ projectId: project, apiKey: "example" }, `${name}-${Date.now()}`);
  const auth = getAuth(app);
  connectAuthEmulator(auth, `http://${process.env.FIREBASE_AUTH_EMULATOR_HOST}`, { disableWarnings: true });
  const posts = getDataConnect(app, { service: "blog", connector: "posts", location: "us-central1" });
  const [host, port] = process.env.DATA_CONNECT_EMULATOR_HOST.split(":");
  connectDataConnectEmulator(posts, host, Number(port));
  const { user } = await createUserWithEmailAndPassword(auth, `${name}-${Date.now()}@example.com`, "secret-password");
  const say = async (what, call) => {
    try {
      const { data } = await call();
      console.log(`${name} ${what}:`, JSON.stringify(data));
      return data;
    } catch (error) {
      console.log(`${name} ${what}: refused, ${error.message}`);
    }
  };
  return {
    user,
    query: (what, operation, variables) =>
      say(what, () => executeQuery(queryRef(posts, operation, variables), { fetchPolicy: QueryFetchPolicy.SERVER_ONLY })),
    mutate: (what, operation, variables) => say(what, () => executeMutation(mutationRef(posts, operation, variables))),
    leave: () => signOut(auth).then(() => deleteApp(app)),
  };
}

const [anna, bob] = [await device("anna"), await device("bob")];
await anna.mutate("says her name", "SaveMe", { name: "Anna" });
const { post_insert: post } = await anna.mutate("publishes", "CreatePost", { text: "Hello", visibility: "public" });
await anna.mutate("drafts", "CreatePost", { text: "Not yet" });
await anna.mutate("writes for who pays", "CreatePost", { text: "Gold", visibility: "pro" });
await bob.query("reads what is public", "ListPublicPosts");
await bob.mutate("changes Anna's post (null: no post of his)", "UpdatePost", { id: post.id, text: "Bob was here" });
await bob.query("reads what is for who pays", "ProListPosts");
await server.setCustomUserClaims(bob.user.uid, { plan: "pro" });
await bob.user.getIdToken(true);
await bob.query("pays, and reads it", "ProListPosts");
await Promise.all([anna.leave(), bob.leave()]);
