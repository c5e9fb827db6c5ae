//! What a path names.

/// What is behind `projects/P`.
#[derive(Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// The project itself.
    Project,
    /// An app.
    App(&'a str),
    /// The debug tokens of an app.
    DebugTokens(&'a str),
    /// One of them.
    DebugToken(&'a str, &'a str),
    /// All services.
    Services,
    /// One of them.
    Service(&'a str),
}

/// A path taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Path<'a> {
    /// The project's id or number.
    pub project: &'a str,
    /// What it is about.
    pub target: Target<'a>,
    /// What follows the last colon, where that is no part of a name.
    pub verb: Option<&'a str>,
    /// What follows the project.
    pub rest: &'a str,
}

impl<'a> Path<'a> {
    /// Reads a path; `None`: there is no such.
    pub fn parse(path: &'a str) -> Option<Self> {
        let rest =
            path.strip_prefix("/v1/").or_else(|| path.strip_prefix("/v1beta/"))?.strip_prefix("projects/")?;
        let (project, rest) = rest.split_once('/').unwrap_or((rest, ""));
        if rest.is_empty() {
            let (project, verb) = project.split_once(':')?;
            return Some(Self { project, target: Target::Project, verb: Some(verb), rest });
        }
        let segments: Vec<&str> = rest.split('/').collect();
        let (target, verb) = match segments.as_slice() {
            // Ids of apps have colons, too: four parts, and the verb.
            ["apps", app] => {
                let (app, verb) = app.rsplit_once(':').filter(|(app, _)| app.split(':').count() == 4)?;
                (Target::App(app), Some(verb))
            }
            ["apps", app, "debugTokens"] => (Target::DebugTokens(app), None),
            ["apps", app, "debugTokens", id] => (Target::DebugToken(app, id), None),
            ["services"] => (Target::Services, None),
            ["services:batchUpdate"] => (Target::Services, Some("batchUpdate")),
            ["services", id] => (Target::Service(id), None),
            _ => return None,
        };
        Some(Self { project, target, verb, rest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_apps_keep_their_colons() {
        let of = |path| Path::parse(path).map(|path| (path.project, path.target, path.verb));
        let app = "1:2:web:ab";
        let exchange = of("/v1/projects/p/apps/1:2:web:ab:exchangeDebugToken");
        assert_eq!(exchange, Some(("p", Target::App(app), Some("exchangeDebugToken"))));
        assert_eq!(
            of("/v1beta/projects/p:verifyAppCheckToken"),
            Some(("p", Target::Project, Some("verifyAppCheckToken")))
        );
        assert_eq!(
            of("/v1/projects/p/apps/1:2:web:ab/debugTokens"),
            Some(("p", Target::DebugTokens(app), None))
        );
        assert_eq!(of("/v1/projects/p/services/x.y"), Some(("p", Target::Service("x.y"), None)));
        for path in [
            "",
            "/v1/projects/p",
            "/v1/projects/p/apps/1:2:web:ab",
            "/v1/projects/p/apps/x:y",
            "/v2/projects/p:x",
        ] {
            assert_eq!(of(path), None, "{path}");
        }
    }
}
