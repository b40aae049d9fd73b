//! TLS to the server: the URL's TLS settings, and the trusted certificates.

use std::path::PathBuf;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

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
pub(super) struct TlsSettings {
    pub(super) mode: SslMode,
    /// The file with the certificates of trusted authorities; the default are those of the system.
    root: Option<PathBuf>,
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
    /// Removes `sslmode` and `sslrootcert` from a URL or `key=value` pairs: the client library does not
    /// support all values of the first, nor the second.
    pub(super) fn take(url: &str) -> Result<(Self, String), String> {
        let mut settings = Self::default();
        let mut mode = None;
        let mut set = |key: &str, value: String| -> Result<bool, String> {
            match key {
                "sslmode" => mode = Some(SslMode::parse(&value)?),
                "sslrootcert" if value == "system" => settings.root = None,
                "sslrootcert" => settings.root = Some(PathBuf::from(value)),
                _ => return Ok(false),
            }
            Ok(true)
        };
        let rest = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            take_from_query(url, &mut set)?
        } else {
            take_from_pairs(url, &mut set)?
        };
        settings.mode = mode.unwrap_or_default();
        if settings.mode == SslMode::Require && settings.root.is_some() {
            settings.mode = SslMode::VerifyCa;
        }
        Ok((settings, rest))
    }

    /// The configuration of the TLS library.
    pub(super) fn client_config(&self) -> Result<ClientConfig, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be used: {error}"))?;
        let verifier: Arc<dyn ServerCertVerifier> = match self.mode {
            SslMode::VerifyFull => {
                return Ok(builder.with_root_certificates(self.roots()?).with_no_client_auth());
            }
            SslMode::VerifyCa => {
                let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(self.roots()?), provider)
                    .build()
                    .map_err(|error| format!("`sslrootcert`: {error}"))?;
                Arc::new(AnyName(inner))
            }
            _ => Arc::new(AnyCertificate(provider)),
        };
        Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
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
        let problem = |error: &dyn std::fmt::Display| format!("`sslrootcert` {}: {error}", path.display());
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| problem(&error))? {
            let certificate = certificate.map_err(|error| problem(&error))?;
            roots.add(certificate).map_err(|error| problem(&error))?;
        }
        if roots.is_empty() { Err(problem(&"there is no certificate in it")) } else { Ok(roots) }
    }
}

type Set<'a> = &'a mut dyn FnMut(&str, String) -> Result<bool, String>;

fn take_from_query(url: &str, set: Set<'_>) -> Result<String, String> {
    let Some((base, query)) = url.split_once('?') else { return Ok(url.to_owned()) };
    let mut rest = Vec::new();
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent_decode_str(value)
            .decode_utf8()
            .map_err(|_| format!("the value of `{key}` in the URL is not UTF-8"))?;
        if !set(key, value.into_owned())? {
            rest.push(pair);
        }
    }
    Ok(if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) })
}

/// Values may be quoted with single quotes; a backslash escapes the next character.
fn take_from_pairs(text: &str, set: Set<'_>) -> Result<String, String> {
    let mut rest = String::new();
    let mut left = text.trim_start();
    while !left.is_empty() {
        let Some((key, after)) = left.split_once('=') else {
            // The client library reports what is wrong with it.
            rest.push_str(left);
            break;
        };
        let after = after.trim_start();
        let (value, length) = quoted_value(after);
        if !set(key.trim(), value)? {
            rest.push_str(key.trim());
            rest.push('=');
            rest.push_str(&after[..length]);
            rest.push(' ');
        }
        left = after[length..].trim_start();
    }
    Ok(rest)
}

/// The value at the start of `text`, and its length including quotes and escapes.
fn quoted_value(text: &str) -> (String, usize) {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut characters = text.char_indices().skip(usize::from(quoted));
    while let Some((at, c)) = characters.next() {
        match c {
            '\'' if quoted => return (value, at + 1),
            c if !quoted && c.is_whitespace() => return (value, at),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    (value, text.len())
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
    fn what_is_said_of_tls_is_taken_out_of_a_url() {
        let cases = [
            ("postgres://u:p@h/d", SslMode::Prefer, None, "postgres://u:p@h/d"),
            ("postgres://u@h/d?sslmode=disable", SslMode::Disable, None, "postgres://u@h/d"),
            (
                "postgresql://u@h/d?application_name=x&sslmode=verify-full&connect_timeout=3",
                SslMode::VerifyFull,
                None,
                "postgresql://u@h/d?application_name=x&connect_timeout=3",
            ),
            (
                "postgres://u@h/d?sslmode=verify-ca&sslrootcert=%2Fa%20b%2Fca.pem",
                SslMode::VerifyCa,
                Some("/a b/ca.pem"),
                "postgres://u@h/d",
            ),
            // As in libpq: `sslrootcert` implies that the certificate is verified.
            ("postgres://h?sslrootcert=ca&sslmode=require", SslMode::VerifyCa, Some("ca"), "postgres://h"),
            (
                "postgres://h?sslrootcert=system&sslmode=verify-full",
                SslMode::VerifyFull,
                None,
                "postgres://h",
            ),
            ("host=h user=u", SslMode::Prefer, None, "host=h user=u "),
            ("host = h sslmode = require user='a b'", SslMode::Require, None, "host=h user='a b' "),
            (
                r"password='it\'s = sslmode=x' sslrootcert='C:\\a\'b' sslmode='verify-full'",
                SslMode::VerifyFull,
                Some(r"C:\a'b"),
                r"password='it\'s = sslmode=x' ",
            ),
            ("host=h garbage", SslMode::Prefer, None, "host=h garbage"),
        ];
        for (url, mode, root, rest) in cases {
            let settings = TlsSettings { mode, root: root.map(PathBuf::from) };
            assert_eq!(TlsSettings::take(url), Ok((settings, rest.to_owned())), "{url}");
        }
    }

    #[test]
    fn an_unknown_mode_is_an_error_that_names_the_known_ones() {
        for url in ["postgres://h?sslmode=verify", "host=h sslmode=allow"] {
            assert!(TlsSettings::take(url).unwrap_err().contains("verify-full"), "{url}");
        }
    }

    #[test]
    fn authorities_that_cannot_be_read_are_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (empty, missing) = (folder.path().join("empty.pem"), folder.path().join("missing.pem"));
        std::fs::write(&empty, "no certificate").unwrap();
        for path in [empty, missing] {
            for mode in [SslMode::VerifyCa, SslMode::VerifyFull] {
                let settings = TlsSettings { mode, root: Some(path.clone()) };
                let error = settings.client_config().unwrap_err();
                assert!(error.contains(path.to_str().unwrap()), "{error}");
            }
        }
    }
}
