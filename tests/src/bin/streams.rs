//! A client that opens many streams of a server and reads nothing until an event arrives, for tests: its connections count
//! against a limit of its own, and its memory is not the server's.
//!
//! ```text
//! streams ADDRESS TOKEN COUNT
//! ```
//!
//! Prints how many streams it has opened, and waits for a line on standard input. Then it reads each hundredth stream until
//! that text arrives in it, and prints how many that were.

#![allow(clippy::print_stdout, reason = "it talks to the test that starts it")]

use std::error::Error;
use std::io::{BufRead as _, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long a stream may take to bring the event: much longer than it does, and not for ever.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [address, token, count] = arguments.as_slice() else {
        return Err("streams ADDRESS TOKEN COUNT".into());
    };
    let request =
        format!("GET /api/v1/stream HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n");
    let mut streams = Vec::new();
    for _ in 0..count.parse()? {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        if status != *b"HTTP/1.1 200" {
            return Err(String::from_utf8_lossy(&status).into());
        }
        streams.push(stream);
    }
    println!("{}", streams.len());
    let mut expected = String::new();
    std::io::stdin().lock().read_line(&mut expected)?;
    let mut reached = 0;
    for stream in streams.iter_mut().step_by(100) {
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        while !String::from_utf8_lossy(&seen).contains(expected.trim()) {
            match stream.read(&mut buffer)? {
                0 => return Err("a stream ended".into()),
                length => seen.extend_from_slice(&buffer[..length]),
            }
        }
        reached += 1;
    }
    println!("{reached}");
    Ok(())
}
