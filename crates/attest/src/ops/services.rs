//! What services require.

use std::collections::BTreeMap;
use std::sync::Arc;

use access::{Caller, Enforcement, Service};
use base::{Status, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::rows::{ServiceRow, decode, encode, service_key};
use crate::{AppCheck, status};

/// Services, their names at Google, and those on the command line and in `hearth.toml`.
pub const IDS: [(Service, &str, &str); 6] = [
    (Service::Firestore, "firestore.googleapis.com", "firestore"),
    (Service::Realtime, "firebasedatabase.googleapis.com", "database"),
    (Service::Storage, "firebasestorage.googleapis.com", "storage"),
    (Service::Identity, "identitytoolkit.googleapis.com", "auth"),
    (Service::DataConnect, "firebasedataconnect.googleapis.com", "dataconnect"),
    (Service::Functions, "cloudfunctions.googleapis.com", "functions"),
];

/// A service by its name at Google or its short one.
pub fn service_of(name: &str) -> Option<Service> {
    IDS.iter().find(|(_, id, short)| *id == name || *short == name).map(|(service, ..)| *service)
}

/// A service's short name.
pub fn short_name(service: Service) -> &'static str {
    IDS.iter().find(|(one, ..)| *one == service).map_or("", |(_, _, short)| short)
}

fn known(name: &str) -> Result<Service, Status> {
    let ids = IDS.map(|(_, id, _)| id);
    service_of(name).ok_or_else(|| status::no_service(name, &ids))
}

fn id_of(service: Service) -> &'static str {
    IDS.iter().find(|(one, ..)| *one == service).map_or("", |(_, id, _)| id)
}

/// What a service requires, as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceInfo {
    /// `projects/P/services/ID`
    pub name: String,
    /// What it requires.
    pub enforcement_mode: Enforcement,
    /// RFC 3339; `None` where `hearth.toml` or nobody has said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_time: Option<String>,
}

impl AppCheck {
    /// Has services require what was said of them: by an administrator, else by the project's file.
    ///
    /// Errors: rows that cannot be read; then nothing may be served.
    pub async fn restore(&self) -> Result<(), Status> {
        let _turn = self.enforcing.lock().await;
        for (service, id, short) in IDS {
            let row = self.gate.peek(&service_key(&self.settings.project, id)).await?;
            let enforcement = match row {
                Some(row) => decode::<ServiceRow>(&row)?.enforcement,
                None => self.configured.lock().get(short).copied().unwrap_or_default(),
            };
            self.gate.enforce_app(service, enforcement);
        }
        Ok(())
    }

    /// Takes in what the project's file says.
    ///
    /// Errors: as [`AppCheck::restore`].
    pub async fn configure(&self, modes: BTreeMap<&'static str, Enforcement>) -> Result<(), Status> {
        *self.configured.lock() = modes;
        self.restore().await
    }

    /// What one service requires.
    pub async fn service(&self, caller: &Caller, name: &str) -> Result<ServiceInfo, Status> {
        let service = known(name)?;
        let id = id_of(service);
        let (mut session, _) = self.begin(caller, "getService", &format!("/services/{id}")).await?;
        let row = session.get(&service_key(&self.settings.project, id)).await?;
        session.finish();
        let row: Option<ServiceRow> = row.as_ref().map(decode).transpose()?;
        Ok(self.info(service, row.map(|row| row.updated_micros)))
    }

    /// What all of them require.
    pub async fn services(&self, caller: &Caller) -> Result<Vec<ServiceInfo>, Status> {
        let (mut session, _) = self.begin(caller, "listServices", "/services").await?;
        let mut services = Vec::new();
        for (service, id, _) in IDS {
            let row = session.get(&service_key(&self.settings.project, id)).await?;
            let row: Option<ServiceRow> = row.as_ref().map(decode).transpose()?;
            services.push(self.info(service, row.map(|row| row.updated_micros)));
        }
        session.finish();
        Ok(services)
    }

    /// Has a service require an app, or not. It does when this returns, and also when whoever asked has gone.
    pub async fn set_enforcement(
        self: &Arc<Self>,
        caller: &Caller,
        name: &str,
        enforcement: Enforcement,
    ) -> Result<ServiceInfo, Status> {
        let service = known(name)?;
        let (this, caller) = (Arc::clone(self), caller.clone());
        let set = tokio::spawn(async move { this.set(&caller, service, enforcement).await });
        set.await.map_err(|error| status::ended_early(&error))?
    }

    async fn set(
        &self,
        caller: &Caller,
        service: Service,
        enforcement: Enforcement,
    ) -> Result<ServiceInfo, Status> {
        let id = id_of(service);
        let _turn = self.enforcing.lock().await;
        let by = caller.id().unwrap_or_default().to_owned();
        let updated_micros = self.gate.clock().now_micros();
        let row = &ServiceRow { enforcement, updated_micros, by };
        let project = &self.settings.project;
        let before = self.enforcement(service);
        let resource = format!("/services/{id}");
        let set = self.change(caller, "updateService", &resource, |mut session, permit| async move {
            session.note("before", serde_json::to_value(before).unwrap_or_default());
            session.note("after", serde_json::to_value(enforcement).unwrap_or_default());
            session.write(&permit, service_key(project, id), Some(encode(row)?));
            Ok((session, ()))
        });
        set.await?;
        self.gate.enforce_app(service, enforcement);
        Ok(self.info(service, Some(updated_micros)))
    }

    fn info(&self, service: Service, updated_micros: Option<i64>) -> ServiceInfo {
        ServiceInfo {
            name: format!("projects/{}/services/{}", self.settings.project, id_of(service)),
            enforcement_mode: self.enforcement(service),
            update_time: updated_micros.map(|micros| Timestamp::from_micros(micros).to_string()),
        }
    }
}
