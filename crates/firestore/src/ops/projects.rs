//! Clients that ask for another project than the one that runs: in dev that works, as with the official emulator, and is
//! nearly always a mistake in the client's configuration. It is said once for each.

use std::collections::BTreeSet;

use parking_lot::Mutex;

/// Projects that are told apart; the rest is not told of.
const TOLD_MAX: usize = 20;

/// The projects that clients have asked for, beside the one that runs.
#[derive(Debug, Default)]
pub(super) struct OtherProjects(Mutex<BTreeSet<String>>);

impl OtherProjects {
    /// A client asks for a project; `own` is the one that runs.
    pub(super) fn asked(&self, project: &str, own: &str) {
        if project != own && self.is_new(project) {
            tracing::warn!(
                "a client asks for project `{project}`, and this server runs `{own}`: it gets a database of its own, guarded by the \
                 same rules. Give both the same id (`projectId` in the client, `--project` or .firebaserc here)"
            );
        }
    }

    fn is_new(&self, project: &str) -> bool {
        let mut told = self.0.lock();
        told.len() < TOLD_MAX && !told.contains(project) && told.insert(project.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_project_is_told_once_and_not_any_number() {
        let projects = OtherProjects::default();
        assert!(projects.is_new("other") && !projects.is_new("other"));
        let told = (0..100).filter(|number| projects.is_new(&number.to_string())).count();
        assert_eq!(told, TOLD_MAX - 1);
    }
}
