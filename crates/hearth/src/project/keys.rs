//! What every key of `firebase.json` is to Hearth. A key is honoured, belongs to a service or a tool that Hearth does not
//! have, or is a mistake: none passes silently.
//!
//! Source: the schema of firebase-tools 14 (`schema/firebase-config.json`).

use super::jsonc;

/// A key that is known. `docs/firebase-json.md` says what becomes of it.
struct Key {
    name: &'static str,
    /// The whole section is about a service: [`super::Project::configured`] says so.
    is_service: bool,
    /// The keys inside, where they are looked at.
    inside: Option<&'static [Key]>,
}

const fn known(name: &'static str) -> Key {
    Key { name, is_service: false, inside: None }
}

const fn service(name: &'static str, inside: Option<&'static [Key]>) -> Key {
    Key { name, is_service: true, inside }
}

const PREDEPLOY: Key = known("predeploy");
const POSTDEPLOY: Key = known("postdeploy");

static FIRESTORE: [Key; 9] = [
    known("rules"),
    known("indexes"),
    known("database"),
    known("target"),
    known("location"),
    known("edition"),
    known("dataAccessMode"),
    PREDEPLOY,
    POSTDEPLOY,
];
static STORAGE: [Key; 5] = [known("rules"), known("bucket"), known("target"), PREDEPLOY, POSTDEPLOY];
static DATABASE: [Key; 5] = [known("rules"), known("instance"), known("target"), PREDEPLOY, POSTDEPLOY];
/// Of an emulator with a socket.
static SOCKET: [Key; 3] = [known("host"), known("port"), known("enabled")];
static FIRESTORE_SOCKET: [Key; 4] = [known("host"), known("port"), known("enabled"), known("websocketPort")];
static EMULATORS: [Key; 15] = [
    service("auth", Some(&SOCKET)),
    service("firestore", Some(&FIRESTORE_SOCKET)),
    service("database", Some(&SOCKET)),
    service("storage", Some(&SOCKET)),
    service("apphosting", None),
    service("dataconnect", None),
    service("eventarc", None),
    service("extensions", None),
    service("functions", None),
    service("hosting", None),
    service("pubsub", None),
    service("tasks", None),
    service("ui", None),
    known("hub"),
    known("logging"),
];
static FILE: [Key; 12] = [
    known("$schema"),
    service("apphosting", None),
    service("auth", None),
    service("database", Some(&DATABASE)),
    service("dataconnect", None),
    service("extensions", None),
    service("firestore", Some(&FIRESTORE)),
    service("functions", None),
    service("hosting", None),
    service("remoteconfig", None),
    service("storage", Some(&STORAGE)),
    Key { name: "emulators", is_service: false, inside: Some(&EMULATORS) },
];
/// `emulators.singleProjectMode`
static SINGLE_PROJECT: Key = known("singleProjectMode");

/// A key that nothing reads.
#[derive(Debug, PartialEq, Eq)]
pub struct Unknown {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// As `firestore.rule`.
    pub path: String,
    /// The key that may be meant.
    pub nearest: Option<&'static str>,
}

impl std::fmt::Display for Unknown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, column, path, nearest } = self;
        write!(
            f,
            "firebase.json:{line}:{column}: `{path}` is not a key of firebase.json, so it does nothing"
        )?;
        match nearest {
            Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
            None => Ok(()),
        }
    }
}

/// The keys of a file that nothing reads, and the services that it configures, each once.
pub fn read(text: &str) -> (Vec<Unknown>, Vec<String>) {
    let plain = jsonc::plain(text);
    let (mut unknown, mut configured) = (Vec::new(), Vec::<String>::new());
    for Found { path, offset, is_off } in keys(&plain) {
        let Some((name, above)) = path.split_last() else { continue };
        let Some(known) = known_at(above) else { continue };
        match known.clone().find(|key| key.name == *name) {
            Some(key) if key.is_service && !is_off => {
                if !configured.contains(name) {
                    configured.push(name.clone());
                }
            }
            Some(_) => {}
            None => {
                let before = plain.get(..offset).unwrap_or_default();
                let line_start = before.rfind('\n').map_or(0, |at| at + 1);
                unknown.push(Unknown {
                    line: before.matches('\n').count() + 1,
                    column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
                    path: path.join("."),
                    nearest: nearest(name, known.map(|key| key.name)),
                });
            }
        }
    }
    (unknown, configured)
}

/// The keys that may stand there; `None` where Hearth does not look.
fn known_at(above: &[String]) -> Option<impl Iterator<Item = &'static Key> + Clone> {
    let mut known: &'static [Key] = &FILE;
    for name in above {
        known = known.iter().find(|key| key.name == *name)?.inside?;
    }
    let is_emulators = above.first().is_some_and(|name| name == "emulators") && above.len() == 1;
    Some(known.iter().chain(is_emulators.then_some(&SINGLE_PROJECT)))
}

fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let distance = |other: &str| strsim::damerau_levenshtein(&name.to_lowercase(), &other.to_lowercase());
    let near = known.map(|other| (distance(other), other)).min()?;
    (near.0 <= 1 + name.chars().count() / 4).then_some(near.1)
}

/// A key of an object, in the order of the file.
struct Found {
    /// The keys that lead to it, and itself. Items of lists have none.
    path: Vec<String>,
    offset: usize,
    /// `null`, or an object with `"enabled": false`.
    is_off: bool,
}

/// Walks valid JSON; of anything else it finds what it can.
fn keys(plain: &str) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    // For each open object or list, how long the path is outside of it and which key it is the value of.
    let (mut path, mut open): (Vec<String>, Vec<(usize, Option<usize>)>) = (Vec::new(), Vec::new());
    let mut last_key: Option<usize> = None;
    let mut rest = plain;
    while let Some(first) = rest.chars().next() {
        let offset = plain.len() - rest.len();
        let mut length = first.len_utf8();
        match first {
            '"' => {
                length = text_length(rest);
                let after = rest.get(length..).unwrap_or_default().trim_start();
                if after.starts_with(':') {
                    let depth = open.last().map_or(0, |(depth, _)| *depth);
                    path.truncate(depth);
                    let text = rest.get(..length).and_then(|text| serde_json::from_str(text).ok());
                    path.push(text.unwrap_or_default());
                    let value = after.get(1..).unwrap_or_default().trim_start();
                    let is_false =
                        value.starts_with("false") && path.last().is_some_and(|key| key == "enabled");
                    if let Some(owner) = open.last().and_then(|(_, owner)| found.get_mut((*owner)?)) {
                        owner.is_off |= is_false;
                    }
                    last_key = Some(found.len());
                    found.push(Found { path: path.clone(), offset, is_off: value.starts_with("null") });
                }
            }
            '{' => open.push((path.len(), last_key)),
            // An item of a list belongs to the list's key.
            '[' => open.push((path.len(), None)),
            '}' | ']' => {
                if let Some((depth, _)) = open.pop() {
                    path.truncate(depth);
                }
            }
            _ => {}
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    found
}

/// The length of the text that begins here, with its quotes.
fn text_length(rest: &str) -> usize {
    let mut escaped = false;
    for (index, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return index + 1,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(text: &str) -> Vec<String> {
        read(text).0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_mistake_is_told_with_its_place_and_the_key_that_may_be_meant() {
        let text = "{\n  \"firestor\": {},\n  \"firestore\": [{\"rule\": \"a\", \"rules\": \"b\"}],\n  \"emulators\": {\"auth\": {\"prot\": 1}, \"fires\": {}}\n}";
        assert_eq!(
            unknown(text),
            [
                "firebase.json:2:3: `firestor` is not a key of firebase.json, so it does nothing; did you mean `firestore`?",
                "firebase.json:3:18: `firestore.rule` is not a key of firebase.json, so it does nothing; did you mean `rules`?",
                "firebase.json:4:26: `emulators.auth.prot` is not a key of firebase.json, so it does nothing; did you mean `port`?",
                "firebase.json:4:38: `emulators.fires` is not a key of firebase.json, so it does nothing",
            ]
        );
    }

    #[test]
    fn what_is_inside_of_services_that_are_not_here_is_nobody_s_business() {
        let text = r#"{"hosting": {"rewrites": [{"source": "**"}]}, "functions": [{"codebase": "a\"{"}], /* x */ "emulators":
            {"singleProjectMode": true, "ui": {"enabled": false}, "pubsub": null, "hub": {"port": 1}, "tasks": {},}}"#;
        assert_eq!(unknown(text), Vec::<String>::new());
        assert_eq!(read(text).1, ["hosting", "functions", "tasks"]);
    }

    #[test]
    fn what_is_no_json_ends() {
        for text in ["", "{", "\"", "{\"a\\", "[{\"a\":", "}}]]{\"a\": \"", "é\"é\":"] {
            let _ = read(text);
        }
    }
}
