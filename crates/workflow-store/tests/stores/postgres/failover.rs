//! A primary and a standby that follows it, both named in the URL.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::AtomicBool;
use std::thread;

use futures::executor::block_on;
use workflow_core::ids::RunId;
use workflow_core::store::{RunStore as _, StoreError};
use workflow_testkit::postgres::{Server, anywhere, server_command};

use super::trouble::drive;
use super::*;
use crate::fixture::*;

/// How many runs are driven while the primary is killed.
const RUNS: usize = 64;

/// A primary, its standby, and the URL that names both.
struct Pair {
    primary: Server,
    standby: Server,
    url: String,
}

impl Pair {
    fn start() -> Self {
        let primary = Server::start(&anywhere(), false).unwrap();
        let standby = primary.standby(&anywhere()).unwrap();
        let hosts = [&primary, &standby].map(|server| of(&server.url(), "host="));
        // The standby is named first: it is not used, because it is not writable.
        let url = primary.url().replace(&hosts[0], &format!("{},{}", hosts[1], hosts[0]));
        Self { primary, standby, url }
    }

    /// The standby has everything that the primary acknowledges.
    fn synchronous() -> Self {
        let pair = Self::start();
        Self::ask(&pair.primary, "ALTER SYSTEM SET synchronous_standby_names = '*'");
        Self::ask(&pair.primary, "SELECT pg_reload_conf()");
        Self::wait(&pair.primary, "SELECT sync_state FROM pg_stat_replication", "sync");
        pair
    }

    /// Runs a query on the primary or the standby.
    fn ask(server: &Server, sql: &str) -> Vec<String> {
        query(&server.url(), sql)
    }

    /// Waits until a query returns this.
    fn wait(server: &Server, sql: &str, wanted: &str) {
        while Self::ask(server, sql) != [wanted] {
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills the primary, and makes the standby the primary.
    fn fail_over(&mut self) {
        self.primary.stop().unwrap();
        Self::ask(&self.standby, "SELECT pg_promote()");
    }
}

/// PgBouncer in transaction mode, on a Unix socket.
struct Pooler {
    folder: PathBuf,
    process: Child,
}

impl Pooler {
    fn start(server: &Server) -> Self {
        let folder = tempfile::Builder::new().prefix("pooler-").tempdir_in(anywhere()).unwrap().keep();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
        Self::configure(&folder, server);
        let mut process = server_command("pgbouncer")
            .arg(folder.join("pgbouncer.ini"))
            .current_dir("/")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while UnixStream::connect(folder.join(".s.PGSQL.6432")).is_err() {
            let ended = process.try_wait().unwrap();
            assert_eq!(ended, None, "pgbouncer has ended; the tests need it: `apt install pgbouncer`");
            thread::sleep(Duration::from_millis(20));
        }
        Self { folder, process }
    }

    fn configure(folder: &Path, server: &Server) {
        let (host, place) = (of(&server.url(), "host="), folder.display());
        let text = format!(
            "[databases]\npostgres = host={host} user=workflow\n[pgbouncer]\nauth_type = any\n\
             pool_mode = transaction\nunix_socket_dir = {place}\nlisten_port = 6432\nlogfile = {place}/log\n\
             server_login_retry = 0\nignore_startup_parameters = extra_float_digits\n"
        );
        std::fs::write(folder.join("pgbouncer.ini"), text).unwrap();
    }

    fn url(&self) -> String {
        format!("host={} port=6432 user=workflow dbname=postgres", self.folder.display())
    }

    /// Reads its configuration again, which names another server.
    fn lead_to(&self, server: &Server) {
        Self::configure(&self.folder, server);
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The value of `key` in pairs.
fn of(pairs: &str, key: &str) -> String {
    pairs.split(' ').find_map(|pair| pair.strip_prefix(key)).unwrap().to_owned()
}

#[test]
fn a_synchronous_standby_takes_over_and_nothing_that_was_acknowledged_is_lost() {
    let pair = Pair::synchronous();
    let options = PostgresOptions::new(&pair.url);
    keeps_what_was_acknowledged(pair, options, RUNS, |_| {});
}

#[test]
fn the_same_behind_a_pooler_in_transaction_mode_that_is_led_to_the_new_primary() {
    let pair = Pair::synchronous();
    let pooler = Pooler::start(&pair.primary);
    let options = PostgresOptions::new(pooler.url()).listen_url(&pair.url).prepared_statements(false);
    keeps_what_was_acknowledged(pair, options, 16, |standby| pooler.lead_to(standby));
}

/// Drives runs while the primary is killed. `then` is called with the new primary.
fn keeps_what_was_acknowledged(
    mut pair: Pair,
    options: PostgresOptions,
    runs: usize,
    then: impl FnOnce(&Server),
) {
    let store = options.lease_time(Duration::from_secs(600)).open().unwrap();
    let runs: Vec<RunId> = (0..runs).map(|number| id(&format!("r{number}"))).collect();
    for run in &runs {
        let lease = create(&store, run.as_str());
        block_on(store.release(lease)).unwrap();
    }
    let stop = AtomicBool::new(false);
    let until_all_have = |events: u64| {
        let far = |run| block_on(store.events(run, events, 1)).is_ok_and(|found| !found.is_empty());
        while !runs.iter().all(far) {
            thread::yield_now();
        }
    };
    let stored: Vec<u64> = thread::scope(|scope| {
        let drivers: Vec<_> = runs.iter().map(|run| scope.spawn(|| drive(&store, run, &stop))).collect();
        until_all_have(10);
        pair.fail_over();
        then(&pair.standby);
        until_all_have(30);
        stop.store(true, Ordering::Relaxed);
        drivers.into_iter().map(|driver| driver.join().unwrap()).collect()
    });
    for (run, stored) in runs.iter().zip(stored) {
        let read = numbers(&events(&store, run));
        assert_eq!(read, (1..=read.len() as u64).collect::<Vec<_>>(), "{run}");
        // The last append may have been stored without being read back.
        assert!((stored..=stored + 1).contains(&(read.len() as u64)), "{run}: {stored} of {}", read.len());
    }
}

#[test]
fn an_asynchronous_standby_that_lacks_a_lease_fences_its_holder_off() {
    let mut pair = Pair::start();
    let (store, other) = (PostgresStore::open(&pair.url).unwrap(), PostgresStore::open(&pair.url).unwrap());
    let lease = create(&store, "r1");
    block_on(store.release(lease)).unwrap();
    let position = Pair::ask(&pair.primary, "SELECT pg_current_wal_lsn()").remove(0);
    Pair::wait(&pair.standby, &format!("SELECT pg_last_wal_replay_lsn() >= '{position}'::pg_lsn"), "t");
    // From here on the standby receives nothing.
    Pair::ask(&pair.standby, "ALTER SYSTEM SET primary_conninfo = ''");
    Pair::ask(&pair.standby, "SELECT pg_reload_conf()");
    Pair::wait(&pair.standby, "SELECT count(*) FROM pg_stat_wal_receiver", "0");
    let lost = block_on(store.claim(&id("r1"))).unwrap();
    append(&store, &lost, 1, &[started(2)]).unwrap();
    pair.fail_over();

    // The sequence of epochs went back, and may give out the same number again.
    let lease = loop {
        match block_on(other.claim(&id("r1"))) {
            Ok(lease) => break lease,
            Err(error) => assert!(matches!(error, StoreError::Io { .. }), "{error}"),
        }
    };
    append(&other, &lease, 1, &[started(2)]).unwrap();
    let refused = loop {
        match append(&store, &lost, 2, &[succeeded(3)]) {
            Err(StoreError::Io { .. }) => {}
            answer => break answer,
        }
    };
    assert!(matches!(refused, Err(StoreError::Fenced(_))), "{refused:?}");
    append(&other, &lease, 2, &[succeeded(3)]).unwrap();
    assert_eq!(numbers(&events(&other, &id("r1"))), [1, 2, 3]);
}

#[test]
fn a_server_that_accepts_connections_and_does_not_answer_is_passed_over() {
    let server = Server::start(&anywhere(), false).unwrap();
    let folder = tempfile::tempdir_in(anywhere()).unwrap();
    let silent = std::os::unix::net::UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
    let host = of(&server.url(), "host=");
    let both = format!("{},{host}", folder.path().display());
    let url = server.url().replace(&host, &both);
    let store = PostgresOptions::new(url).time_limit(Duration::from_secs(2)).open().unwrap();
    create(&store, "r1");
    drop(silent);
}

#[test]
fn where_no_host_can_be_used_each_of_them_says_why() {
    let pair = Pair::start();
    let standby = of(&pair.standby.url(), "host=");
    let nowhere = tempfile::tempdir().unwrap();
    let url = pair.standby.url().replace(&standby, &format!("{standby},{}", nowhere.path().display()));
    let error = PostgresOptions::new(url).open().unwrap_err().to_string();
    for words in
        [format!("{standby}: database does not allow writes"), format!("{}: ", nowhere.path().display())]
    {
        assert!(error.contains(&words), "{error}");
    }
}
