//! Users as events: what Cloud Functions are told when one is made or deleted.
//!
//! Source: the functions reference, A5; `convertV2EventToV1Event` of firebase-functions for the second generation.

use access::events::{Record, Source, Told};
use access::keyspace::USERS;
use base::key::split_text;
use base::{Code, Status, Timestamp};
use bytes::Bytes;
use kv::{Key, Keyspace, Row, Version};
use serde_json::{Map, Value as Json, json};

use crate::model::decode;
use crate::model::user::User;

const CREATED: [&str; 2] =
    ["providers/firebase.auth/eventTypes/user.create", "google.firebase.auth.user.v2.created"];
const DELETED: [&str; 2] =
    ["providers/firebase.auth/eventTypes/user.delete", "google.firebase.auth.user.v2.deleted"];

/// Users as a source of events.
#[derive(Clone, Copy, Debug)]
pub struct Events;

impl Source for Events {
    fn name(&self) -> &'static str {
        "identity"
    }

    fn serves(&self, event: &str) -> bool {
        CREATED.contains(&event) || DELETED.contains(&event)
    }

    fn keyspace(&self) -> Option<Keyspace> {
        Some(USERS)
    }

    fn attributes(&self, key: &Key) -> Option<Vec<(&'static str, String)>> {
        let (project, rest) = split_text(key.as_bytes())?;
        let (tenant, _) = split_text(rest)?;
        let mut attributes = vec![("resource", format!("projects/{project}")), ("project", project)];
        if !tenant.is_empty() {
            attributes.push(("tenantid", tenant));
        }
        Some(attributes)
    }

    fn events(&self, before: Option<&Row>, after: Option<&Bytes>) -> Result<Vec<&'static str>, Status> {
        Ok(match (before, after) {
            (None, Some(_)) => CREATED.to_vec(),
            (Some(_), None) => DELETED.to_vec(),
            _ => Vec::new(),
        })
    }

    fn told(&self, record: &Record, version: Version) -> Result<Told, Status> {
        let unreadable = || Status::new(Code::DataLoss, "an event of a user cannot be read");
        let key = Key::from_stored(record.key.clone()).ok_or_else(unreadable)?;
        let value = record.after.clone().or_else(|| record.before.clone()).ok_or_else(unreadable)?;
        let user: User = decode(&Row { key, value, version })?;
        let of = |name: &str| record.attributes.get(name).cloned();
        let project = of("project").unwrap_or_default();
        let tenant = of("tenantid");
        let shown = shown(&user, tenant.as_deref());
        let member = if record.after.is_some() { "value" } else { "oldValue" };
        Ok(Told {
            source: format!("//identitytoolkit.googleapis.com/projects/{project}"),
            subject: format!("users/{}", user.uid),
            attributes: tenant.map(|tenant| ("tenantid".to_owned(), tenant)).into_iter().collect(),
            data: json!({ member: shown }),
            resource: json!({
                "service": "firebaseauth.googleapis.com",
                "name": format!("projects/{project}"),
            }),
            first_generation_data: Some(shown),
            ..Told::default()
        })
    }
}

/// A user as functions see one.
pub(crate) fn shown(user: &User, tenant: Option<&str>) -> Json {
    let time = |ms: i64| {
        let text = Timestamp::from_micros(ms.saturating_mul(1000)).to_string();
        if text.contains('.') { text } else { text.replace('Z', ".000Z") }
    };
    let providers: Vec<Json> = user
        .all_providers()
        .into_iter()
        .map(|provider| {
            set(json!({
                "providerId": provider.provider_id,
                "uid": provider.raw_id,
                "email": provider.email,
                "displayName": provider.display_name,
                "photoURL": provider.photo_url,
                "phoneNumber": provider.phone_number,
            }))
        })
        .collect();
    let claims: Map<String, Json> = user.custom_claims().into_iter().collect();
    set(json!({
        "uid": user.uid,
        "email": user.email,
        "emailVerified": user.email_verified,
        "displayName": user.display_name,
        "photoURL": user.photo_url,
        "phoneNumber": user.phone_number,
        "disabled": user.disabled,
        "metadata": set(json!({
            "creationTime": time(user.created_ms),
            "lastSignInTime": user.last_login_ms.map(time),
        })),
        "customClaims": (!claims.is_empty()).then_some(claims),
        "providerData": providers,
        "tenantId": tenant,
    }))
}

/// Without the members that are not set.
fn set(mut value: Json) -> Json {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    value
}
