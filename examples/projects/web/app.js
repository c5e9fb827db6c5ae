// The page: shows a project, and the buttons that the permission group of whoever is signed in allows. The group is data, so
// the page listens to it, and buttons come and go while somebody looks.

import { initializeApp } from "firebase/app";
import { connectAuthEmulator, getAuth, onAuthStateChanged, signInWithEmailAndPassword, signOut } from "firebase/auth";
import { connectDatabaseEmulator, getDatabase, off, onValue, push, ref, remove, set } from "firebase/database";

import { isAllowed } from "./permissions.js";
import settings from "./settings.js";

const PROJECT = "apollo";

const app = initializeApp({ projectId: settings.projectId, apiKey: "any-key-will-do", databaseURL: settings.databaseURL });
const auth = getAuth(app);
connectAuthEmulator(auth, `http://${settings.authHost}`, { disableWarnings: true });
const database = getDatabase(app);
const [host, port] = settings.databaseHost.split(":");
connectDatabaseEmulator(database, host, Number(port));

/** How each entity is shown, made and changed. */
const ENTITIES = {
  projects: { path: "projects", title: (project) => project.name, create: (owner) => ({ name: "Another", owner }), change: ["name", "Apollo 11"] },
  tasks: { path: `tasks/${PROJECT}`, title: (task) => `${task.done ? "☑" : "☐"} ${task.title}`, create: () => ({ title: "A task", done: false }), change: ["done", true] },
  files: { path: `files/${PROJECT}`, title: (file) => `${file.name} (${file.owner})`, create: (owner) => ({ name: "a.txt", size: 1, owner }), change: ["name", "b.txt"] },
  messages: { path: `messages/${PROJECT}`, title: (message) => `${message.text} (${message.owner})`, create: (owner) => ({ text: "Hello", owner }), change: ["text", "Hello again"] },
};

const state = { uid: null, role: null, permissions: null, isMember: false, values: {} };
let listened = [];

document.querySelector("#person").addEventListener("change", async ({ target }) => {
  await (target.value ? signInWithEmailAndPassword(auth, `${target.value}@example.com`, settings.password) : signOut(auth));
});

onAuthStateChanged(auth, (user) => {
  stopListening();
  Object.assign(state, { uid: user?.uid ?? null, role: null, permissions: null, isMember: false, values: {} });
  render();
  if (!user) return;
  listen(`users/${user.uid}/role`, (role) => {
    if (role === state.role) return;
    stopListening(1);
    Object.assign(state, { role, permissions: null, values: {} });
    if (role) listen(`permissions/${role}`, (permissions) => { state.permissions = permissions; listenToEntities(); });
  });
});

/** Listens to what may be read, anew whenever the permissions change: a listener that was refused does not come back. */
function listenToEntities() {
  stopListening(2);
  state.values = {};
  listen(`projects/${PROJECT}`, (project) => {
    state.values.projects = project && { [PROJECT]: project };
    state.isMember = project?.members?.[state.uid] === true;
  });
  for (const entity of ["tasks", "files", "messages"]) {
    listen(ENTITIES[entity].path, (values) => { state.values[entity] = values; });
  }
  if (isAllowed(state.permissions, "permissions", "u") && state.role !== "user") {
    listen("permissions/user", (permissions) => renderPermissions(permissions));
  }
}

function listen(path, then) {
  const place = ref(database, path);
  listened.push(place);
  onValue(place, (snapshot) => { then(snapshot.val()); render(); }, () => { then(null); render(); });
}

/** Stops all listeners but the first ones. */
function stopListening(kept = 0) {
  listened.splice(kept).forEach((place) => off(place));
}

function render() {
  document.querySelector("#role").textContent = state.role ? `role: ${state.role}` : "no role";
  document.querySelector("#permissions").hidden = !isAllowed(state.permissions, "permissions", "u");
  for (const [entity, { path, title, create, change: [field, value] }] of Object.entries(ENTITIES)) {
    const section = document.querySelector(`#${entity}`);
    const list = document.createElement("ul");
    for (const [key, item] of Object.entries(state.values[entity] ?? {})) {
      const whose = { isOwn: item.owner === state.uid, isMember: state.isMember };
      const line = document.createElement("li");
      line.append(Object.assign(document.createElement("span"), { textContent: title(item) }));
      line.append(button(entity, "u", "change", whose, () => set(ref(database, `${path}/${key}/${field}`), value)));
      line.append(button(entity, "d", "delete", whose, () => remove(ref(database, `${path}/${key}`))));
      list.append(line);
    }
    const own = { isOwn: true, isMember: entity !== "projects" && state.isMember };
    const add = button(entity, "c", "add", own, () => set(push(ref(database, path)), create(state.uid)));
    section.replaceChildren(section.querySelector("h2"), list, add);
  }
}

/** A button that is there only for those who may press it. */
function button(entity, verb, text, whose, act) {
  const made = document.createElement("button");
  Object.assign(made, { textContent: text, hidden: !isAllowed(state.permissions, entity, verb, whose) });
  made.dataset.action = `${entity}-${verb}`;
  made.addEventListener("click", () => {
    document.querySelector("#refused").textContent = "";
    act().catch((error) => { document.querySelector("#refused").textContent = `${text}: ${error.message}`; });
  });
  return made;
}

/** Check boxes for what the role `user` may do with whatever anybody owns. */
function renderPermissions(permissions) {
  const boxes = Object.keys(ENTITIES).map((entity) => {
    const line = document.createElement("p");
    line.append(`${entity}: `);
    for (const verb of "crud") {
      const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: permissions?.[entity]?.any?.[verb] === true });
      box.dataset.permission = `${entity}-${verb}`;
      box.addEventListener("change", () => set(ref(database, `permissions/user/${entity}/any/${verb}`), box.checked || null));
      const label = document.createElement("label");
      label.append(box, verb);
      line.append(label);
    }
    return line;
  });
  document.querySelector("#permissions div").replaceChildren(...boxes);
}
