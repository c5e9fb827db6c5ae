//! Reads a markdown file of cases: its sections, and what in it cannot be read.

use std::sync::Arc;

use base::{Fields, Timestamp, Value};
use policy::syntax::nearest;
use serde_json::Value as Json;

use super::markdown::{Block, blocks};
use super::value::{fields, value};
use super::{Case, Check, Expected, Problem, Rules, Section, World, Written, database};
use crate::Language;

/// The first words of blocks that mean something here.
const WORDS: &[&str] = &["rules", "bolt", "cel", "cases", "diagnostics", "upload", "explain", "time"];

/// Reads a file.
pub fn read(file: &str, markdown: &str) -> (Vec<Section>, Vec<Problem>) {
    let world = Arc::new(World::default());
    let shared = Arc::clone(&world);
    let mut reader = Reader { file, markdown, sections: Vec::new(), problems: Vec::new(), world, shared };
    for block in blocks(markdown) {
        if let Err(reason) = reader.block(&block) {
            reader.problems.push(Problem { file: file.to_owned(), line: block.line, reason });
        }
    }
    (reader.sections, reader.problems)
}

struct Reader<'t> {
    file: &'t str,
    markdown: &'t str,
    sections: Vec<Section>,
    problems: Vec<Problem>,
    world: Arc<World>,
    /// What stands before the first section: it is there for all.
    shared: Arc<World>,
}

impl Reader<'_> {
    fn block(&mut self, block: &Block) -> Result<(), String> {
        let (first, rest) = block.info.split_once(' ').unwrap_or((&block.info, ""));
        let (text, rest) = (block.text(self.markdown), rest.trim());
        if !block.closed && (WORDS.contains(&first) || first == "json") {
            return Err("this block is never closed".to_owned());
        }
        match (first, rest) {
            ("rules", _) => self.begin(block, rules(block, rest, text)?),
            ("json", "rules") => self.begin(block, here(block, Language::Realtime, text.to_owned(), 0)),
            ("json", "inner") => {
                let whole = format!("{{\"rules\": {{\n{text}}}}}");
                self.begin(block, here(block, Language::Realtime, whole, 1));
            }
            ("bolt", "") => self.begin(block, here(block, Language::Bolt, text.to_owned(), 0)),
            ("cel", place) => {
                let variables = text.lines().filter(|line| !line.trim().is_empty()).map(variable);
                let variables = variables.collect::<Result<_, _>>()?;
                self.begin(block, Rules::Expressions { place: place.to_owned(), variables });
            }
            ("json", kind) if !kind.is_empty() => world_block(Arc::make_mut(&mut self.world), kind, text)?,
            ("time", "") => {
                let time = Timestamp::parse(text.trim());
                Arc::make_mut(&mut self.world).time = time
                    .map_err(|_| format!("`{}` is not a time such as 2026-01-02T03:04:05Z", text.trim()))?;
            }
            ("cases", user) => self.cases(block, user)?,
            ("diagnostics" | "upload", "") => {
                let expected = block.lines(self.markdown).map(str::to_owned).collect();
                let line = block.line + 1;
                let check = if first == "upload" {
                    Check::Upload { line, expected }
                } else {
                    Check::Diagnostics { line, expected }
                };
                self.section()?.checks.push(check);
            }
            ("explain", "") => self.explanation(block)?,
            (word, _) if WORDS.contains(&word) => {
                return Err(format!("`{}` is no kind of block", block.info));
            }
            (word, _) => {
                if let Some(near) = nearest(word, WORDS.iter().copied())
                    .filter(|near| near.len().abs_diff(word.len()) < 2 && word.len() > 2)
                    && near.starts_with(word.get(..1).unwrap_or_default())
                {
                    return Err(format!("`{word}` is no kind of block: did you mean `{near}`?"));
                }
            }
        }
        Ok(())
    }

    /// Begins a section. What there is starts empty again, except what stands before the first section.
    fn begin(&mut self, block: &Block, rules: Rules) {
        if self.sections.is_empty() {
            self.shared = Arc::clone(&self.world);
        }
        self.world = Arc::clone(&self.shared);
        let file = self.file.to_owned();
        self.sections.push(Section { file, line: block.line, rules, checks: Vec::new() });
    }

    fn section(&mut self) -> Result<&mut Section, String> {
        self.sections.last_mut().ok_or_else(|| "no block of rules stands before this one".to_owned())
    }

    fn cases(&mut self, block: &Block, user: &str) -> Result<(), String> {
        if self.sections.is_empty() {
            // Cases for the rules of the project.
            self.begin(block, Rules::Project(None));
        }
        let user = match user.strip_prefix("as ") {
            Some(user) => Some(user.trim().to_owned()).filter(|user| user != "nobody"),
            None if user.is_empty() => None,
            None => {
                return Err(format!("`cases {user}` is no kind of block: it is `cases` or `cases as NAME`"));
            }
        };
        if self.world.user != user {
            Arc::make_mut(&mut self.world).user = user;
        }
        for (index, text) in
            block.lines(self.markdown).enumerate().filter(|(_, line)| !line.trim().is_empty())
        {
            let line = block.line + 1 + index;
            let world = Arc::clone(&self.world);
            match case(text) {
                Ok((request, expected)) => {
                    let check = Check::Case(Case { line, request, expected, world });
                    self.section()?.checks.push(check);
                }
                Err(reason) => self.problems.push(Problem { file: self.file.to_owned(), line, reason }),
            }
        }
        Ok(())
    }

    fn explanation(&mut self, block: &Block) -> Result<(), String> {
        let expected = block.lines(self.markdown).map(str::to_owned).collect();
        let section = self.section()?;
        let case = section.checks.iter().rev().find_map(|check| match check {
            Check::Case(case) => Some(case.clone()),
            _ => None,
        });
        let case = case.ok_or("no case stands before this explanation")?;
        section.checks.push(Check::Explanation { line: block.line + 1, expected, case });
        Ok(())
    }
}

fn here(block: &Block, language: Language, text: String, lines_before: u32) -> Rules {
    Rules::Here(Written { language, text, lines_before, line: block.line + 1 })
}

/// `rules`, `rules storage`, `rules file=firestore.rules`, `rules project`, `rules project storage`.
fn rules(block: &Block, rest: &str, text: &str) -> Result<Rules, String> {
    let empty = |rules: Rules| {
        let blank = text.trim().is_empty();
        if blank { Ok(rules) } else { Err("this block names its rules: nothing may stand in it".to_owned()) }
    };
    if let Some(file) = rest.strip_prefix("file=") {
        return empty(Rules::File(file.to_owned()));
    }
    if let Some(of) = rest.strip_prefix("project") {
        let language = match of.trim() {
            "" => None,
            "firestore" => Some(Language::Firestore),
            "storage" => Some(Language::Storage),
            "realtime" => Some(Language::Realtime),
            "bolt" => Some(Language::Bolt),
            other => {
                return Err(format!(
                    "`{other}` is no language of a project: it is firestore, storage, realtime or bolt"
                ));
            }
        };
        return empty(Rules::Project(language));
    }
    let (language, root) = match rest {
        "" => (Language::Firestore, "service cloud.firestore { match /databases/{database}/documents {"),
        "storage" => (Language::Storage, "service firebase.storage { match /b/{bucket}/o {"),
        other => {
            return Err(format!(
                "`rules {other}` is no kind of block: it is rules, rules storage, rules file=NAME or rules project"
            ));
        }
    };
    let whole =
        ["service cloud.", "service firebase.", "rules_version"].iter().any(|sign| text.contains(sign));
    if whole {
        return Ok(here(block, language, text.to_owned(), 0));
    }
    Ok(here(block, language, format!("rules_version = '2'; {root}\n{text}}}}}"), 1))
}

/// `name: Type`
fn variable(line: &str) -> Result<(String, String), String> {
    let (name, of) =
        line.split_once(':').ok_or_else(|| format!("`{line}` is not of the form `name: Type`"))?;
    Ok((name.trim().trim_start_matches('$').to_owned(), of.trim().to_owned()))
}

/// Takes a block of JSON into the world: `users`, `documents`, `objects`, `data`, `vars`, `this` or `response`.
pub fn world_block(world: &mut World, kind: &str, text: &str) -> Result<(), String> {
    let json: Json = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    match kind {
        "users" => world.users = maps(&json)?,
        "documents" => world.documents = paths(&json)?,
        "objects" => world.objects = paths(&json)?,
        "data" => world.data = database::tree(&json)?,
        "vars" => world.vars = value(&json)?,
        "this" => world.this = value(&json)?,
        "response" => world.response = value(&json)?,
        other => {
            return Err(format!(
                "`json {other}` is no kind of block: it is rules, inner, users, documents, objects, data, vars, this or response"
            ));
        }
    }
    Ok(())
}

fn maps(json: &Json) -> Result<Fields, String> {
    let found = fields(json)?;
    match found.iter().find(|(_, value)| !matches!(value, Value::Map(_))) {
        Some((name, _)) => Err(format!("`{name}` has no object")),
        None => Ok(found),
    }
}

fn paths(json: &Json) -> Result<Fields, String> {
    let found = maps(json)?;
    match found.keys().find(|path| !path.starts_with('/')) {
        Some(path) => Err(format!("`{path}` is not a path: it starts with `/`")),
        None => Ok(found),
    }
}

/// `request -> outcome`
fn case(line: &str) -> Result<(String, Expected), String> {
    let (request, expected) = line.rsplit_once("->").ok_or("this is not of the form `request -> outcome`")?;
    let expected = expected.trim();
    let expected = match expected.split_once(": ") {
        None if expected == "allow" => Expected::Allow,
        None if expected == "deny" => Expected::Deny(None),
        Some(("allow", "literally")) => Expected::AllowLiterally,
        Some(("deny", reason)) => Expected::Deny(Some(reason.to_owned())),
        _ => Expected::Value(expected.to_owned()),
    };
    Ok((request.trim().to_owned(), expected))
}
