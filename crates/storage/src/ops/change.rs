//! Changing and deleting objects: metadata, download tokens.

use access::{Caller, Session};
use policy::request::Method;

use super::Storage;
use super::buckets::AclChange;
use super::decide::Ask;
use super::publish::{new_token, object_in};
use super::read::Wanted;
use crate::model::{Object, Patch, encode, object_key};
use crate::status::Failure;

/// A change of an object's download tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenChange {
    /// One more.
    Create,
    /// Without this one. An object is never without any: the last is replaced.
    Revoke(String),
}

impl Storage {
    /// Changes what is known of an object.
    pub async fn patch(&self, caller: &Caller, wanted: &Wanted, patch: &Patch) -> Result<Object, Failure> {
        let contended = [object_key(&wanted.bucket, &wanted.name)];
        let operation = Self::operation("patch", wanted.resource());
        let patched = self.gate.transact(caller, &operation, Self::attempts(&contended), |session| {
            self.try_patch(session, wanted, patch)
        });
        Ok(patched.await?.0)
    }

    async fn try_patch(
        &self,
        mut session: Session,
        wanted: &Wanted,
        patch: &Patch,
    ) -> Result<(Session, Object), Failure> {
        let key = object_key(&wanted.bucket, &wanted.name);
        let before = object_in(session.get(&key).await?.as_ref())?;
        let patched = before.clone().map(|mut object| {
            object.metageneration += 1;
            object.updated = self.now_micros();
            // Metadata that cannot be taken is refused after the rules: who is denied learns of nothing that is there.
            patch.apply(&mut object).map(|()| object)
        });
        let fields = patched.as_ref().and_then(|patched| patched.as_ref().ok()).map(Object::fields);
        let ask = Ask {
            method: Method::Update,
            bucket: &wanted.bucket,
            path: wanted.name.segments(),
            resource: before.as_ref(),
            new: fields.as_ref(),
        };
        let permit = self.decide(&mut session, ask).await?.permit;
        wanted.found(before.clone())?;
        wanted.conditions.check(before.as_ref())?;
        let after = patched.ok_or_else(|| wanted.missing())??;
        session.write(&permit, key, Some(encode(&after)?));
        Ok((session, after))
    }

    /// Deletes an object.
    pub async fn delete(&self, caller: &Caller, wanted: &Wanted) -> Result<(), Failure> {
        let contended = [object_key(&wanted.bucket, &wanted.name)];
        let operation = Self::operation("delete", wanted.resource());
        let deleted = self.gate.transact(caller, &operation, Self::attempts(&contended), |session| {
            self.try_delete(session, wanted)
        });
        let (unused, _) = deleted.await?;
        self.mark_unused(unused);
        Ok(())
    }

    async fn try_delete(
        &self,
        mut session: Session,
        wanted: &Wanted,
    ) -> Result<(Session, Vec<crate::model::BlobName>), Failure> {
        let key = object_key(&wanted.bucket, &wanted.name);
        let before = object_in(session.get(&key).await?.as_ref())?;
        let ask = Ask {
            method: Method::Delete,
            bucket: &wanted.bucket,
            path: wanted.name.segments(),
            resource: before.as_ref(),
            new: None,
        };
        let permit = self.decide(&mut session, ask).await?.permit;
        let before = wanted.found(before)?;
        wanted.conditions.check(Some(&before))?;
        let counts = self.counted(&mut session, None, Some(before.blob)).await?;
        session.write(&permit, key, None);
        for (key, value) in counts.writes {
            session.write(&permit, key, value);
        }
        Ok((session, counts.unused))
    }

    /// Makes or revokes download tokens. For administrators.
    pub async fn change_tokens(
        &self,
        caller: &Caller,
        wanted: &Wanted,
        change: &TokenChange,
    ) -> Result<Object, Failure> {
        let edit = |object: &mut Object| {
            match change {
                TokenChange::Create => object.tokens.push(new_token()?),
                TokenChange::Revoke(token) => object.tokens.retain(|known| known != token),
            }
            if object.tokens.is_empty() {
                object.tokens.push(new_token()?);
            }
            Ok(Patch::default().apply(object)?)
        };
        self.change_as_admin("changeTokens", caller, wanted, &edit).await
    }

    /// Changes an access control list, which has no effect. For administrators.
    pub async fn change_acl(
        &self,
        caller: &Caller,
        wanted: &Wanted,
        change: &AclChange,
    ) -> Result<Object, Failure> {
        let edit = |object: &mut Object| change.apply(&mut object.acl);
        self.change_as_admin("changeAcl", caller, wanted, &edit).await
    }

    async fn change_as_admin(
        &self,
        verb: &'static str,
        caller: &Caller,
        wanted: &Wanted,
        edit: &(impl Fn(&mut Object) -> Result<(), Failure> + Sync),
    ) -> Result<Object, Failure> {
        let contended = [object_key(&wanted.bucket, &wanted.name)];
        let operation = Self::operation(verb, wanted.resource());
        let changed =
            self.gate.transact(caller, &operation, Self::attempts(&contended), |mut session| async move {
                let permit = session.authorize_admin(&wanted.resource())?;
                let key = object_key(&wanted.bucket, &wanted.name);
                let mut object = wanted.found(object_in(session.get(&key).await?.as_ref())?)?;
                edit(&mut object)?;
                object.metageneration += 1;
                object.updated = self.now_micros();
                session.write(&permit, key, Some(encode(&object)?));
                Ok::<_, Failure>((session, object))
            });
        Ok(changed.await?.0)
    }
}
