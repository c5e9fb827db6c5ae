//! Credentials of work that the house starts itself, such as a call of a function: each is good as long as the work goes on, and
//! stands for whom it is done for.
//!
//! They are in memory only: a restart ends them all.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use base::id::{RandomnessError, alphanumeric};
use parking_lot::Mutex;

use crate::caller::Caller;

/// What every such credential begins with; no other does.
const PREFIX: &str = "hearth-fn.";
/// Characters after it: 256 bits and more.
const SECRET_CHARS: usize = 43;

/// The credentials of what is under way.
#[derive(Clone, Default)]
pub struct Invocations(Arc<Mutex<HashMap<String, Given>>>);

struct Given {
    project: String,
    caller: Caller,
}

/// Work that is under way. Dropped, its credential is none any more.
pub struct Invocation {
    credential: String,
    all: Invocations,
}

impl Invocations {
    /// Begins work in a project on behalf of a caller.
    pub fn begin(&self, project: &str, caller: Caller) -> Result<Invocation, RandomnessError> {
        let credential = format!("{PREFIX}{}", alphanumeric(SECRET_CHARS)?);
        self.0.lock().insert(credential.clone(), Given { project: project.to_owned(), caller });
        Ok(Invocation { credential, all: self.clone() })
    }

    /// Whether a bearer token is such a credential, or looks like one.
    pub fn is_one(token: &str) -> bool {
        token.starts_with(PREFIX)
    }

    /// Who a credential stands for in a project; nobody once the work is over.
    pub fn caller(&self, project: &str, token: &str) -> Option<Caller> {
        let all = self.0.lock();
        all.get(token).filter(|given| given.project == project).map(|given| given.caller.clone())
    }
}

impl Invocation {
    /// What stands for the caller: a bearer token.
    pub fn credential(&self) -> &str {
        &self.credential
    }
}

impl Drop for Invocation {
    fn drop(&mut self) {
        self.all.0.lock().remove(&self.credential);
    }
}

impl fmt::Debug for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invocation")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_good_for_its_project_while_the_work_goes_on() {
        let all = Invocations::default();
        let work = all.begin("p", Caller::admin("function:f")).unwrap();
        let other = all.begin("p", Caller::unauthenticated()).unwrap();
        let token = work.credential().to_owned();
        assert!(Invocations::is_one(&token) && token != other.credential());
        assert_eq!(all.caller("p", &token).unwrap().id(), Some("function:f"));
        assert!(all.caller("q", &token).is_none() && all.caller("p", "hearth-fn.none").is_none());
        drop(work);
        assert!(all.caller("p", &token).is_none());
        assert!(all.caller("p", other.credential()).is_some());
    }
}
