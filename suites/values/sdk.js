// Random values, and what the JavaScript SDK makes of them: prints lines of JSON, a question and its answer each.
//
//   node sdk.js FOLDER SEED COUNT      FOLDER has `node_modules/@firebase/database`
//
// The SDK's code is the package's, unmodified; loaded with one more line that exports what is internal.
'use strict';

const fs = require('fs');
const path = require('path');
const Module = require('module');

const INTERNAL = [
  'KEY_INDEX', 'NamedNode', 'Path', 'PathIndex', 'PRIORITY_INDEX', 'QueryParams', 'VALUE_INDEX', 'doubleToIEEE754String',
  'ChildrenNode', 'newSparseSnapshotTree', 'nextPushId', 'nodeFromJSON', 'queryParamsEndAt', 'queryParamsEndBefore',
  'queryParamsGetNodeFilter', 'queryParamsGetQueryObject', 'queryParamsLimitToFirst', 'queryParamsLimitToLast',
  'queryParamsOrderBy', 'queryParamsStartAfter', 'queryParamsStartAt', 'queryParamsToRestQueryStringParameters',
  'resolveDeferredValueSnapshot', 'sparseSnapshotTreeForEachTree', 'sparseSnapshotTreeForget', 'sparseSnapshotTreeRemember',
];

function load(folder) {
  const file = path.join(folder, 'node_modules/@firebase/database/dist/index.node.cjs.js');
  const module = new Module(file);
  module.filename = file;
  module.paths = Module._nodeModulePaths(path.dirname(file));
  module._compile(fs.readFileSync(file, 'utf8') + `\nmodule.exports = { ${INTERNAL.join(', ')} };\n`, file);
  return module.exports;
}

// --- random values ------------------------------------------------------------------------------------------------------

// mulberry32
function generator(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const ODD_KEYS = [
  '2147483647', '2147483648', '-2147483648', '-2147483649', '00000000000', '99999999999', '01', '1', '001', '-1', '-01', '-',
  '--1', '1a', '+1', '!', '~', 'é', 'z\u0301', '\ud7ff', '\ue000', '\ufffd', '\uffff', '\u{10000}', '😀', 'a\u{10ffff}',
  'a\uee00', '-NieYb9-zzzzzzzzzzzz', 'constructor', 'length', '"\\',
];
const ODD_NUMBERS = [0, 1, -1, 0.5, 2147483648, 4294967296, 1e15, 1e16, 1e21, 1e-6, 1e-7, 5e-324, 1.7976931348623157e308, 0.1 + 0.2];
const LETTERS = ['a', 'b', 'c', 'é', '\ue000', '\u{10400}', ' ', '"', '\\', '\n', '\u007f', '0'];

class Random {
  constructor(seed, sdk) {
    this.next = generator(seed);
    this.sdk = sdk;
    this.inexact = 0;
    this.inconsistent = 0;
  }

  below(n) { return Math.floor(this.next() * n); }
  of(list) { return list[this.below(list.length)]; }
  chance(p) { return this.next() < p; }
  list(most, make) { return Array.from({ length: this.below(most + 1) }, make); }

  key() {
    switch (this.below(4)) {
      case 0: return this.of(ODD_KEYS);
      case 1: return String(this.below(14));
      case 2: return (this.chance(0.3) ? '-' : '') + '0'.repeat(this.below(2)) + (this.below(30) + 1);
      default: return this.of(['a', 'b', 'c', 'ab', 'ba']);
    }
  }

  path(most = 3) { return this.list(most, () => this.key()).join('/'); }

  text() { return this.chance(0.3) ? this.key() : this.list(5, () => this.of(LETTERS)).join(''); }

  number() {
    if (this.chance(0.5)) return this.below(10) - 3;
    if (this.chance(0.5)) return this.of(ODD_NUMBERS);
    const bits = new DataView(new ArrayBuffer(8));
    bits.setUint32(0, this.below(4294967296));
    bits.setUint32(4, this.below(4294967296));
    const number = bits.getFloat64(0);
    if (!Number.isFinite(number) || Object.is(number, -0)) return 7;
    const hex = bits.getBigUint64(0).toString(16).padStart(16, '0');
    if (this.sdk.doubleToIEEE754String(number) !== hex) {
      // The SDK's logarithm was off: no server can know what it hashes.
      this.inexact++;
      return 8;
    }
    return number;
  }

  leaf() { return this.of([() => this.chance(0.5), () => this.number(), () => this.text()])(); }
  priority() { return this.chance(0.5) ? this.number() : this.text(); }
  serverValue() { return { '.sv': this.chance(0.5) ? 'timestamp' : { increment: this.number() } }; }

  // A value in the export form. `servers`: how many of its leaves are server values.
  value(depth = 4, servers = 0) {
    const prioritised = this.chance(0.25);
    const priority = () => (this.chance(servers) ? this.serverValue() : this.priority());
    if (depth === 0 || this.chance(0.3)) {
      if (this.chance(0.05)) return null;
      const leaf = this.chance(servers) ? this.serverValue() : this.leaf();
      return prioritised ? { '.value': leaf, '.priority': priority() } : leaf;
    }
    if (this.chance(0.1)) return this.list(4, () => this.value(depth - 1, servers));
    const object = {};
    for (const key of this.list(7, () => this.key())) object[key] = this.value(depth - 1, servers);
    if (prioritised) object['.priority'] = priority();
    return object;
  }
}

// --- questions ----------------------------------------------------------------------------------------------------------

const INDICES = ['.priority', '.key', '.value', 'a', 'b/a', '1'];

function index(sdk, name) {
  const own = { '.priority': sdk.PRIORITY_INDEX, '.key': sdk.KEY_INDEX, '.value': sdk.VALUE_INDEX };
  return own[name] || new sdk.PathIndex(new sdk.Path(name));
}

function tree(sdk, random) {
  const value = random.value();
  const node = sdk.nodeFromJSON(value);
  const orders = {};
  for (const name of INDICES) {
    const by = index(sdk, name);
    orders[name] = [];
    if (!node.isLeafNode()) node.withIndex(by).forEachChild(by, key => { orders[name].push(key); });
  }
  return [{ value }, { hash: node.hash(), export: node.val(true), plain: node.val(), orders }];
}

function set(sdk, random) {
  const [value, at, to] = [random.value(), random.path(), random.value(2)];
  const node = sdk.nodeFromJSON(value).updateChild(new sdk.Path(at), sdk.nodeFromJSON(to));
  return [{ value, path: at, to }, { export: node.val(true), hash: node.hash() }];
}

function query(sdk, random) {
  const value = random.value(2);
  const name = random.of(INDICES);
  let params = sdk.queryParamsOrderBy(new sdk.QueryParams(), index(sdk, name));
  const leaf = () => (name === '.priority' ? random.priority() : random.leaf());
  const bound = () =>
    name === '.key' ? [random.key()] : [random.chance(0.2) ? null : leaf(), random.chance(0.5) ? random.key() : undefined];
  if (random.chance(0.5)) params = random.of([sdk.queryParamsStartAt, sdk.queryParamsStartAfter])(params, ...bound());
  if (random.chance(0.5)) params = random.of([sdk.queryParamsEndAt, sdk.queryParamsEndBefore])(params, ...bound());
  const range = params;
  if (random.chance(0.6)) params = random.of([sdk.queryParamsLimitToFirst, sdk.queryParamsLimitToLast])(params, 1 + random.below(4));
  const node = sdk.nodeFromJSON(value).withIndex(params.getIndex());
  const empty = sdk.ChildrenNode.EMPTY_NODE.withIndex(params.getIndex());
  const select = by => sdk.queryParamsGetNodeFilter(by).updateFullNode(empty, node, null);
  let selected = select(params);
  if (params.hasLimit()) {
    // Where no child has what a query is ordered by, the SDK's limitToLast looks for the end by key and misses children
    // after it: what counts are the last of its own range.
    const all = [];
    const limited = range.loadsAllData() && node.isLeafNode() ? empty : select(range);
    limited.forEachChild(params.getIndex(), key => { all.push(key); });
    const limit = params.getLimit();
    const kept = new Set(params.isViewFromLeft() ? all.slice(0, limit) : all.slice(-limit));
    let expected = limited.updatePriority(sdk.ChildrenNode.EMPTY_NODE);
    for (const key of all) if (!kept.has(key)) expected = expected.updateImmediateChild(key, sdk.ChildrenNode.EMPTY_NODE);
    if (expected.hash() !== selected.hash()) random.inconsistent++;
    selected = expected;
  }
  const rest = sdk.queryParamsToRestQueryStringParameters(params);
  for (const key of Object.keys(rest)) rest[key] = String(rest[key]);
  return [{ value, query: sdk.queryParamsGetQueryObject(params), rest }, { export: selected.val(true), hash: selected.hash() }];
}

function resolve(sdk, random) {
  const [value, before, now] = [random.value(3, 0.4), random.value(3), 1700000000000 + random.below(1e9)];
  const node = sdk.resolveDeferredValueSnapshot(sdk.nodeFromJSON(value), sdk.nodeFromJSON(before), { timestamp: now });
  return [{ value, before, now }, { export: node.val(true) }];
}

function sparse(sdk, random) {
  const store = sdk.newSparseSnapshotTree();
  const steps = [];
  for (let i = random.below(8); i >= 0; i--) {
    const at = random.list(3, () => random.of(['a', 'b', '1'])).join('/');
    if (random.chance(0.3)) {
      sdk.sparseSnapshotTreeForget(store, new sdk.Path(at));
      steps.push({ forget: at });
    } else if (random.chance(0.2)) {
      const [place, value] = [at + '/.priority', random.priority()];
      sdk.sparseSnapshotTreeRemember(store, new sdk.Path(place), sdk.nodeFromJSON(value));
      steps.push({ remember: place, value });
    } else {
      const value = random.value(2, 0.2);
      sdk.sparseSnapshotTreeRemember(store, new sdk.Path(at), sdk.nodeFromJSON(value));
      steps.push({ remember: at, value });
    }
  }
  const entries = {};
  sdk.sparseSnapshotTreeForEachTree(store, new sdk.Path(''), (at, node) => { entries[at.toString()] = node.val(true); });
  return [{ steps }, { entries }];
}

function push(sdk, random) {
  let now = 1600000000000 + random.below(1e12);
  const times = [], randoms = [], ids = [];
  const { random: usual } = Math;
  for (let i = 0; i < 5; i++) {
    now += random.of([0, 0, 1, 1000]);
    const twelve = Array.from({ length: 12 }, () => random.of([0, 1, 62, 63, random.below(64)]));
    twelve[0] = random.below(63); // The SDK's ids go back when all are the last.
    let next = 0;
    Math.random = () => (twelve[next++] + 0.5) / 64;
    ids.push(sdk.nextPushId(now));
    times.push(now);
    randoms.push(twelve);
  }
  Math.random = usual;
  return [{ times, randoms }, { ids }];
}

const KINDS = { tree, set, query, resolve, sparse, push };

function main([folder, seed, count]) {
  const sdk = load(folder);
  const random = new Random(Number(seed), sdk);
  const lines = [];
  for (let i = 0; i < Number(count); i++) {
    const kind = i % 100 === 0 ? 'push' : random.of(['tree', 'tree', 'set', 'query', 'query', 'resolve', 'sparse']);
    const [question, answer] = KINDS[kind](sdk, random);
    lines.push(JSON.stringify({ question: { kind, ...question }, answer }));
  }
  fs.writeSync(2, `${random.inexact} doubles that the SDK hashes inexactly were left out\n`);
  fs.writeSync(2, `${random.inconsistent} queries whose limit the SDK takes from the wrong end of its own range\n`);
  fs.writeFileSync(1, lines.join('\n') + '\n');
}

main(process.argv.slice(2));
