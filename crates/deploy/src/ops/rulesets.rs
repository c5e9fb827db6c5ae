//! Rulesets: stored, looked at, deleted; never changed.

use access::{Caller, Permit, Session};
use base::Status;

use super::{RELEASES_MAX, RULESETS_MAX, check, page, source_of};
use crate::model::resource::{Listed, Ruleset};
use crate::model::row::{
    ReleaseRow, RulesetRow, all_releases, all_rulesets, decode, encode, name_of, new_ruleset_id, ruleset_key,
    source_key,
};
use crate::model::source::{RulesSource, compile};
use crate::{Deploy, status};

impl Deploy {
    /// Stores rules. They decide nothing before they are released.
    pub async fn create_ruleset(
        &self,
        caller: &Caller,
        project: &str,
        source: RulesSource,
    ) -> Result<Ruleset, Status> {
        let now = self.gate.clock().now_micros();
        let (id, source) = (&new_ruleset_id(now)?, &source);
        let by = caller.id().unwrap_or_default();
        let create = |mut session: Session, permit: Permit| async move {
            let compiled = compile(source)?;
            check(&compiled)?;
            let kept = session.all(all_rulesets(project), RULESETS_MAX).await?.len();
            if kept >= RULESETS_MAX {
                return Err(status::too_many_rulesets(RULESETS_MAX));
            }
            let row = RulesetRow { created_micros: now, services: compiled.services(), by: by.to_owned() };
            session.write(&permit, ruleset_key(project, id), Some(encode(&row)?));
            session.write(&permit, source_key(project, id), Some(encode(source)?));
            session.note("files", source.files.iter().map(|file| file.name.clone()).collect());
            Ok((session, row))
        };
        let row = self.change(caller, project, "CreateRuleset", format!("/rulesets/{id}"), create).await?;
        Ok(Ruleset::new(project, id, row, Some(source.clone())))
    }

    /// One ruleset with its source.
    pub async fn get_ruleset(&self, caller: &Caller, project: &str, id: &str) -> Result<Ruleset, Status> {
        let (mut session, _) = self.begin(caller, project, "GetRuleset", format!("/rulesets/{id}")).await?;
        let row = session.get(&ruleset_key(project, id)).await?.ok_or_else(status::not_found)?;
        let source = source_of(&mut session, project, id).await?;
        session.finish();
        Ok(Ruleset::new(project, id, decode(&row)?, Some(source)))
    }

    /// Rulesets, the newest first.
    pub async fn list_rulesets(
        &self,
        caller: &Caller,
        project: &str,
        size: Option<usize>,
        token: Option<&str>,
    ) -> Result<Listed<Ruleset>, Status> {
        let (mut session, _) = self.begin(caller, project, "ListRulesets", "/rulesets".to_owned()).await?;
        let mut range = all_rulesets(project);
        if let Some(token) = token {
            range.end = ruleset_key(project, token);
        }
        let page = page(&mut session, range, size, true).await?;
        session.finish();
        let mut entries = Vec::with_capacity(page.rows.len());
        for row in &page.rows {
            entries.push(Ruleset::new(project, &name_of(project, row), decode(row)?, None));
        }
        let next_page_token = page.next.and(page.rows.last()).map(|row| name_of(project, row));
        Ok(Listed { entries, next_page_token })
    }

    /// Deletes a ruleset that no release names.
    pub async fn delete_ruleset(&self, caller: &Caller, project: &str, id: &str) -> Result<(), Status> {
        let delete = |mut session: Session, permit: Permit| async move {
            session.get(&ruleset_key(project, id)).await?.ok_or_else(status::not_found)?;
            for row in session.all(all_releases(project), RELEASES_MAX).await? {
                if decode::<ReleaseRow>(&row)?.ruleset == id {
                    return Err(status::is_released(&name_of(project, &row)));
                }
            }
            session.write(&permit, ruleset_key(project, id), None);
            session.write(&permit, source_key(project, id), None);
            Ok((session, ()))
        };
        self.change(caller, project, "DeleteRuleset", format!("/rulesets/{id}"), delete).await
    }
}
