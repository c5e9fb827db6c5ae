//! The guards of functions: `[functions.NAME]` of `hearth.toml`.

use std::collections::HashMap;
use std::sync::Arc;

use access::Rules;
use policy::Source;
use policy::cel::{self, Requirement};
use serde::Deserialize;

/// A guard as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardText {
    /// The function's name.
    pub function: String,
    /// What callers must be: CEL over `auth`, `app` and `request`.
    pub require: Option<String>,
    /// The methods that may be used; empty: all.
    pub methods: Vec<String>,
    /// Whether callers need an App Check token.
    pub app_check: Option<AppGuard>,
}

/// What App Check token a function's callers need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AppGuard {
    /// One of the project's apps.
    Required,
    /// One that was not used before; it is used up.
    Consume,
}

/// The guards in force.
#[derive(Default)]
pub struct Guards(HashMap<String, Guard>);

/// A function's guard.
pub(super) struct Guard {
    pub require: Option<Arc<Rules<Requirement>>>,
    pub methods: Vec<String>,
    pub app_check: Option<AppGuard>,
}

impl Guards {
    /// Compiles all of them. `Err`: what is wrong with each that is.
    pub fn compile(file: &str, texts: Vec<GuardText>) -> Result<Self, Vec<String>> {
        let (mut guards, mut errors) = (HashMap::new(), Vec::new());
        for GuardText { function, require, methods, app_check } in texts {
            let compiled = require.map(|text| {
                let source = Source::new(format!("{file} [functions.{function}]"), text);
                let compiled = Requirement::new(source.clone());
                compiled.map_err(|diagnostics| errors.push(cel::report(&source, &diagnostics)))
            });
            let require = match compiled {
                Some(Ok(requirement)) => Some(Arc::new(Rules::enforced(requirement))),
                Some(Err(())) => continue,
                None => None,
            };
            let methods = methods.into_iter().map(|method| method.to_uppercase()).collect();
            guards.insert(function, Guard { require, methods, app_check });
        }
        if errors.is_empty() { Ok(Self(guards)) } else { Err(errors) }
    }

    pub(super) fn of(&self, function: &str) -> Option<&Guard> {
        self.0.get(function)
    }
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
            app_check: None,
        };
        let guards =
            Guards::compile("hearth.toml", vec![guard("a", "auth.uid == 'x'")]).unwrap_or_else(|_| panic!());
        assert_eq!(guards.of("a").unwrap().methods, ["POST"]);
        assert!(guards.of("b").is_none());
        let texts = vec![guard("a", "auth."), guard("b", "true"), guard("c", "nobody")];
        let Err(errors) = Guards::compile("hearth.toml", texts) else { panic!("they compile") };
        assert_eq!(errors.len(), 2);
        assert!(errors[0].contains("hearth.toml [functions.a]"), "{}", errors[0]);
    }
}
