//! Connections over TLS, to a server with a certificate.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;
use workflow_core::store::RunStore as _;
use workflow_store::{PostgresOptions, PostgresStore};
use workflow_testkit::postgres::{Server, anywhere};

/// The authentication methods: `plain` is asked for the password in clear text, the others are not.
const HBA: &str = "\
local   all all                  trust
hostssl all plain 127.0.0.1/32   password
hostssl all scram 127.0.0.1/32   scram-sha-256
hostssl all owner 127.0.0.1/32   cert
";

/// A server on 127.0.0.1 that supports TLS, with a certificate for `localhost`.
struct Secure {
    server: Server,
    port: u16,
    files: TempDir,
}

impl Secure {
    fn start() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = names.signed_by(&key, &authority).unwrap();
        let stranger = rcgen::generate_simple_self_signed(["stranger".to_owned()]).unwrap();

        let own_key = KeyPair::generate().unwrap();
        let mut own = CertificateParams::default();
        own.distinguished_name.push(DnType::CommonName, "owner");
        let own = own.signed_by(&own_key, &authority).unwrap();

        let files = tempfile::tempdir().unwrap();
        std::fs::write(files.path().join("owner.pem"), own.pem()).unwrap();
        std::fs::write(files.path().join("owner.key"), own_key.serialize_pem()).unwrap();
        std::fs::set_permissions(files.path().join("owner.key"), Permissions::from_mode(0o600)).unwrap();
        std::fs::write(files.path().join("ca.pem"), authority.pem()).unwrap();
        std::fs::write(files.path().join("stranger.pem"), stranger.cert.pem()).unwrap();
        // No other process gets the port in between: ports are assigned in turn.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            "ssl=on".to_owned(),
            "ssl_ca_file=ca.crt".to_owned(),
        ];
        let server = Server::start_with(
            &anywhere(),
            false,
            &settings.each_ref().map(String::as_str),
            &[
                ("ca.crt", &authority.pem()),
                ("server.crt", &certificate.pem()),
                ("server.key", &key.serialize_pem()),
                ("pg_hba.conf", HBA),
            ],
        )
        .unwrap();
        let secure = Self { server, port, files };
        secure.sql("CREATE ROLE plain LOGIN SUPERUSER PASSWORD 'hunter2'");
        secure.sql("CREATE ROLE scram LOGIN SUPERUSER PASSWORD 'hunter2'");
        secure.sql("CREATE ROLE owner LOGIN SUPERUSER");
        secure
    }

    /// Runs a statement on the server's Unix socket.
    fn sql(&self, statement: &str) {
        let url = format!("{} port={}", self.server.url(), self.port);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
            let connection = tokio::spawn(connection);
            client.batch_execute(statement).await.unwrap();
            drop(client);
            connection.await.unwrap().unwrap();
        });
    }

    fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// Opens a store with `options` in the URL, and uses it.
    fn open(&self, user: &str, host: &str, options: &str) -> Result<PostgresStore, String> {
        let url = format!("postgres://{user}:hunter2@{host}:{}/postgres?{options}", self.port);
        let store = PostgresOptions::new(url).open().map_err(|error| error.to_string())?;
        futures::executor::block_on(store.list(&workflow_core::store::RunFilter::default()))
            .map_err(|error| error.to_string())?;
        Ok(store)
    }
}

#[test]
fn a_server_is_believed_as_far_as_the_mode_says() {
    let server = Secure::start();
    let ca = format!("sslrootcert={}", server.file("ca.pem").display());
    let stranger = format!("sslrootcert={}", server.file("stranger.pem").display());
    for (host, options, refused) in [
        ("localhost", "sslmode=require".to_owned(), None),
        // The default.
        ("localhost", String::new(), None),
        ("localhost", format!("sslmode=verify-full&{ca}"), None),
        ("127.0.0.1", format!("sslmode=verify-ca&{ca}"), None),
        ("127.0.0.1", format!("sslmode=verify-full&{ca}"), Some("certificate")),
        ("localhost", format!("sslmode=verify-full&{stranger}"), Some("certificate")),
        ("localhost", format!("sslmode=verify-ca&{stranger}"), Some("certificate")),
        ("localhost", format!("sslmode=require&{stranger}"), Some("certificate")),
        ("localhost", "sslmode=verify-full".to_owned(), Some("certificate")),
        ("localhost", "sslmode=disable".to_owned(), Some("no encryption")),
    ] {
        match (server.open("scram", host, &options), refused) {
            (Ok(_), None) => {}
            (Err(error), Some(words)) => assert!(error.contains(words), "{host} {options}: {error}"),
            (Ok(_), Some(_)) => panic!("{host} {options}: it was let in"),
            (Err(error), None) => panic!("{host} {options}: {error}"),
        }
    }
    // Over TLS to an authenticated server, a password in clear text is safe.
    server.open("plain", "localhost", &format!("sslmode=verify-full&{ca}")).unwrap();
}

#[test]
fn a_client_is_authenticated_by_its_certificate() {
    let server = Secure::start();
    let ca = format!("sslmode=verify-full&sslrootcert={}", server.file("ca.pem").display());
    let (own, key) = (server.file("owner.pem"), server.file("owner.key"));
    let with = |certificate: &PathBuf, key: &PathBuf| {
        format!("{ca}&sslcert={}&sslkey={}", certificate.display(), key.display())
    };
    server.open("owner", "localhost", &with(&own, &key)).unwrap();
    let refused = |options: &str| server.open("owner", "localhost", options).err().unwrap();
    assert!(refused(&ca).contains("certificate"), "{}", refused(&ca));
    assert!(refused(&with(&own, &own)).contains("`sslkey`"), "{}", refused(&with(&own, &own)));
    assert!(refused(&with(&key, &key)).contains("no certificate"), "{}", refused(&with(&key, &key)));
    std::fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    assert!(refused(&with(&own, &key)).contains("chmod 0600"), "{}", refused(&with(&own, &key)));
}
