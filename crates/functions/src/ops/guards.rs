//! The guards of functions: `[functions.NAME]` of `hearth.toml`.

use std::collections::HashMap;
use std::sync::Arc;

use access::Rules;
use policy::Source;
use policy::cel::{self, Requirement};

use super::rates::Rate;

/// A guard as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardText {
    /// The function's name.
    pub function: String,
    /// What callers must be: CEL over `auth`, `app` and `request`.
    pub require: Option<String>,
    /// The methods that may be used; empty: all.
    pub methods: Vec<String>,
    /// How often one caller may call: `60/m`.
    pub rate: Option<String>,
    /// Whether the keys of partners are taken.
    pub api_keys: bool,
    /// On whose behalf its code reads and writes: `function` (the usual) or `caller`.
    pub run_as: Option<String>,
}

/// The guards in force.
#[derive(Default)]
pub struct Guards(HashMap<String, Guard>);

/// On whose behalf a function's code reads and writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunAs {
    /// Its own: an administrator's, past the rules.
    #[default]
    Function,
    /// Its caller's: what it asks passes the rules as if they asked.
    Caller,
}

/// A function's guard.
#[derive(Default)]
pub(super) struct Guard {
    pub require: Option<Arc<Rules<Requirement>>>,
    pub methods: Vec<String>,
    pub rate: Option<Rate>,
    pub api_keys: bool,
    pub run_as: RunAs,
}

impl Guards {
    /// Compiles all of them. `Err`: what is wrong with each that is.
    pub fn compile(file: &str, texts: Vec<GuardText>) -> Result<Self, Vec<String>> {
        let (mut guards, mut errors) = (HashMap::new(), Vec::new());
        for text in texts {
            match compiled(file, &text) {
                Ok(guard) => drop(guards.insert(text.function, guard)),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(Self(guards)) } else { Err(errors) }
    }

    pub(super) fn of(&self, function: &str) -> Option<&Guard> {
        self.0.get(function)
    }
}

fn compiled(file: &str, text: &GuardText) -> Result<Guard, String> {
    let place = format!("{file} [functions.{}]", text.function);
    let require = match &text.require {
        Some(expression) => {
            let source = Source::new(place.clone(), expression.clone());
            let requirement = Requirement::new(source.clone());
            let requirement = requirement.map_err(|diagnostics| cel::report(&source, &diagnostics))?;
            Some(Arc::new(Rules::enforced(requirement)))
        }
        None => None,
    };
    let rate = text.rate.as_deref().map(str::parse).transpose();
    let rate = rate.map_err(|error| format!("{place}: rate: {error}"))?;
    let run_as = match text.run_as.as_deref() {
        None | Some("function") => RunAs::Function,
        Some("caller") => RunAs::Caller,
        Some(other) => {
            return Err(format!("{place}: run_as is `{other}`; it can be `function` or `caller`"));
        }
    };
    let methods = text.methods.iter().map(|method| method.to_uppercase()).collect();
    Ok(Guard { require, methods, rate, api_keys: text.api_keys, run_as })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guard_that_does_not_compile_is_reported() {
        let guard = |function: &str, require: &str| GuardText {
            function: function.to_owned(),
            require: Some(require.to_owned()),
            methods: vec!["post".to_owned()],
            ..GuardText::default()
        };
        let guards =
            Guards::compile("hearth.toml", vec![guard("a", "auth.uid == 'x'")]).unwrap_or_else(|_| panic!());
        assert_eq!(guards.of("a").unwrap().methods, ["POST"]);
        assert!(guards.of("b").is_none());
        let with = |function: &str, rate: Option<&str>, run_as: Option<&str>| GuardText {
            rate: rate.map(str::to_owned),
            run_as: run_as.map(str::to_owned),
            ..guard(function, "true")
        };
        let texts = vec![
            guard("a", "auth."),
            guard("b", "true"),
            guard("c", "nobody"),
            with("d", Some("60 often"), None),
            with("e", Some("60/m"), Some("owner")),
            with("f", Some("60/m"), Some("caller")),
        ];
        let Err(errors) = Guards::compile("hearth.toml", texts) else { panic!("they compile") };
        assert_eq!(errors.len(), 4, "{errors:?}");
        assert!(errors[0].contains("hearth.toml [functions.a]"), "{}", errors[0]);
        assert!(errors[2].contains("[functions.d]: rate: `60 often`"), "{}", errors[2]);
        assert!(errors[3].contains("run_as is `owner`"), "{}", errors[3]);
    }
}
