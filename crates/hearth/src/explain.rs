//! `hearth explain`: what becomes of one request, and why.

mod act;
mod operation;
pub mod request;
mod verdict;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use base::Timestamp;
use policy::Source;
use prove::Language;
use prove::cases::{Explanation, Policy, Refused, World, world_block};
use serde_json::json;

use crate::cli::Explain;
use crate::paint::{self, Look};
use crate::texts;

pub use act::ExplainRequest;

/// Explains; the code is 1 when the rules do not compile. Allowed or denied makes no difference to it.
pub fn run(ask: &Explain) -> Result<ExitCode, String> {
    let language = ask.language.map(crate::cli::LanguageName::language);
    let Some(rules_given) = &ask.rules else {
        return Err(
            "give a file of rules or a project's folder, and a request such as \"alice get /rooms/1\""
                .to_owned(),
        );
    };
    let given = rules_given.to_string_lossy();
    // An expression may begin with a minus; a file hardly ever does.
    if given.starts_with('-')
        && !(language == Some(Language::Cel) && ask.request.is_none())
        && !rules_given.exists()
    {
        return Err(format!("there is no flag `{given}`: `hearth explain --help` lists them"));
    }
    let world = world(ask)?;
    if let Some((user, name)) = ask.request.as_deref().and_then(operation::read) {
        let variables = object(ask.vars.as_deref(), "vars")?;
        let response = object(ask.response.as_deref(), "response")?;
        let call = operation::Call { user, name, variables, response, world };
        return operation::run(rules_given, &call, ask.json);
    }
    let (source, language, request) = match (&ask.request, language) {
        (None, Some(Language::Cel)) => {
            let expression = rules_given.to_str().ok_or("the expression is not UTF-8 text")?;
            (Source::new("expression", ""), Language::Cel, expression.to_owned())
        }
        (None, _) => {
            return Err(
                "a request is missing, such as \"alice get /rooms/1\"; with --language cel the expression \
                        stands alone"
                    .to_owned(),
            );
        }
        (Some(request), _) => {
            let (source, language) = rules(rules_given, language, request)?;
            (source, language, request.clone())
        }
    };
    let policy = match Policy::compile(source, language) {
        Ok(policy) => policy,
        Err(refused) => {
            if ask.json {
                return Ok(refused_as_json(&refused));
            }
            let shown = paint::findings(&refused.text, &refused.diagnostics, Look::stderr());
            let _ = std::io::stderr().lock().write_all(shown.as_bytes());
            return Ok(ExitCode::FAILURE);
        }
    };
    let answer = policy.ask(&request, &world)?;
    let explanation = Explanation::new(&policy, &answer);
    let out = if ask.json {
        format!("{:#}\n", explanation.json())
    } else {
        explanation.within(Look::stdout().columns).text(paint::stdout_has_color())
    };
    let _ = std::io::stdout().lock().write_all(out.as_bytes());
    Ok(ExitCode::SUCCESS)
}

/// Rules that do not compile, for tools: the error, and each of its reasons with its place.
fn refused_as_json(refused: &Refused) -> ExitCode {
    let findings: Vec<_> = refused.diagnostics.iter().map(|found| found.report(&refused.text)).collect();
    let error = json!({ "message": "the rules do not compile", "code": 1 });
    let _ = writeln!(std::io::stdout().lock(), "{}", json!({ "error": error, "findings": findings }));
    ExitCode::FAILURE
}

/// The rules of a file, or those of a project that the request can be about.
fn rules(path: &Path, language: Option<Language>, request: &str) -> Result<(Source, Language), String> {
    let texts =
        if path.is_dir() { texts::of_project(path) } else { texts::find(&[path.to_owned()], language) };
    let texts = texts.map_err(|error| error.to_string())?;
    let verb = request.split_whitespace().nth(1).unwrap_or_default();
    let is_database =
        ["read", "write"].contains(&verb) || (verb == "update" && texts.iter().all(is_of_database));
    let fits = |text: &&texts::Text| match language {
        Some(language) => text.language == language,
        None => is_of_database(text) == is_database && text.language != Language::Cel,
    };
    // Documents have many rules, and only a reader knows which are meant.
    let mut found = texts.iter().filter(|text| text.snippet.is_none()).filter(fits);
    match (found.next(), texts.len()) {
        (Some(text), _) => Ok((text.compiled.clone(), text.language)),
        (None, 1) => texts
            .first()
            .filter(|text| text.snippet.is_none())
            .map(|text| (text.compiled.clone(), text.language))
            .ok_or_else(|| format!("`{}` is a document: give a file that is rules", path.display())),
        (None, _) => Err(format!("`{}` has no rules for `{request}`", path.display())),
    }
}

fn is_of_database(text: &texts::Text) -> bool {
    matches!(text.language, Language::Realtime | Language::Bolt)
}

/// A flag's JSON object; nothing without the flag.
fn object(argument: Option<&str>, flag: &str) -> Result<serde_json::Map<String, serde_json::Value>, String> {
    let Some(argument) = argument else { return Ok(serde_json::Map::new()) };
    match serde_json::from_str(&text_of(argument)?) {
        Ok(serde_json::Value::Object(object)) => Ok(object),
        Ok(other) => Err(format!("--{flag}: `{other}` is not an object")),
        Err(error) => Err(format!("--{flag}: {error}")),
    }
}

/// A flag's text: either JSON itself or the file that has it.
fn text_of(argument: &str) -> Result<String, String> {
    let is_json = argument.trim_start().starts_with(['{', '[', '"'])
        || serde_json::from_str::<serde_json::Value>(argument).is_ok();
    if is_json {
        return Ok(argument.to_owned());
    }
    Ok(texts::read(Path::new(argument)).map_err(|error| error.to_string())?.text.to_string())
}

/// What there is, from the flags.
fn world(ask: &Explain) -> Result<World, String> {
    let mut world = World { user: ask.user.clone(), ..World::default() };
    let given = [
        ("users", &ask.users),
        ("documents", &ask.documents),
        ("objects", &ask.objects),
        ("data", &ask.data),
        ("vars", &ask.vars),
        ("this", &ask.this),
        ("response", &ask.response),
    ];
    for (kind, argument) in given {
        let Some(argument) = argument else { continue };
        let text = text_of(argument)?;
        world_block(&mut world, kind, &text).map_err(|reason| format!("--{kind}: {reason}"))?;
    }
    if let Some(time) = &ask.time {
        world.time = Timestamp::parse(time)
            .map_err(|_| format!("--time: `{time}` is not a time such as 2026-01-02T03:04:05Z"))?;
    }
    Ok(world)
}
