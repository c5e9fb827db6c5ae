//! Answers to a client's requests.

use std::sync::Arc;

use access::{Caller, Principal};
use serde_json::{Value as Json, json};

use super::super::has::Has;
use super::super::listen::Listen;
use super::super::message::{Message, Request};
use super::super::sign_in::{SignIn, TokenKind};
use super::super::{claims, departure};
use super::{End, Open, Pump};
use crate::failure::Failure;
use crate::model::{Change, Path, Verb, Write, encode_export};
use crate::query::Query;
use crate::status;

/// Listeners of one connection.
const LISTENS_MAX: usize = 5_000;

impl Pump {
    pub(super) async fn reply(&self, number: u64, status: &str, data: &Json) -> Result<(), End> {
        let reply = json!({"t": "d", "d": {"r": number, "b": {"s": status, "d": data}}});
        Ok(self.sender.send(reply.to_string()).await?)
    }

    /// In dev the client's console shows why.
    pub(super) async fn explain(&self, failure: &Failure) -> Result<(), End> {
        let Failure::Denied(denial) = failure else { return Ok(()) };
        if let Some(reasons) = status::reasons(denial) {
            let said = json!({"t": "d", "d": {"a": "sd", "b": {"msg": reasons}}});
            self.sender.send(said.to_string()).await?;
        }
        Ok(())
    }

    pub(super) async fn refuse(&self, number: u64, failure: &Failure) -> Result<(), End> {
        self.explain(failure).await?;
        let (status, text) = status::wire(failure);
        self.reply(number, status, &Json::from(text)).await
    }

    pub(super) async fn answer(&mut self, message: Message) -> Result<(), End> {
        let (number, request) = match message {
            Message::Nothing => return Ok(()),
            Message::Ping => {
                let pong = json!({"t": "c", "d": {"t": "o", "d": null}});
                return Ok(self.sender.send(pong.to_string()).await?);
            }
            Message::Refused(number, failure) => return self.refuse(number, &failure).await,
            Message::Request(number, request) => (number, request),
        };
        let request = *request;
        if let Request::Write(write) = request {
            let outcome = self.namespace.hand_in(self.caller.clone(), Arc::new(write), Vec::new()).await;
            self.writes.push_back((number, outcome));
            return Ok(());
        }
        self.settle().await?;
        let done = match request {
            Request::Write(_) | Request::Acknowledged => Ok(Json::from("")),
            Request::Unknown(action) => Err(Failure::Invalid(format!("Unknown action `{action}`"))),
            Request::Get(path, query) => return self.get(number, &path, &query).await,
            Request::Listen { path, query, text, tag, has } => {
                return self.listen(number, (path, query), (text, tag), has).await;
            }
            Request::Unlisten { path, query, tag } => {
                self.listens.retain(|_, open| {
                    open.listen.path != path || open.listen.query != query || open.tag != tag
                });
                Ok(Json::from(""))
            }
            Request::OnDisconnect(write) => self.leave(&write).await,
            Request::Cancel(path) => self.take_back(path).await,
            Request::SignIn { kind, token, auth_override } => {
                return self.sign_in(number, kind, &token, auth_override).await;
            }
            Request::SignOut => {
                self.become_caller(Caller::unauthenticated()).await?;
                Ok(Json::from("unauthenticated"))
            }
        };
        match done {
            Ok(data) => self.reply(number, "ok", &data).await,
            Err(failure) => self.refuse(number, &failure).await,
        }
    }

    async fn get(&mut self, number: u64, path: &Path, query: &Query) -> Result<(), End> {
        let read = self.namespace.read(&self.caller, "Get", path, query).await;
        let read = match read {
            Ok(read) if !read.is_indexed => {
                Err(Failure::NoIndex { child: query.index().unwrap_or_default(), path: path.clone() })
            }
            read => read,
        };
        match read {
            Ok(read) => {
                let mut reply = format!("{{\"t\":\"d\",\"d\":{{\"r\":{number},\"b\":{{\"s\":\"ok\",\"d\":");
                encode_export(read.value.as_deref(), &mut reply);
                reply.push_str("}}}");
                Ok(self.sender.send(reply).await?)
            }
            Err(failure) => self.refuse(number, &failure).await,
        }
    }

    async fn listen(
        &mut self,
        number: u64,
        (path, query): (Path, Query),
        (text, tag): (Option<String>, Option<String>),
        has: Has,
    ) -> Result<(), End> {
        self.listens
            .retain(|_, open| open.listen.path != path || open.listen.query != query || open.tag != tag);
        if self.listens.len() >= LISTENS_MAX {
            let failure = Failure::Invalid(format!("a connection may have {LISTENS_MAX} listeners"));
            return self.refuse(number, &failure).await;
        }
        self.next += 1;
        let id = self.next;
        let at = (path.clone(), query);
        let opened = Listen::open(&self.namespace.database, &self.caller, at, (id, &self.outbox)).await;
        let (listen, first) = match opened {
            Ok(opened) => opened,
            Err(failure) => return self.refuse(number, &failure).await,
        };
        if let Some(message) = has.news(path, first.value, tag.as_deref()) {
            self.sender.send(message).await?;
        }
        self.listens.insert(id, Open { listen, query: text, tag });
        let warnings = if first.is_indexed { json!({}) } else { json!({"w": ["no_index"]}) };
        self.reply(number, "ok", &warnings).await
    }

    /// Leaves something to be written when the client goes.
    async fn leave(&mut self, write: &Write) -> Result<Json, Failure> {
        let mut departure = self.departure.clone();
        for change in &write.changes {
            match change {
                Change::Set { path, value } => departure.remember(path, value.clone()),
                Change::Priority { path, value } => departure.remember_priority(path, value.clone()),
            }
            .map_err(|_| Failure::TooBig)?;
        }
        let row = departure::encode(&self.caller, &departure)?;
        let key = departure::row_key(self.namespace.name(), &self.id);
        let asked = Write { verb: Verb::OnDisconnect, ..write.clone() };
        self.namespace.database.register(&self.caller, &asked, vec![(key, row)]).await?;
        self.departure = departure;
        Ok(Json::from(""))
    }

    async fn take_back(&mut self, path: Path) -> Result<Json, Failure> {
        let mut departure = self.departure.clone();
        departure.forget(&path);
        let row = departure::encode(&self.caller, &departure)?;
        let key = departure::row_key(self.namespace.name(), &self.id);
        self.namespace.database.put_row(&key, row).await?;
        self.departure = departure;
        Ok(Json::from(""))
    }

    async fn sign_in(
        &mut self,
        number: u64,
        kind: TokenKind,
        token: &str,
        auth_override: Option<Option<Json>>,
    ) -> Result<(), End> {
        let asked = SignIn::Token { kind, token, auth_override };
        let found = self.realtime.sign_in(&asked).await;
        let found = found.and_then(|caller| match &self.foreign {
            Some(foreign) if caller.is_admin() => Err(Failure::InvalidToken(foreign.refusal().message)),
            _ => Ok(caller),
        });
        match found {
            Ok(caller) => {
                let answer = signed_in(&caller);
                self.become_caller(caller).await?;
                self.reply(number, "ok", &answer).await
            }
            Err(failure) => {
                self.become_caller(Caller::unauthenticated()).await?;
                self.refuse(number, &failure).await
            }
        }
    }
}

/// What a client is told of who it is now.
fn signed_in(caller: &Caller) -> Json {
    let mut answer = json!({"auth": null});
    if let Principal::User(user) = &caller.who {
        let token = claims::object(&user.claims);
        let provider = token.get("firebase").and_then(|firebase| firebase.get("sign_in_provider")).cloned();
        answer = json!({"auth": {"uid": user.uid, "provider": provider, "token": token}});
    }
    if let (Some(until), Some(answer)) = (caller.until, answer.as_object_mut()) {
        answer.insert("expires".to_owned(), Json::from(until.micros().div_euclid(1_000_000)));
    }
    answer
}
