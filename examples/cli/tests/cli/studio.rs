//! `studio`: the page, its token, and the browser that is opened.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::process::Signal;

use super::home::{Home, Started, line, until};

/// The host and port, and the token, of the address that the program printed.
fn parts(address: &str) -> (&str, &str) {
    address.trim().strip_prefix("http://").unwrap().split_once("/#t=").unwrap()
}

/// The status and the rest of a response.
fn send(host: &str, first: &str, token: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(host).unwrap();
    let length = body.len();
    write!(
        stream,
        "{first} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    (response.split(' ').nth(1).unwrap().parse().unwrap(), response)
}

/// A folder with a program `xdg-open`, which writes down its arguments and the file that it is to open, as the first in
/// `PATH`.
fn desktop(home: &Home) -> String {
    let script = "#!/bin/sh\ncp \"$1\" \"$OLD/page\"\nls -ld \"$1\" \"$(dirname \"$1\")\" >\"$OLD/modes\"\n\
                  echo \"$@\" >\"$OLD/new\"\nmv \"$OLD/new\" \"$OLD/opened\"\n";
    let script = script.replace("$OLD", &home.path("").display().to_string());
    home.write("desktop/xdg-open", &script);
    fs::set_permissions(home.path("desktop/xdg-open"), fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", home.path("desktop").display(), std::env::var("PATH").unwrap())
}

#[test]
fn the_studio_serves_its_page_and_runs_workflows_until_ctrl_c() {
    let home = Home::with_stages(&[("one", "echo done")]);
    let text = home.read("stages.workflow.yml");
    home.write(".orch/workflows/stages.workflow.yml", &text);
    let mut command = home.command(&["studio", "--port", "0", "--no-open"]);
    let mut studio = Started::of(command.env("PATH", desktop(&home)));
    let address = line(&mut studio.stdout());
    let (host, token) = parts(&address);
    assert!(host.starts_with("127.0.0.1:") && token.len() == 32, "{address}");
    let (status, page) = send(host, "GET /runs", "", "");
    assert!(status == 200 && page.contains("default-src 'none'") && page.contains("/studio.js"), "{page}");
    assert_eq!(send(host, "GET /studio.js", "", "").0, 200);
    assert_eq!(send(host, "POST /api/v1/workflow:list", "another-token-of-length", "{}").0, 401);
    let run = r#"{ "id": "stages", "runId": "first" }"#;
    assert_eq!(send(host, "POST /api/v1/workflow:run", token, run).0, 200);
    until("the run has completed", || home.show("first")["status"] == "completed");
    // The token of the page allows everything: the person at this machine uses it.
    assert_eq!(send(host, "POST /api/v1/workflow:delete", token, r#"{ "id": "stages" }"#).0, 200);
    studio.signal(Signal::INT);
    let ended = studio.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!home.path("opened").exists(), "a browser was opened");
    // The token is in no file.
    for (path, content) in home.files().iter().chain(&home.own_files()) {
        assert!(!String::from_utf8_lossy(content).contains(token), "{}", path.display());
    }
}

#[test]
fn the_browser_is_given_a_private_file_and_no_token() {
    let home = Home::new();
    let mut command = home.command(&["studio", "--port", "0"]);
    command.env("PATH", desktop(&home)).env("TMPDIR", home.path(""));
    let mut studio = Started::of(&mut command);
    let address = line(&mut studio.stdout());
    until("the browser was opened", || home.path("opened").exists());
    let opened = home.read("opened");
    let (_, token) = parts(&address);
    assert!(!opened.contains(token), "{opened}");
    let own = fs::read(format!("/proc/{}/cmdline", studio.id())).unwrap();
    assert!(!String::from_utf8_lossy(&own).contains(token));
    let page = home.read("page");
    assert!(page.contains(&format!("url={}\"", address.trim())), "{page}");
    let modes = home.read("modes");
    assert!(modes.contains("-rw------- ") && modes.contains("drwx------ "), "{modes}");
    assert!(Path::new(opened.trim()).starts_with(home.path("")), "{opened}");
    // The file goes with the program, if it is still there.
    studio.signal(Signal::TERM);
    assert_eq!(studio.wait().code, Some(0));
    assert!(!Path::new(opened.trim()).parent().unwrap().exists(), "{opened}");
}

#[test]
fn each_start_has_a_token_of_its_own_and_a_port_that_is_taken_is_named() {
    let home = Home::new();
    let mut first = home.start(&["studio", "--port", "0", "--no-open"]);
    let address = line(&mut first.stdout());
    let (host, token) = parts(&address);
    let port = host.rsplit(':').next().unwrap();
    let refused = home.run(&["studio", "--port", port, "--no-open"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains(host) && refused.stderr.contains("--port 0"), "{refused:?}");
    first.signal(Signal::TERM);
    assert_eq!(first.wait().code, Some(0));
    let mut again = home.start(&["studio", "--port", port, "--no-open"]);
    let other = line(&mut again.stdout());
    assert_eq!(parts(&other).0, host);
    assert_ne!(parts(&other).1, token);
    assert_eq!(send(host, "POST /api/v1/workflow:list", token, "{}").0, 401);
}

#[test]
fn without_a_desktop_the_address_is_enough() {
    let home = Home::new();
    let mut command = home.command(&["studio", "--port", "0"]);
    command.env("PATH", home.path("empty"));
    let mut studio = Started::of(&mut command);
    let address = line(&mut studio.stdout());
    studio.wait_for_stderr("cannot open a browser");
    assert_eq!(send(parts(&address).0, "GET /", "", "").0, 200);
}

#[test]
fn its_options_are_explained() {
    let help = Home::new().run(&["help", "studio"]);
    let of_all = ["--home", "--roles", "--store", "--trust-store", "--json"];
    let own = help.stdout.lines().filter(|line| !of_all.iter().any(|option| line.trim().starts_with(option)));
    insta::assert_snapshot!(own.collect::<Vec<_>>().join("\n"), @"
    Open the studio in the browser: the web page to make, run, watch and answer workflows. Drives runs as `serve` does, until Ctrl-C

    Usage: workflow studio [OPTIONS]

    Options:
          --port <PORT>        The port of the page on 127.0.0.1; with 0 a free one is chosen [default: 7412]
          --no-open            Only print the address of the page, and do not open the browser
          --no-worker          Drive only the runs that are started here, and leave all others of the store to workers
      -h, --help               Print help
    ");
}
