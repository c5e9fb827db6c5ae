//! Tests of rules: what a source, or a stored ruleset, decides in cases that a client brings.

use access::Caller;
use base::Status;

use super::source_of;
use crate::model::resource::Tested;
use crate::model::source::{RulesSource, compile};
use crate::suite::TestSuite;
use crate::suite::run::run;
use crate::{Deploy, status};

impl Deploy {
    /// Tests a source, or a stored ruleset. With errors in the source there are no results, only issues.
    pub async fn test(
        &self,
        caller: &Caller,
        project: &str,
        id: Option<&str>,
        source: Option<RulesSource>,
        suite: TestSuite,
    ) -> Result<Tested, Status> {
        let resource = id.map_or_else(|| "/rules".to_owned(), |id| format!("/rulesets/{id}"));
        let (mut session, _) = self.begin(caller, project, "TestRuleset", resource).await?;
        let source = match (id, source) {
            (Some(id), None) => source_of(&mut session, project, id).await?,
            (None, Some(source)) => source,
            (None, None) => return Err(status::no_source()),
            (Some(_), Some(_)) => return Err(status::two_sources()),
        };
        let cases = suite.cases(session.now())?;
        session.finish();
        // Compiling and deciding many cases takes a while: other requests go on meanwhile.
        let tested = tokio::task::spawn_blocking(move || {
            let compiled = compile(&source)?;
            let test_results = match compiled.rulesets.is_empty() {
                true => Vec::new(),
                false => cases.iter().map(|case| run(&compiled, case)).collect(),
            };
            Ok(Tested { issues: compiled.issues(), test_results })
        });
        tested.await.unwrap_or_else(|error| Err(status::ended_early(&error)))
    }
}
