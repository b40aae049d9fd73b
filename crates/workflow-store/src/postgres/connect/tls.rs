//! TLS to the server: its settings, the trusted certificates, and the client's own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WantsClientCert, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};

use super::pgpass::is_private;

/// `sslmode`, with the meanings that libpq gives it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum SslMode {
    /// No TLS.
    Disable,
    /// TLS if the server offers it; its certificate is not checked.
    #[default]
    Prefer,
    /// TLS; the certificate is not checked, unless there is an `sslrootcert`.
    Require,
    /// TLS; the certificate is signed by a trusted authority.
    VerifyCa,
    /// Like `VerifyCa`, and the certificate names the host.
    VerifyFull,
}

/// The TLS settings of a URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::postgres) struct TlsSettings {
    pub(super) mode: SslMode,
    /// The file with the certificates of trusted authorities; the default are those of the system.
    root: Option<PathBuf>,
    /// The file with the client's certificate, and those of the authorities between it and a trusted one.
    certificate: Option<PathBuf>,
    /// The file with the key of the client's certificate.
    key: Option<PathBuf>,
}

impl SslMode {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(match text {
            "disable" => Self::Disable,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => {
                return Err("`sslmode` must be disable, prefer, require, verify-ca or verify-full".to_owned());
            }
        })
    }

    /// Whether the server is authenticated.
    pub(super) fn verifies(self) -> bool {
        matches!(self, Self::VerifyCa | Self::VerifyFull)
    }
}

impl TlsSettings {
    #[cfg(test)]
    pub(super) fn of(mode: SslMode, root: Option<&str>) -> Self {
        Self { mode, root: root.map(PathBuf::from), ..Self::default() }
    }

    /// Takes a parameter of the URL, if it is one of TLS.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<bool, String> {
        match key {
            "sslmode" => self.mode = SslMode::parse(value)?,
            "sslrootcert" if value == "system" => self.root = None,
            "sslrootcert" => self.root = Some(PathBuf::from(value)),
            "sslcert" => self.certificate = Some(PathBuf::from(value)),
            "sslkey" => self.key = Some(PathBuf::from(value)),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// To be called once all parameters are set.
    pub(super) fn complete(&mut self) -> Result<(), String> {
        if self.mode == SslMode::Require && self.root.is_some() {
            self.mode = SslMode::VerifyCa;
        }
        match (&self.certificate, &self.key) {
            (Some(_), None) => Err("`sslcert` needs `sslkey`, the file with its key".to_owned()),
            (None, Some(_)) => Err("`sslkey` needs `sslcert`, the file with its certificate".to_owned()),
            _ => Ok(()),
        }
    }

    /// The configuration of the TLS library.
    pub(super) fn client_config(&self) -> Result<ClientConfig, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be used: {error}"))?;
        let verifier: Arc<dyn ServerCertVerifier> = match self.mode {
            SslMode::VerifyFull => {
                return self.with_own_certificate(builder.with_root_certificates(self.roots()?));
            }
            SslMode::VerifyCa => {
                let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(self.roots()?), provider)
                    .build()
                    .map_err(|error| format!("`sslrootcert`: {error}"))?;
                Arc::new(AnyName(inner))
            }
            _ => Arc::new(AnyCertificate(provider)),
        };
        self.with_own_certificate(builder.dangerous().with_custom_certificate_verifier(verifier))
    }

    /// Adds the client's certificate, if it has one.
    fn with_own_certificate(
        &self,
        builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    ) -> Result<ClientConfig, String> {
        let (Some(certificate), Some(key)) = (&self.certificate, &self.key) else {
            return Ok(builder.with_no_client_auth());
        };
        let chain = certificates("sslcert", certificate)?;
        let problem = |error: &dyn std::fmt::Display| format!("`sslkey` {}: {error}", key.display());
        if !is_private(key) {
            return Err(problem(&"others can read it: run `chmod 0600` on it"));
        }
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| problem(&error))?;
        builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| format!("`sslcert` and `sslkey` cannot be used: {error}"))
    }

    fn roots(&self) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        let Some(path) = &self.root else {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err("the system has no certificates of authorities: name a file with certificates \
                     with `sslrootcert`"
                    .to_owned());
            }
            return Ok(roots);
        };
        for certificate in certificates("sslrootcert", path)? {
            roots.add(certificate).map_err(|error| format!("`sslrootcert` {}: {error}", path.display()))?;
        }
        Ok(roots)
    }
}

/// The certificates in the file that the parameter `name` names; at least one.
fn certificates(name: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let problem = |error: &dyn std::fmt::Display| format!("`{name}` {}: {error}", path.display());
    let found = CertificateDer::pem_file_iter(path).map_err(|error| problem(&error))?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| problem(&error))?;
    if found.is_empty() { Err(problem(&"there is no certificate in it")) } else { Ok(found) }
}

/// Accepts any certificate: encryption without authentication.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Accepts a certificate of a trusted authority, whichever host it names.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.0.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            // The verifier checks the name last.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_that_cannot_be_read_are_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (empty, missing) = (folder.path().join("empty.pem"), folder.path().join("missing.pem"));
        std::fs::write(&empty, "no certificate").unwrap();
        for path in [empty, missing] {
            for mode in [SslMode::VerifyCa, SslMode::VerifyFull] {
                let settings = TlsSettings { mode, root: Some(path.clone()), ..TlsSettings::default() };
                let error = settings.client_config().unwrap_err();
                assert!(error.contains(path.to_str().unwrap()), "{error}");
            }
        }
    }
}
