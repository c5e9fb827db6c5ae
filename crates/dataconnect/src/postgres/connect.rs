//! How a server is reached: as an administrator, who makes tables, and as the role of data traffic.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long a connection may take to be made.
const CONNECT_SECONDS_MAX: u64 = 5;

/// TLS, where the server is reached over TCP.
#[derive(Clone)]
pub struct Tls(MakeRustlsConnect);

impl MakeTlsConnect<Socket> for Tls {
    type Stream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;
    type TlsConnect = <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect;
    type Error = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Error;

    fn make_tls_connect(&mut self, host: &str) -> Result<Self::TlsConnect, Self::Error> {
        // A unix socket has no name, which is no name for a certificate; none is looked at there.
        let host = if host.is_empty() { "localhost" } else { host };
        MakeTlsConnect::<Socket>::make_tls_connect(&mut self.0, host)
    }
}

/// A way to a server.
#[derive(Clone)]
pub struct Access {
    config: Config,
    tls: Tls,
    /// Whether databases and roles may be made there.
    owned: bool,
}

/// Who data traffic is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// The role of data traffic with its password; `None`: that of the URL, for everything.
    pub data: Option<(String, String)>,
}

impl Access {
    /// Over a unix socket in a folder.
    pub fn local(folder: &Path, user: &str, password: &str) -> Self {
        let mut config = Config::new();
        config.host_path(folder).user(user).password(password).ssl_mode(SslMode::Disable).dbname("postgres");
        Self { config: bounded(config), tls: tls(), owned: true }
    }

    /// By a URL or a list of `key=value`, as libpq writes them.
    ///
    /// Errors: what is wrong with it, without its password.
    pub fn url(url: &str) -> Result<Self, String> {
        let config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            format!("the URL of PostgreSQL cannot be read: {error}; it is `postgres://USER:PASSWORD@HOST:PORT/DATABASE`")
        })?;
        if config.get_hosts().is_empty() {
            return Err(
                "the URL of PostgreSQL names no host: it is `postgres://USER:PASSWORD@HOST:PORT/DATABASE`"
                    .to_owned(),
            );
        }
        Ok(Self { config: bounded(config), tls: tls(), owned: false })
    }

    /// Whether databases and roles may be made there.
    pub fn is_owned(&self) -> bool {
        self.owned
    }

    /// The database that the URL names.
    pub fn database(&self) -> Option<&str> {
        self.config.get_dbname().filter(|_| !self.owned)
    }

    /// The same to another database.
    #[must_use]
    pub fn to_database(&self, name: &str) -> Self {
        let mut access = self.clone();
        access.config.dbname(name);
        access
    }

    /// The same as another role.
    #[must_use]
    pub fn as_role(&self, roles: &Roles) -> Self {
        let mut access = self.clone();
        if let Some((user, password)) = &roles.data {
            access.config.user(user).password(password);
        }
        access
    }

    /// The same with settings of the session.
    #[must_use]
    pub fn with_settings(&self, settings: &[(&str, &str)]) -> Self {
        let mut access = self.clone();
        let written: Vec<String> =
            settings.iter().map(|(name, value)| format!("-c {name}={}", value.replace(' ', "\\ "))).collect();
        let before = access.config.get_options().unwrap_or_default().to_owned();
        access.config.options(format!("{before} {}", written.join(" ")).trim());
        access
    }

    /// Its parts, for a pool.
    pub(super) fn parts(&self) -> (Config, Tls) {
        (self.config.clone(), self.tls.clone())
    }

    /// One connection. It ends when the client is dropped.
    pub async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = self.config.connect(self.tls.clone()).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to PostgreSQL ended");
            }
        });
        Ok(client)
    }
}

fn bounded(mut config: Config) -> Config {
    config.connect_timeout(std::time::Duration::from_secs(CONNECT_SECONDS_MAX)).application_name("hearth");
    config
}

/// With the certificates that this machine trusts.
fn tls() -> Tls {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = match builder {
        Ok(builder) => builder.with_root_certificates(roots).with_no_client_auth(),
        // The provider has all of them.
        Err(_) => ClientConfig::builder().with_root_certificates(roots).with_no_client_auth(),
    };
    Tls(MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_and_what_is_none_is_said_without_its_password() {
        let access = Access::url("postgres://me:secret@db.example:6000/shop").unwrap();
        assert_eq!(access.database(), Some("shop"));
        assert!(!access.is_owned());
        for url in ["postgres://me:secret@[", "postgres://me:secret@db/shop?nonsense=secret", "dbname=shop"] {
            let error = Access::url(url).err().unwrap();
            assert!(error.contains("postgres://USER") && !error.contains("secret"), "{error}");
        }
    }
}
