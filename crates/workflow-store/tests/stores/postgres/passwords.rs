//! Passwords from files and commands, on a server that asks for one.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use futures::executor::block_on;
use workflow_core::store::{RunFilter, RunStore as _};
use workflow_testkit::postgres::{Server, anywhere};

use super::*;

const HBA: &str = "local all workflow trust\nlocal all ann scram-sha-256\n";

fn server() -> Server {
    let server = Server::start_with(&anywhere(), false, &[], &[("pg_hba.conf", HBA)]).unwrap();
    query(&server.url(), "CREATE ROLE ann LOGIN SUPERUSER PASSWORD 'one'");
    server
}

fn private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_password_comes_from_a_file_or_a_command_and_never_shows() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let url = server.url().replace("user=workflow", "user=ann");
    private(&folder.path().join("pgpass"), "*:1:*:ann:wrong\n*:5432:postgres:ann:one\n");
    private(&folder.path().join("password"), "one\n");
    private(&folder.path().join("open"), "*:*:*:*:one\n");
    std::fs::set_permissions(folder.path().join("open"), Permissions::from_mode(0o644)).unwrap();
    private(&folder.path().join("services"), &format!("[db]\npassword_file={}\n", file("password")));
    for (source, refused) in [
        (format!("passfile={}", file("pgpass")), None),
        (format!("password_file={}", file("password")), None),
        ("password_command='printf \"on%s\" e'".to_owned(), None),
        (format!("service=db servicefile={}", file("services")), None),
        (format!("passfile={}", file("open")), Some("password")),
        (format!("password_file={}", file("none")), Some("the password file")),
        (
            "password_command='echo secret-word; exit 3'".to_owned(),
            Some("the password command failed: exit status: 3"),
        ),
        ("password_command=true".to_owned(), Some("printed nothing")),
    ] {
        let opened = PostgresOptions::new(format!("{url} {source} schema=passwords")).open();
        match (opened, refused) {
            (Ok(store), None) => assert!(format!("{store:?}").contains("`passwords`"), "{store:?}"),
            (Err(error), Some(words)) => {
                let error = error.to_string();
                assert!(error.contains(words), "{source}: {error}");
                assert!(!error.contains("secret-word"), "{error}");
            }
            (opened, _) => panic!("{source}: {opened:?}"),
        }
    }
}

#[test]
fn a_password_that_was_changed_is_read_again() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    private(&file, "one");
    let url = server.url().replace("user=workflow", "user=ann");
    let store = PostgresOptions::new(format!("{url} password_file={}", file.display())).open().unwrap();
    query(&server.url(), "ALTER ROLE ann PASSWORD 'two'");
    private(&file, "two");
    // Every connection is opened again.
    query(&server.url(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ann'");
    block_on(store.list(&RunFilter::default())).unwrap();
}
