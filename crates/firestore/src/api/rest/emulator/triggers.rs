//! Registration of function triggers.

use axum::body::Body;
use base::Status;
use http::{Method, Response};

use super::{Call, not_found, respond};

/// `…/triggers[/KEY]` of the first generation, `…/eventarcTrigger?eventarcTriggerId=KEY` of the second.
pub(super) fn answer(call: &Call<'_>, below: &str) -> Result<Response<Body>, Status> {
    let Call { firestore, permit, project, .. } = call;
    let key = below.strip_prefix("triggers/").or_else(|| below.strip_prefix("eventarcTrigger/"));
    match (call.method.clone(), key) {
        (Method::PUT, Some(key)) => {
            firestore.put_trigger(*permit, project, key, call.json()?)?;
            Ok(respond(200, "{}".into()))
        }
        (Method::DELETE, Some(key)) => {
            firestore.remove_trigger(*permit, project, key);
            Ok(respond(200, "{}".into()))
        }
        (Method::GET, None) if below == "triggers" => {
            Ok(respond(200, firestore.list_triggers(*permit, project).to_string().into()))
        }
        (Method::POST, None) if below == "eventarcTrigger" => {
            let named = |name: &str| {
                let mut pairs = call.query.split('&').filter_map(|pair| pair.split_once('='));
                pairs.find(|(of, _)| *of == name).map(|(_, key)| key.to_owned())
            };
            let key = named("eventarcTriggerId").or_else(|| named("eventarc_trigger_id"));
            let key = key.ok_or_else(|| Status::invalid("`eventarcTriggerId` is missing."))?;
            let trigger = call.json()?;
            firestore.put_trigger(*permit, project, &key, trigger.clone())?;
            Ok(respond(200, trigger.to_string().into()))
        }
        _ => Err(not_found()),
    }
}
