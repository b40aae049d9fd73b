//! A service on loopback that answers as a test says: slowly, in pieces, or never.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A request as the service received it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Its first line.
    pub(crate) line: String,
    /// With names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}

/// What the service does next.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Say(String),
    /// Waits until the client has closed the connection.
    Hang,
}

/// The acts that send a complete response.
pub(crate) fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Vec<Act> {
    let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    vec![Act::Say(format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{}\r\n{body}",
        headers.concat()
    ))]
}

pub(crate) fn json(body: &str) -> Vec<Act> {
    response(200, &[("content-type", "application/json")], body)
}

/// A service; it ends with the test's process.
pub(crate) struct Service {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    open: Arc<AtomicUsize>,
}

impl Service {
    pub(crate) fn start(answer: impl Fn(&Asked) -> Vec<Act> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, open) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (requests, connections, answer) = (asked.clone(), open.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, requests, connections, answer) =
                    (stream.unwrap(), requests.clone(), connections.clone(), answer.clone());
                connections.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    serve(&stream, &requests, &*answer);
                    connections.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, asked, open }
    }

    /// A service that answers every request like this.
    #[allow(dead_code, reason = "not every test has such a service")]
    pub(crate) fn always(acts: Vec<Act>) -> Self {
        Self::start(move |_| acts.clone())
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Waits until there are so many connections.
    pub(crate) fn wait_for_open(&self, count: usize) {
        let until = Instant::now() + Duration::from_secs(60);
        while self.open.load(Ordering::SeqCst) != count {
            assert!(Instant::now() < until, "there are never {count} connections");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

fn serve(stream: &TcpStream, asked: &Mutex<Vec<Asked>>, answer: &dyn Fn(&Asked) -> Vec<Act>) {
    let Some(request) = read(stream) else { return };
    asked.lock().unwrap().push(request.clone());
    let mut stream = stream;
    for act in answer(&request) {
        match act {
            Act::Say(text) => {
                // The client may have read enough.
                if stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).is_err() {
                    return;
                }
            }
            Act::Hang => {
                let _ = stream.read(&mut [0; 64]);
            }
        }
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut lines = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        lines.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut headers = Vec::new();
    while let Some((name, value)) = line()?.split_once(": ") {
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut asked = Asked { line: first, headers, body: String::new() };
    let length = asked.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    lines.read_exact(&mut body).ok()?;
    asked.body = String::from_utf8(body).unwrap();
    Some(asked)
}
