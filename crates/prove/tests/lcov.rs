//! Coverage as a tracefile.

use policy::{Coverage, Source};
use prove::cases::{Policy, World, world_block};
use prove::{Language, lcov};

const RULES: &str = "rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    function isOwner(data) {
      let uid = request.auth.uid;
      return uid == data.owner;
    }
    match /notes/{id} {
      allow get: if false;
      allow read: if request.auth != null && isOwner(resource.data);
      allow create: if 'ü😀'.size() == 2 && id != null;
    }
    match /open/{id} { allow read; }
  }
}
";

#[test]
fn the_tracefile_counts_lines_branches_and_functions() {
    let expected = "TN:
SF:firestore.rules
FN:6,isOwner
FNDA:3,isOwner
FNF:1
FNH:1
BRDA:10,0,0,1
BRDA:10,0,1,3
BRDA:10,1,0,3
BRDA:10,1,1,1
BRDA:10,2,0,1
BRDA:10,2,1,2
BRDA:11,3,0,-
BRDA:11,3,1,-
BRDA:11,4,0,-
BRDA:11,4,1,-
BRDA:11,5,0,-
BRDA:11,5,1,-
BRF:12
BRH:6
DA:5,3
DA:6,3
DA:9,4
DA:10,4
DA:11,0
DA:13,0
LF:6
LH:4
end_of_record
";
    let policy = Policy::compile(Source::new("firestore.rules", RULES), Language::Firestore).unwrap();
    let mut coverage = Coverage::new(policy.ruleset().unwrap().sites());
    let nothing = lcov(&coverage);
    assert!(nothing.lines().filter(|line| line.starts_with("DA:")).all(|line| line.ends_with(",0")));
    let mut world = World::default();
    world_block(&mut world, "documents", r#"{"/notes/1": {"owner": "bob"}, "/notes/2": {}}"#).unwrap();
    for (request, verdict) in [
        ("bob get /notes/1", "allow"),
        ("eve get /notes/1", "deny"),
        ("bob get /notes/2", "deny"),
        ("nobody get /notes/1", "deny"),
    ] {
        let answer = policy.ask(request, &world).unwrap();
        assert_eq!(answer.outcome, verdict, "{request}");
        coverage.add(&answer.trace);
    }
    assert_eq!(lcov(&coverage), expected);
}
