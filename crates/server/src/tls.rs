//! TLS: a certificate chain and its key, HTTP/2 offered first.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read or is not PEM.
    #[error("`{path}` cannot be read as PEM: {reason}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The key and the certificate do not go together, or are of an unsupported kind.
    #[error("the certificate and its key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// A listener's certificate.
#[derive(Clone)]
pub struct Tls {
    pub(crate) config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads a PEM certificate chain and its PEM key.
    pub fn read(certificates: &Path, key: &Path) -> Result<Self, TlsError> {
        let bad = |path: &Path| {
            let path = path.to_owned();
            move |error: rustls_pki_types::pem::Error| TlsError::Pem { path, reason: error.to_string() }
        };
        let chain = CertificateDer::pem_file_iter(certificates)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(bad(certificates))?;
        let key_der = PrivateKeyDer::from_pem_file(key).map_err(bad(key))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key_der)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config) })
    }
}
