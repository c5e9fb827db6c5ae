//! The rules files of a project: put in force at a start, after an edit (dev) and on SIGHUP (production). Which services
//! have rules is said by their table.

use access::Gate;
use deploy::Restored;

use crate::project::{Project, ProjectError, RulesFile};
use crate::screen::Screen;
use crate::services::{RulesOf, TABLE};
use crate::watch::{self, Guarded, Loaded};

/// The rules of every service that has some, each with the project's file of them. Nothing is loaded yet.
pub fn of_project(project: &Project) -> Result<Vec<Guarded>, ProjectError> {
    let mut guarded = Vec::new();
    for rules in TABLE.into_iter().filter_map(|row| row.rules.as_ref()) {
        let parts = project.parts(rules.kind).into_iter().map(Some);
        for part in std::iter::once(None).chain(parts) {
            let file = project.rules_for(rules.kind, part.as_deref())?;
            guarded.push(Guarded { rules, part, file, loaded: None });
        }
    }
    Ok(guarded)
}

/// Loads them in dev. Broken rules do not keep it from starting: everything is denied until they are fixed.
pub fn load_in_dev(gate: &Gate, guarded: &mut [Guarded]) -> Result<(), String> {
    close_other_parts(gate, guarded);
    for Guarded { rules, part, file, loaded } in guarded {
        let Some(file) = file else { continue };
        let now = load(gate, rules, part.as_deref(), file)?;
        if now.refused {
            (rules.at)(gate).close(part.as_deref(), &denied_until_mended(&now));
        }
        *loaded = Some(now);
    }
    Ok(())
}

/// Loads them in production, where what is deployed stands before the files. Gives what is to be known of it.
///
/// Errors: rules that are broken and in force, or a file that cannot be read.
pub fn load_in_production(
    gate: &Gate,
    guarded: &mut [Guarded],
    mut restored: Vec<Restored>,
    screen: Screen,
) -> Result<Vec<String>, String> {
    let mut notes = Vec::new();
    for Guarded { rules, part, file, loaded } in guarded {
        let is_of = |restored: &Restored| part.is_none() && rules.release == Some(restored.release);
        let at = restored.iter().position(is_of);
        let deployed = at.map(|index| restored.swap_remove(index));
        if let Some(file) = file {
            let now = load(gate, rules, part.as_deref(), file)?;
            let shown_as = &file.shown;
            if now.refused && deployed.is_none() {
                screen.diagnostics(&now);
                return Err(format!("{shown_as} has errors; production does not start without good rules"));
            }
            if now.refused {
                screen.warn(&format!(
                    "{shown_as} has errors: it is not what is in force, the deployed rules are"
                ));
            }
            *loaded = Some(now).filter(|now| !now.refused);
        }
        if let Some(Restored { ruleset, source, .. }) = deployed {
            notes.push(format!(
                "rules: ruleset {ruleset} decides, deployed over the Rules API; a rules file comes after it"
            ));
            let diagnostics = watch::warnings(&source, rules.kind.language);
            *loaded = Some(Loaded { diagnostics, source, refused: false });
        }
    }
    Ok(notes)
}

/// Loads the files again in production; rules may have come to a project that had none.
pub fn reload(gate: &Gate, project: Result<Project, ProjectError>, screen: Screen) {
    let guarded = match project.and_then(|project| of_project(&project)) {
        Ok(guarded) => guarded,
        Err(error) => return screen.warn(&format!("the rules in force stay: {error}")),
    };
    for Guarded { rules, part, file, .. } in guarded {
        let Some(file) = file else {
            let usual = rules.kind.usual_name();
            screen.warn(&format!("there is no {usual} to load: the rules in force stay"));
            continue;
        };
        match watch::load(gate, rules, part.as_deref(), &file) {
            Ok(loaded) => {
                screen.reloaded(&loaded);
                if (rules.at)(gate).is_deployed() {
                    screen.warn("deployed rules are in force: the file's wait until the release is deleted");
                }
            }
            Err(error) => {
                screen.warn(&format!("the rules cannot be read, the last good ones stay in force: {error}"));
            }
        }
    }
}

/// What every denial says while the rules are broken.
fn denied_until_mended(loaded: &Loaded) -> String {
    let name = &loaded.source.name;
    let first = loaded.errors().next();
    let place = first.map_or_else(
        || name.to_string(),
        |error| {
            let (line, column) = loaded.source.line_column(error.span.start);
            format!("{name}:{line}:{column}: {}", error.message)
        },
    );
    format!("{name} has errors, so everything is denied until they are fixed. {place}")
}

/// Where all rules of a service are for parts of it, nobody else's part is open.
fn close_other_parts(gate: &Gate, guarded: &[Guarded]) {
    for Guarded { rules, .. } in guarded.iter().filter(|of| of.part.is_none() && of.file.is_none()) {
        let has_parts = |of: &&Guarded| of.rules.kind == rules.kind && of.part.is_some();
        if guarded.iter().any(|of| has_parts(&of)) {
            (rules.at)(gate).close(None, "firebase.json has no rules for this bucket");
        }
    }
}

fn load(gate: &Gate, rules: &RulesOf, part: Option<&str>, file: &RulesFile) -> Result<Loaded, String> {
    watch::load(gate, rules, part, file)
        .map_err(|error| format!("`{}` cannot be read: {error}", file.path.display()))
}
