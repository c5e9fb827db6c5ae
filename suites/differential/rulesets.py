"""The rulesets that are tried: a name, and what stands inside `match /databases/{database}/documents`.

Each is asked the same questions by the same callers (questions.py). Add one by adding an entry.
"""

RULESETS = {
    "closed": "match /{path=**} { allow read, write: if false; }",
    "open": "match /{path=**} { allow read, write; }",
    "nothing matches": "match /other/{id} { allow read, write; }",
    "signed in": "match /items/{id} { allow read, write: if request.auth != null; }",
    "verbs apart": """
match /items/{id} {
  allow get: if true;
  allow list: if false;
  allow create: if request.auth != null;
  allow update, delete: if request.auth.uid == 'alice';
}""",
    "owner": """
match /items/{id} {
  allow read: if resource.data.owner == request.auth.uid;
  allow create: if request.resource.data.owner == request.auth.uid;
  allow update: if resource.data.owner == request.auth.uid && request.resource.data.owner == resource.data.owner;
  allow delete: if resource.data.owner == request.auth.uid;
}""",
    "claim, article's text": """
match /items/{id} {
  allow read: if request.auth != null;
  allow write: if request.auth.token.moderator == true;
}""",
    "claim with get()": "match /items/{id} { allow read, write: if request.auth.token.get('role', 'none') == 'editor'; }",
    "claim with in": "match /items/{id} { allow read, write: if 'role' in request.auth.token && request.auth.token.role == 'editor'; }",
    "exists() on a claim, article's text": """
function isPartner() {
    return (exists(request.auth.token.role) && request.auth.token.role == 'partner');
}
match /items/{id} {
    allow create: if isPartner();
    allow read: if isPartner();
    allow update: if false;
    allow delete: if false;
}""",
    "several allows": """
match /items/{id} {
  allow read: if request.auth.uid == 'nobody';
  allow read: if resource.data.public;
  allow read: if resource.data.missing == 1;
  allow write: if request.auth.uid == 'bob';
  allow create: if request.resource.data.score < 5;
}""",
    "errors in or": "match /items/{id} { allow read: if resource.data.nope == 1 || resource.data.public == true; }",
    "errors in and": "match /items/{id} { allow read: if resource.data.nope == 1 && resource.data.public == true; }",
    "error negated": "match /items/{id} { allow read: if !(resource.data.nope == 1); }",
    "types": """
match /items/{id} {
  allow read: if resource.data.score is int;
  allow write: if request.resource.data.score is number && request.resource.data.tags is list;
}""",
    "keys": """
match /items/{id} {
  allow read;
  allow create: if request.resource.data.keys().hasAll(['owner', 'score'])
    && request.resource.data.keys().hasOnly(['owner', 'score', 'public', 'tags']);
  allow update: if request.resource.data.diff(resource.data).affectedKeys().hasOnly(['score']);
}""",
    "sets and lists": """
match /items/{id} {
  allow read: if 'red' in resource.data.tags;
  allow write: if request.resource.data.tags.toSet().difference(['red', 'blue'].toSet()).size() == 0;
}""",
    "strings": """
match /items/{id} {
  allow get: if resource.data.owner.matches('al.*') && resource.data.owner.size() == 5;
  allow list: if 'alice'.upper() == 'ALICE';
  allow create: if request.resource.data.owner.split(',')[0].trim() == 'alice';
  allow update: if request.resource.data.owner + '!' == 'alice!';
}""",
    "numbers": """
match /items/{id} {
  allow get: if resource.data.score * 2 + 1 > 14 && resource.data.score % 2 == 1;
  allow create: if request.resource.data.score / 2 >= 1;
  allow update: if math.abs(request.resource.data.score) == math.floor(7.9);
  allow delete: if resource.data.score / 0 == 1;
}""",
    "time": """
match /items/{id} {
  allow get: if request.time > timestamp.date(2020, 1, 1) && resource.data.at < request.time;
  allow create: if request.time.year() >= 2024;
  allow update: if request.resource.data.at == request.time;
  allow delete: if resource.data.at + duration.value(1, 'h') < request.time;
}""",
    "wildcard is bound": "match /items/{id} { allow read, write: if id == 'a' || request.auth.uid == id; }",
    "ternary and let": """
function level(user) {
  let none = 0;
  return user != null ? user.token.get('level', none) : none;
}
match /items/{id} { allow read: if level(request.auth) > 5; allow write: if level(request.auth) >= 7; }""",
    "get() of another": """
match /items/{id} {
  allow read: if get(/databases/$(database)/documents/people/$(request.auth.uid)).data.rank > 1;
  allow write: if exists(/databases/$(database)/documents/people/$(request.auth.uid));
}""",
    "get() of what is not there": """
match /items/{id} {
  allow read: if get(/databases/$(database)/documents/people/nobody).data.rank > 1;
  allow write: if get(/databases/$(database)/documents/people/nobody) == null;
}""",
    "get() by a field": """
match /items/{id} { allow read: if get(/databases/$(database)/documents/people/$(resource.data.owner)).data.rank > 1; }""",
    "getAfter": """
match /items/{id} {
  allow write: if getAfter(/databases/$(database)/documents/items/$(id)).data.score == 7;
}""",
    "query: limit": "match /items/{id} { allow list: if request.query.limit <= 2; allow get: if false; }",
    "query: a range proves a range": "match /items/{id} { allow list: if resource.data.score > 4; }",
    "query: either": "match /items/{id} { allow list: if resource.data.public == true || resource.data.owner == request.auth.uid; }",
    "query: in a list": "match /items/{id} { allow list: if resource.data.owner in ['alice', 'bob']; }",
    "query: array-contains": "match /items/{id} { allow list: if 'red' in resource.data.tags; }",
    "nested and recursive": """
match /items/{id} {
  allow read: if false;
  match /sub/{name} { allow read: if id == 'a'; allow write: if name == 'x'; }
}""",
    "collection group": "match /{path=**}/sub/{name} { allow read: if request.auth != null; }",
    "recursive under": "match /items/{rest=**} { allow read: if rest[0] == 'a'; allow write: if request.auth.uid == 'alice'; }",
    "overlapping matches": """
match /items/{id} { allow read: if false; allow write: if request.auth.uid == 'alice'; }
match /items/a { allow read: if true; allow write: if false; }""",
    "not a boolean": "match /items/{id} { allow read: if resource.data.score; allow write: if 'yes'; }",
    "null is not missing": "match /items/{id} { allow read: if resource.data.nothing == null; allow write: if request.resource.data.nothing == null; }",
    "resource of nothing": "match /items/{id} { allow get: if resource == null; allow write: if resource == null; }",
    "functions call functions": """
function signedIn() { return request.auth != null; }
function isUser(uid) { return signedIn() && request.auth.uid == uid; }
match /items/{id} {
  function mine() { return isUser(resource.data.owner); }
  allow read: if mine() || isUser('bob');
  allow write: if isUser('alice');
}""",
    "map access": """
match /items/{id} {
  allow get: if resource.data['owner'] == 'alice' && resource.data.get('nope', 'x') == 'x' && resource.data.get(['deep', 'er'], 1) == 2;
  allow update: if request.resource.data.deep.er == resource.data.deep.er;
}""",
}
