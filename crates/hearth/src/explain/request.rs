//! `hearth explain --request`: finds a request in the log, has its decisions made again, and says what differs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use access::log::{Event, Reader, texts};
use base::{Clock, SystemClock};
use jiff::tz::TimeZone;

use super::act::{DECISIONS_MAX, ExplainRequest, Explained, Side, Text};
use crate::admin::{Folder, ask, ask_running};
use crate::cli::Explain;
use crate::failure::Failure;
use crate::log::line::Lines;
use crate::paint::{self, Look};
use crate::project::{self, FIRESTORE, Project};
use crate::table::{print_json, print_text};

/// The fewest digits that a request may be named by.
const DIGITS_MIN: usize = 4;

/// Explains a request of the log.
pub async fn run(ask_for: &Explain, id: &str) -> Result<(), Failure> {
    let data = ask_for.data.as_ref().map_or_else(|| PathBuf::from(".hearth"), PathBuf::from);
    let events = find(&data, id).map_err(Failure::usage)?;
    let left_out = events.len().saturating_sub(DECISIONS_MAX);
    let act = ExplainRequest {
        texts: kept(&data, &events)?,
        events,
        file: None,
        color: paint::stdout_has_color() && !ask_for.json,
        columns: Look::stdout().columns,
    };
    let explained = match ask_running(&data, &act).await? {
        Some(explained) => explained,
        None => {
            let folder = Folder { data: data.clone(), project: None, key_file: None };
            let file = project_rules(ask_for.rules.as_deref(), &data)?;
            ask(&folder, ExplainRequest { file, ..act }).await?
        }
    };
    if ask_for.json {
        return print_json(&explained);
    }
    let mut text = String::new();
    for one in &explained {
        push(&mut text, one);
    }
    if left_out > 0 {
        text.push_str(&format!("… and {left_out} more decisions of this request\n"));
    }
    print_text(text.trim_end())
}

/// The lines of a request that is named by its number or the end of it.
fn find(data: &Path, id: &str) -> Result<Vec<Event>, String> {
    let digits = id.strip_prefix('#').unwrap_or(id);
    if digits.len() < DIGITS_MIN || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "`--request {id}` is not the number of a request: take the one at the end of a line of `hearth log`, such as #507312"
        ));
    }
    let mut reader = Reader::open(data).map_err(|error| error.to_string())?;
    let mut found: BTreeMap<u64, Vec<Event>> = BTreeMap::new();
    while let Some(event) =
        reader.next_event().map_err(|error| format!("the access log cannot be read: {error}"))?
    {
        if event.request != 0 && event.request.to_string().ends_with(digits) {
            found.entry(event.request).or_default().push(event);
        }
    }
    let exact = digits.parse().ok().and_then(|number: u64| found.remove(&number));
    match (exact, found.len()) {
        (Some(events), _) => Ok(events),
        (None, 0) => Err(format!(
            "no line of the log in `{}` has request {digits}. Lines leave the log after 5 files of 256 MiB; denials that repeat \
             within a second are counted in one line",
            data.display()
        )),
        (None, 1) => Ok(found.into_values().next().unwrap_or_default()),
        (None, count) => Err(format!(
            "{count} requests end in {digits}: give the whole number, one of {}",
            found.keys().rev().take(5).map(u64::to_string).collect::<Vec<_>>().join(", ")
        )),
    }
}

/// The texts of the rules that the lines name, as far as they are kept.
fn kept(data: &Path, events: &[Event]) -> Result<BTreeMap<String, Text>, String> {
    let mut kept = BTreeMap::new();
    for fingerprint in events.iter().filter_map(|event| event.basis.as_deref()?.rules.as_deref()) {
        let source = texts::read(data, fingerprint)
            .map_err(|error| format!("the texts of past rules cannot be read: {error}"))?;
        if let Some(source) = source {
            let text = Text { name: source.name.to_string(), text: source.text.to_string() };
            kept.insert(fingerprint.to_owned(), text);
        }
    }
    Ok(kept)
}

/// The rules of the project's folder: the one that is named, else that of the data folder, else the nearest above.
fn project_rules(named: Option<&Path>, data: &Path) -> Result<Option<Text>, String> {
    let beside = || data.canonicalize().ok()?.parent().and_then(project::above_of);
    let here = || Path::new(".").canonicalize().ok().and_then(|here| project::above_of(&here));
    let Some(folder) = named.map(Path::to_owned).or_else(beside).or_else(here) else { return Ok(None) };
    let project = Project::read(&folder).map_err(|error| error.to_string())?;
    let Some(file) = project.rules_of(&FIRESTORE).map_err(|error| error.to_string())? else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(&file.path)
        .map_err(|error| format!("`{}` cannot be read: {error}", file.path.display()))?;
    Ok(Some(Text { name: file.shown, text }))
}

fn push(text: &mut String, explained: &Explained) {
    let lines = Lines::new(Look { columns: None, ..Look::stdout() }, TimeZone::system(), SystemClock.now());
    text.push_str(&lines.line(&explained.event));
    text.push_str("\n\nThen\n");
    text.push_str(&explained.then.text);
    let Side { verdict, text: today, .. } = &explained.today;
    // What is the same is said once.
    if today.is_empty() || verdict.is_some() && *today == explained.then.text {
        text.push('\n');
    } else {
        text.push_str("\nToday\n");
        text.push_str(today);
        text.push('\n');
    }
    text.push_str(&explained.difference);
    text.push('\n');
    for note in &explained.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text.push('\n');
}
