//! The URL of a database, or `key=value` pairs: what the client library reads itself, and the parameters of libpq that
//! it does not know.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, TargetSessionAttrs};

use super::password::Password;
use super::service_file;
use super::tls::TlsSettings;

/// What a URL says.
#[derive(Debug, Default)]
pub(in crate::postgres) struct Settings {
    pub(in crate::postgres) config: Config,
    pub(in crate::postgres) tls: TlsSettings,
    pub(in crate::postgres) password: Password,
    /// The schema of the tables.
    pub(in crate::postgres) schema: Option<String>,
}

/// The parameters that the client library does not know, or not in full.
#[derive(Debug, Default, PartialEq)]
struct Taken {
    tls: TlsSettings,
    password: Password,
    schema: Option<String>,
    session: Option<TargetSessionAttrs>,
    service: Option<String>,
    service_file: Option<PathBuf>,
    /// The names of all parameters.
    keys: BTreeSet<String>,
}

const UNREADABLE: &str = "the URL of the database cannot be read: write \
    postgres://user:password@host:port/database, with %XX for reserved characters";

impl Settings {
    /// Reads a URL or pairs, and the service file if they name a service.
    pub(in crate::postgres) fn read(url: &str) -> Result<Self, String> {
        let (mut taken, mut rest) = Taken::from(url)?;
        let mut config = parse(&rest)?;
        if let Some(service) = taken.service.clone() {
            for (key, value) in taken.parameters_of(&service)? {
                let is_given = taken.keys.contains(&key) || is_set(&config, &key);
                if !is_given && !taken.set(&key, &value)? {
                    rest = with(&rest, &key, &value);
                }
            }
            config = parse(&rest)?;
        }
        taken.tls.complete()?;
        if let Some(session) = taken.session {
            config.target_session_attrs(session);
        } else if config.get_hosts().len().max(config.get_hostaddrs().len()) > 1 {
            // One of them is a standby, which accepts no writes.
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        Ok(Self { config, tls: taken.tls, password: taken.password, schema: taken.schema })
    }
}

impl Taken {
    /// Takes the parameters out of a URL or pairs. Returns what is left too.
    fn from(url: &str) -> Result<(Self, String), String> {
        let mut taken = Self::default();
        let mut set = |key: &str, value: String| {
            taken.keys.insert(key.to_owned());
            taken.set(key, &value)
        };
        let rest =
            if is_url(url) { take_from_query(url, &mut set)? } else { take_from_pairs(url, &mut set)? };
        Ok((taken, rest))
    }

    /// Takes a parameter, if it is one that the client library does not know.
    fn set(&mut self, key: &str, value: &str) -> Result<bool, String> {
        match key {
            "schema" => self.schema = Some(value.to_owned()),
            "passfile" => self.password = Password::PassFile(PathBuf::from(value)),
            "password_file" => self.password = Password::File(PathBuf::from(value)),
            "password_command" => self.password = Password::Command(value.to_owned()),
            "service" => self.service = Some(value.to_owned()),
            "servicefile" => self.service_file = Some(PathBuf::from(value)),
            "target_session_attrs" => self.session = Some(session(value)?),
            _ => return self.tls.set(key, value),
        }
        Ok(true)
    }

    fn parameters_of(&self, service: &str) -> Result<Vec<(String, String)>, String> {
        let path = self
            .service_file
            .clone()
            .or_else(default_service_file)
            .ok_or("`service` needs a service file: set PGSERVICEFILE, or name it with `servicefile`")?;
        let problem = |error: &dyn std::fmt::Display| format!("the service file {}: {error}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|error| problem(&error))?;
        service_file::find(&text, service).map_err(|error| problem(&error))
    }
}

/// `PGSERVICEFILE`, or `.pg_service.conf` in the user's home.
fn default_service_file() -> Option<PathBuf> {
    let named = std::env::var_os("PGSERVICEFILE").map(PathBuf::from);
    named.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".pg_service.conf")))
}

/// A store writes, so only values that can lead to a writable server are possible.
fn session(value: &str) -> Result<TargetSessionAttrs, String> {
    match value {
        "any" => Ok(TargetSessionAttrs::Any),
        "read-write" | "primary" => Ok(TargetSessionAttrs::ReadWrite),
        _ => Err("`target_session_attrs` must be any, read-write or primary: a store writes".to_owned()),
    }
}

fn parse(url: &str) -> Result<Config, String> {
    // The parser's own message could repeat a part of the password.
    let config: Config = url.parse().map_err(|_| UNREADABLE)?;
    // If a password contains `@`, the rest of it would be shown as the name of the host.
    let is_torn = |host: &Host| matches!(host, Host::Tcp(name) if name.contains('@'));
    if config.get_hosts().iter().any(is_torn) { Err(UNREADABLE.to_owned()) } else { Ok(config) }
}

/// Whether a URL sets the parameter outside of its query.
fn is_set(config: &Config, key: &str) -> bool {
    match key {
        "host" => !config.get_hosts().is_empty(),
        "port" => !config.get_ports().is_empty(),
        "user" => config.get_user().is_some(),
        "password" => config.get_password().is_some(),
        "dbname" => config.get_dbname().is_some(),
        _ => false,
    }
}

fn is_url(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// A URL or pairs with one parameter more.
fn with(url: &str, key: &str, value: &str) -> String {
    if is_url(url) {
        // Several hosts are one parameter each.
        let values = value.split(|c| key == "host" && c == ',');
        values.fold(url.to_owned(), |url, value| {
            let separator = if url.contains('?') { '&' } else { '?' };
            format!("{url}{separator}{key}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))
        })
    } else {
        format!("{url} {key}='{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
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

#[cfg(test)]
mod tests {
    use super::super::tls::SslMode;
    use super::*;

    #[test]
    fn parameters_of_tls_are_taken_out_of_a_url() {
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
            let (mut taken, left) = Taken::from(url).unwrap();
            taken.tls.complete().unwrap();
            assert_eq!((taken.tls, left.as_str()), (TlsSettings::of(mode, root), rest), "{url}");
        }
    }

    #[test]
    fn an_unknown_mode_is_an_error_that_names_the_known_ones() {
        for url in ["postgres://h?sslmode=verify", "host=h sslmode=allow"] {
            assert!(Taken::from(url).unwrap_err().contains("verify-full"), "{url}");
        }
    }

    #[test]
    fn a_service_adds_what_the_url_does_not_say() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("services");
        std::fs::write(
            &file,
            "[db]\nhost=a.example,b.example\nport=5433\nuser=ann\npassword=it's \\ secret\ndbname=engine\nschema=s\nsslmode=require\n",
        )
        .unwrap();
        let file = file.display().to_string();
        for (url, user, database, ports) in [
            (format!("service=db servicefile='{file}'"), "ann", "engine", vec![5433]),
            (format!("service=db servicefile='{file}' user=bob port=1"), "bob", "engine", vec![1]),
            (format!("postgres:///other?service=db&servicefile={file}"), "ann", "other", vec![5433]),
            (format!("postgres://eve@/?servicefile={file}&service=db"), "eve", "engine", vec![5433]),
        ] {
            let Settings { config, tls, schema, .. } = Settings::read(&url).unwrap();
            assert_eq!(config.get_user(), Some(user), "{url}");
            assert_eq!(config.get_dbname(), Some(database), "{url}");
            assert_eq!(config.get_password(), Some(&b"it's \\ secret"[..]), "{url}");
            assert_eq!((config.get_hosts().len(), config.get_ports()), (2, &*ports), "{url}");
            assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite, "{url}");
            assert_eq!(
                (tls, schema.as_deref()),
                (TlsSettings::of(SslMode::Require, None), Some("s")),
                "{url}"
            );
        }
        for (url, words) in [
            ("service=none servicefile='FILE'", "it has no section `[none]`"),
            ("service=db servicefile=/nowhere", "the service file /nowhere"),
            ("host=h target_session_attrs=standby", "a store writes"),
            ("host=h sslcert=c", "`sslcert` needs `sslkey`"),
            ("host=h sslkey=k", "`sslkey` needs `sslcert`"),
        ] {
            let error = Settings::read(&url.replace("FILE", &file)).unwrap_err();
            assert!(error.contains(words), "{url}: {error}");
        }
    }
}
