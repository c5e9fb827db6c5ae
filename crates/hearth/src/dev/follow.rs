//! What `dev` takes up from the project's folder while it runs: `firebase.json`, the rules and the indexes that it names, and a file of
//! rules that appears. What only a start can change is said.
//!
//! Looks at the files' contents a few times a second instead of asking the system for events: editors replace files in
//! many ways, and this sees them all alike, for next to nothing. A file that is gone for a moment is an editor at work.

use std::path::{Path, PathBuf};
use std::time::Duration;

use access::Gate;
use firestore::query::index::file::IndexFile;

use crate::indexes;
use crate::project::{Project, RulesFile};
use crate::screen::Screen;
use crate::services::{self, Row, RulesOf};
use crate::watch::{self, Guarded};

/// How long an edit may go unseen.
const LOOK_MILLIS: u64 = 200;

/// Puts indexes in force.
pub type LoadIndexes = Box<dyn Fn(IndexFile) + Send>;

/// A project's files as they were read last.
pub struct Followed {
    gate: Gate,
    screen: Screen,
    load_indexes: LoadIndexes,
    folder: PathBuf,
    project: Project,
    config: Option<Vec<u8>>,
    /// `.firebaserc`
    aliases: Option<Vec<u8>>,
    rules: Vec<Followable>,
    indexes: Option<Vec<u8>>,
}

/// The rules of one service: the file that was loaded, and its text.
struct Followable {
    rules: &'static RulesOf,
    part: Option<String>,
    seen: Option<(RulesFile, Vec<u8>)>,
}

impl Followed {
    /// Begins from what was loaded at the start: an edit made meanwhile counts.
    pub fn new(
        gate: Gate,
        screen: Screen,
        project: Project,
        guarded: Vec<Guarded>,
        load_indexes: LoadIndexes,
    ) -> Self {
        let folder = project.folder().to_owned();
        let followable = |Guarded { rules, part, file, loaded }: Guarded| {
            let text = loaded.map(|loaded| loaded.source.text.as_bytes().to_vec());
            Followable { rules, part, seen: file.zip(text) }
        };
        let mut followed = Self {
            gate,
            screen,
            load_indexes,
            config: read(&folder.join("firebase.json")),
            aliases: read(&folder.join(".firebaserc")),
            rules: guarded.into_iter().map(followable).collect(),
            indexes: None,
            folder,
            project,
        };
        followed.indexes = read(&followed.index_path());
        followed
    }

    /// Follows until the process ends.
    pub async fn run(mut self) {
        loop {
            tokio::time::sleep(Duration::from_millis(LOOK_MILLIS)).await;
            self.look();
        }
    }

    fn look(&mut self) {
        let config = read(&self.folder.join("firebase.json"));
        if config.is_some() && config != self.config {
            self.config = config;
            self.take_up_config();
        }
        let aliases = read(&self.folder.join(".firebaserc"));
        if aliases.is_some() && aliases != self.aliases {
            self.aliases = aliases;
            self.screen.warn(".firebaserc has changed: the project's id counts from the next start");
        }
        let indexes = read(&self.index_path());
        if indexes.is_some() && indexes != self.indexes {
            self.indexes = indexes;
            self.take_up_indexes();
        }
        for at in &mut self.rules {
            // A name that leads nowhere was reported when it was written.
            let part = at.part.as_deref();
            let Ok(Some(file)) = self.project.rules_for(at.rules.kind, part) else { continue };
            let Some(text) = read(&file.path) else { continue };
            let is_seen =
                at.seen.as_ref().is_some_and(|(seen, before)| seen.path == file.path && *before == text);
            if is_seen {
                continue;
            }
            match watch::load(&self.gate, at.rules, part, &file) {
                Ok(loaded) => self.screen.reloaded(&loaded),
                Err(error) => self.screen.warn(&format!(
                    "{} cannot be read, the last good rules stay in force: {error}",
                    file.shown
                )),
            }
            at.seen = Some((file, text));
        }
    }

    /// Takes up an edit of `firebase.json` as far as that goes, and says what waits for the next start.
    fn take_up_config(&mut self) {
        let after = match Project::read(&self.folder) {
            Ok(after) => after,
            Err(error) => return self.screen.warn(&format!("{error}; what was read before still counts")),
        };
        for line in changes(&self.project, &after) {
            self.screen.warn(&line);
        }
        for at in &self.rules {
            match after.rules_for(at.rules.kind, at.part.as_deref()) {
                Err(error) => self.screen.warn(&format!("{error}; the rules in force stay")),
                // Nothing becomes open because of a key that is gone.
                Ok(None) if at.seen.is_some() => self.screen.warn(&format!(
                    "firebase.json names no rules for {} any more: those in force stay until the next start",
                    at.rules.kind.key
                )),
                Ok(_) => {}
            }
        }
        self.project = after;
        self.screen.say("firebase.json reloaded");
    }

    fn take_up_indexes(&self) {
        match indexes::read(&self.index_path()) {
            Ok(Some((file, warnings))) => {
                warnings.iter().for_each(|warning| self.screen.warn(warning));
                (self.load_indexes)(file);
                self.screen.say(&format!("{} reloaded", self.index_path().display()));
            }
            Ok(None) => {}
            Err(error) => self.screen.warn(&format!("the indexes stay as they are: {error}")),
        }
    }

    fn index_path(&self) -> PathBuf {
        self.folder.join(self.project.indexes.as_deref().unwrap_or(indexes::FILE_NAME))
    }
}

/// What an edit of `firebase.json` says that only a start can do, and what is wrong with it.
fn changes(before: &Project, after: &Project) -> Vec<String> {
    let mut lines: Vec<String> =
        after.notes.iter().filter(|note| !before.notes.contains(note)).cloned().collect();
    for (row, _) in Row::listening() {
        let (was, is) = (before.port(row.name), after.port(row.name));
        if was != is {
            let is = is.map_or_else(|| "gone".to_owned(), |port| format!("{port} now"));
            lines.push(format!("`emulators.{}.port` is {is}: that counts from the next start", row.name));
        }
    }
    let missing =
        services::not_served(after).filter(|missing| services::not_served(before).as_ref() != Some(missing));
    lines.extend(missing);
    lines
}

fn read(path: &Path) -> Option<Vec<u8>> {
    std::fs::read(path).ok()
}
