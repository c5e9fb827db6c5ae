// The SDKs that `hearth dataconnect sdk generate` writes compile beside the unmodified Firebase SDKs, in strict mode, and
// their types refuse what the operations refuse. Their programs load, and hand to the Firebase SDK what it expects.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';

const here = import.meta.dirname;
const hearth = process.env.HEARTH_BIN ?? resolve(here, '../../../target/debug/hearth');
const modules = resolve(here, '../node_modules');
let folder;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-sdk-'));
  cpSync(join(here, 'project'), folder, { recursive: true });
  execFileSync(hearth, ['dataconnect', 'sdk', 'generate', folder], { encoding: 'utf8' });
  symlinkSync(modules, join(folder, 'node_modules'));
});

after(() => rmSync(folder, { recursive: true, force: true }));

// What the compiler says of a text, in the lines of its own.
function compiled(name, text) {
  writeFileSync(join(folder, name), text);
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--jsx', 'react-jsx', '--target', 'es2022', '--module', 'es2022', '--moduleResolution', 'bundler'];
  const ran = spawnSync(process.execPath, [join(modules, 'typescript/bin/tsc'), ...options, name], { cwd: folder, encoding: 'utf8' });
  return ran.stdout.trim();
}

test('the web SDK is what programs expect', () => {
  assert.equal(compiled('web.ts', readFileSync(join(here, 'web.ts.txt'), 'utf8')), '');
});

test('the hooks are what components expect', () => {
  assert.equal(compiled('component.tsx', readFileSync(join(here, 'component.tsx.txt'), 'utf8')), '');
});

test('the admin SDK is what servers expect', () => {
  assert.equal(compiled('admin.ts', readFileSync(join(here, 'admin.ts.txt'), 'utf8')), '');
});

test('wrong calls are refused', () => {
  const lines = [
    'getPost();',
    'getPost({ id: 1 });',
    'getPost({ id: "a", other: 1 });',
    'savePost({ title: null });',
    'savePost({ title: "a", state: "NONE" });',
    'listPosts({ n: "one" });',
    'const secret = (await getPost({ id: "a" })).data.permission;',
  ];
  const text = `import { getPost, savePost, listPosts } from './generated/web';\n${lines.join('\n')}\n`;
  const said = compiled('wrong.ts', text);
  const refused = new Set([...said.matchAll(/wrong\.ts\((\d+),/g)].map((found) => Number(found[1]) - 2));
  assert.deepEqual([...refused].sort(), lines.map((_, at) => at), said);
});

test('programs load as CommonJS and as ES modules, and name the operations', async () => {
  const require = createRequire(join(folder, 'x.js'));
  for (const sdk of [require('./generated/web/index.cjs.js'), await import(join(folder, 'generated/web/esm/index.esm.js'))]) {
    assert.deepEqual(sdk.connectorConfig, { connector: 'web', service: 'blog', location: 'europe-west1' });
    assert.equal(sdk.getPostRef.operationName, 'GetPost');
    assert.deepEqual(sdk.State, { DRAFT: 'DRAFT', PUBLIC: 'PUBLIC' });
    assert.equal(sdk.retiredRef, undefined);
  }
  for (const sdk of [require('./generated/admin/index.cjs.js'), await import(join(folder, 'generated/admin/esm/index.esm.js'))]) {
    assert.deepEqual(sdk.connectorConfig, { connector: 'web', serviceId: 'blog', location: 'europe-west1' });
    assert.equal(typeof sdk.savePost, 'function');
  }
});

test('a reference has the name and the variables of its operation', async () => {
  const { initializeApp, deleteApp } = await import(join(modules, 'firebase/app/dist/index.mjs'));
  const { getPostRef, listPostsRef, savePostRef } = await import(join(folder, 'generated/web/esm/index.esm.js'));
  const app = initializeApp({ projectId: 'demo', apiKey: 'k', appId: 'a' });
  try {
    const shape = ({ name, variables, refType }) => ({ name, variables, refType });
    assert.deepEqual(shape(getPostRef({ id: 'a' })), { name: 'GetPost', variables: { id: 'a' }, refType: 'query' });
    assert.equal(listPostsRef().name, 'ListPosts');
    assert.deepEqual(shape(savePostRef({ title: 't' })), { name: 'SavePost', variables: { title: 't' }, refType: 'mutation' });
    assert.throws(() => getPostRef(), /Variables required/);
  } finally {
    await deleteApp(app);
  }
});
