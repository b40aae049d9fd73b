//! `--metrics`: figures for Prometheus, and checks for an orchestrator.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use prometheus_parse::{Scrape, Value};
use rustix::process::Signal;
use serde_json::Value as Json;

use super::home::{Home, Started, until};

const STAGES: [(&str, &str); 2] =
    [("one", "touch begun; until test -e gate; do sleep 0.02; done"), ("two", "echo said; exit 3")];

/// An address that nothing listens at. No other process gets the port in between: ports are assigned in turn.
fn address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// The status and the body of a page.
fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The figures, by name and labels: those of histograms are their counts.
fn figures(address: &str) -> HashMap<String, f64> {
    let (status, text) = get(address, "/metrics");
    assert_eq!(status, 200, "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    let lines = text.lines().map(|line| Ok(line.to_owned()));
    let scrape = Scrape::parse(lines).unwrap();
    let figures = scrape.samples.into_iter().map(|sample| {
        let mut labels: Vec<_> =
            sample.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        labels.sort_unstable();
        let value = match sample.value {
            Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => value,
            Value::Histogram(_) | Value::Summary(_) => f64::NAN,
        };
        (format!("{}{{{}}}", sample.metric, labels.join(",")), value)
    });
    figures.collect()
}

fn worker(home: &Home, address: &str) -> Started {
    let mut worker = home.start(&["worker", "--metrics", address]);
    worker.wait_for_stderr(&format!("metrics at http://{address}/metrics"));
    worker
}

#[test]
fn a_worker_tells_what_it_does_and_what_it_took_over() {
    let home = Home::with_stages(&STAGES);
    let (first, second) = (address(), address());
    let dies = worker(&home, &first);
    assert_eq!(get(&first, "/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(get(&first, "/readyz"), (200, "ready\n".to_owned()));
    assert_eq!(get(&first, "/other").0, 404);
    for run in ["a", "b"] {
        let left = home.run(&["run", "stages.workflow.yml", "--run-id", run, "--detach"]);
        assert_eq!(left.code, Some(0), "{left:?}");
    }
    until("both calls", || figures(&first).get("workflow_calls{provider=command}") == Some(&2.0));
    let of = |figures: &HashMap<String, f64>, name: &str| figures.get(name).copied().unwrap_or(0.0);
    let now = figures(&first);
    for (name, value) in [
        ("workflow_runs{status=running}", 2.0),
        ("workflow_pending_runs{longer_than=10}", 0.0),
        ("workflow_driven_runs{}", 2.0),
        ("workflow_run_start_delay_seconds_count{}", 2.0),
        ("workflow_takeovers_total{}", 0.0),
    ] {
        assert!((of(&now, name) - value).abs() < 0.5, "{name}: {now:#?}");
    }
    assert!(of(&now, "workflow_events_total{}") >= 6.0, "{now:#?}");

    dies.signal(Signal::KILL);
    dies.wait();
    let takes_over = worker(&home, &second);
    home.write("gate", "");
    until("the end", || of(&figures(&second), "workflow_runs_ended_total{status=failed}") > 1.5);
    let now = figures(&second);
    for (name, value) in [
        ("workflow_takeovers_total{}", 2.0),
        ("workflow_runs{status=failed}", 2.0),
        ("workflow_runs{status=running}", 0.0),
        ("workflow_calls{provider=command}", 0.0),
        // The first stage of each run, made again; what the first worker began is not counted here.
        ("workflow_attempts_total{outcome=succeeded,provider=command}", 2.0),
        ("workflow_attempts_total{outcome=transient,provider=command}", 2.0),
        ("workflow_attempt_seconds_count{provider=command}", 4.0),
        ("workflow_output_entries_total{}", 2.0),
        ("workflow_output_gaps_total{}", 0.0),
    ] {
        assert!((of(&now, name) - value).abs() < 0.5, "{name}: {now:#?}");
    }
    until("the runs are left", || of(&figures(&second), "workflow_driven_runs{}") < 0.5);
    takes_over.signal(Signal::TERM);
    assert_eq!(takes_over.wait().code, Some(0));
}

#[test]
fn a_server_whose_store_is_gone_is_alive_and_not_ready() {
    let home = Home::with_stages(&STAGES).on("file:runs");
    let (api, metrics) = (address(), address());
    let mut server = home.start(&["serve", "--listen", &api, "--metrics", &metrics]);
    server.wait_for_stderr("metrics at http://");
    until("it is ready", || get(&metrics, "/readyz").0 == 200);
    assert_eq!(figures(&metrics).get("workflow_store_up{}"), Some(&1.0));
    std::fs::remove_dir_all(home.path("runs")).unwrap();
    until("it is not ready", || get(&metrics, "/readyz").0 == 503);
    assert!(get(&metrics, "/readyz").1.contains("runs"), "{:?}", get(&metrics, "/readyz"));
    let now = figures(&metrics);
    assert_eq!(now.get("workflow_store_up{}"), Some(&0.0), "{now:#?}");
    assert_eq!(now.get("workflow_driven_runs{}"), Some(&0.0), "{now:#?}");
    assert!(!now.keys().any(|name| name.starts_with("workflow_runs{")), "{now:#?}");
    let failed = "workflow_store_errors_total{operation=read,reason=unavailable}";
    assert!(now.get(failed).is_some_and(|count| *count > 0.5), "{now:#?}");
    assert_eq!(get(&metrics, "/healthz").0, 200);
    server.signal(Signal::TERM);
    server.wait();
}

#[test]
fn an_address_that_is_taken_is_refused_before_anything_is_driven() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for command in ["worker", "serve"] {
        let refused = home.run(&[command, "--metrics", &address]);
        assert!(refused.code == Some(2) && refused.stderr.contains(&address), "{refused:?}");
    }
    assert!(!home.own_files_exist());
}

#[test]
fn the_log_is_json_where_that_is_asked_for() {
    let home = Home::with_stages(&[("one", "true")]);
    let mut command = home.command(&["run", "stages.workflow.yml"]);
    command.env("WORKFLOW_LOG", "debug").env("WORKFLOW_LOG_FORMAT", "json");
    let ended = super::home::Started::of(&mut command).wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let logged: Vec<Json> = ended
        .stderr
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        logged.iter().any(|line| line["span"]["run"].is_string() || line["spans"].is_array()),
        "{logged:#?}"
    );
}

/// Every figure that the dashboard shows is one that is served, and the guide has all of them.
#[test]
fn the_dashboard_shows_the_figures_that_are_served() {
    let names = include_str!("../../../../crates/workflow-service/src/metrics/names.rs");
    let names = names.lines().filter_map(|line| line.strip_prefix("pub const "));
    let names: Vec<_> = names.filter_map(|line| line.split('"').nth(1)).collect();
    assert!(names.len() > 15, "{names:?}");
    let dashboard = include_str!("../../../operate/grafana.json");
    serde_json::from_str::<Json>(dashboard).unwrap();
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let shown: Vec<_> = dashboard
        .split(|c| !is_name(c))
        .filter(|word| word.starts_with("workflow_"))
        .map(|word| word.trim_end_matches("_bucket"))
        .collect();
    for word in &shown {
        assert!(names.contains(word), "the dashboard shows {word}, which is not served");
    }
    let guide = include_str!("../../../../docs/src/guides/workers.md");
    for name in names {
        assert!(guide.contains(&format!("`{name}`")), "the guide lacks {name}");
    }
}

/// The commands of the compose file, with addresses of this machine.
#[test]
fn the_compose_file_starts_what_there_is() {
    let compose = include_str!("../../../operate/compose.yaml");
    let compose: Json = serde_yaml::from_str::<serde_yaml::Value>(compose)
        .map(|yaml| serde_json::to_value(yaml).unwrap())
        .unwrap();
    let home = Home::with_stages(&STAGES);
    home.write("token", "a-token-that-is-long-enough-to-be-accepted");
    std::fs::set_permissions(home.path("token"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    for service in ["worker", "serve"] {
        let words = compose["services"][service]["command"].as_array().unwrap();
        let words: Vec<_> = words
            .iter()
            .map(|word| match word.as_str().unwrap() {
                address if address.starts_with("0.0.0.0:") => "127.0.0.1:0",
                "/run/secrets/token" => "token",
                word => word,
            })
            .collect();
        let mut started = home.start(&words);
        started.wait_for_stderr("metrics at http://127.0.0.1:");
        started.signal(Signal::TERM);
        let ended = started.wait();
        assert_eq!(ended.code, Some(0), "{service}: {ended:?}");
    }
}

#[test]
fn a_support_bundle_has_the_structure_of_a_run_and_not_its_content() {
    let home = Home::new();
    home.write(
        "secretive.workflow.yml",
        "workflow: { name: Secretive, stages: [one], inputs: { topic: { default: merger } } }\n\
         one: { provider: command, with: { command: [sh, -c, 'echo takeover; echo aloud >&2; exit 3'] }, prompt: 'About ${vars.topic}' }\n",
    );
    assert_eq!(
        home.run(&["run", "secretive.workflow.yml", "--run-id", "r1", "--label", "owner=ann"]).code,
        Some(1)
    );
    let words = ["merger", "takeover", "aloud", "About", "ann"];
    let bundle = home.run(&["support-bundle", "r1"]);
    assert_eq!(bundle.code, Some(0), "{bundle:?}");
    for word in words {
        assert!(!bundle.stdout.contains(word), "{word} in {}", bundle.stdout);
    }
    let bundle: Json = serde_json::from_str(&bundle.stdout).unwrap();
    assert_eq!(bundle["run"], "r1");
    let types: Vec<_> = bundle["events"].as_array().unwrap().iter().map(|event| &event["type"]).collect();
    assert!(types.iter().any(|kind| **kind == "attempt_failed"), "{types:?}");
    let failed =
        bundle["events"].as_array().unwrap().iter().find(|event| event["type"] == "attempt_failed").unwrap();
    assert_eq!(failed["data"]["error"]["class"], "transient", "{failed}");
    assert!(bundle["environment"].as_array().unwrap().contains(&"PATH".into()));
    let whole = home.run(&["support-bundle", "r1", "--with-content"]);
    for word in words {
        assert!(whole.stdout.contains(word), "{word}");
    }
}
