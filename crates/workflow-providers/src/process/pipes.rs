//! The three pipes to a program, which are always waited for together.

use std::io::{self, ErrorKind, Read, Write as _};
use std::os::fd::AsFd;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;

use super::Control;
use super::input::Input;

/// How many bytes are read at once.
const CHUNK: usize = 64 * 1024;

/// How many bytes are read from a pipe whose writers are gone, or should be: more than a pipe holds.
const LAST_WORDS: usize = 1024 * 1024;

/// Where output came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

pub(super) struct Pipes {
    stdin: Option<ChildStdin>,
    to_say: Vec<u8>,
    said: usize,
    input: Option<Arc<Input>>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    chunk: Vec<u8>,
}

impl Pipes {
    /// Takes the pipes of `child`; `stdin` is its input, and what `input` has follows it.
    pub(super) fn new(child: &mut Child, stdin: Vec<u8>, input: Option<Arc<Input>>) -> Self {
        Self {
            stdin: child.stdin.take(),
            to_say: stdin,
            said: 0,
            input,
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            chunk: vec![0; CHUNK],
        }
    }

    /// Makes this side of the pipes non-blocking. Must be called before anything else.
    pub(super) fn set_nonblocking(&self) -> io::Result<()> {
        let stdin = self.stdin.iter().map(AsFd::as_fd);
        let stdout = self.stdout.iter().map(AsFd::as_fd);
        let stderr = self.stderr.iter().map(AsFd::as_fd);
        for pipe in stdin.chain(stdout).chain(stderr) {
            ioctl_fionbio(pipe, true)?;
        }
        Ok(())
    }

    /// Whether more output may follow.
    pub(super) fn are_open(&self) -> bool {
        self.stdout.is_some() || self.stderr.is_some()
    }

    /// Whether the program can still be spoken to.
    pub(super) fn have_input(&self) -> bool {
        self.stdin.is_some()
    }

    /// Tells the program to stop by its input; false if it cannot be told.
    pub(super) fn say_last_words(&mut self) -> bool {
        let is_told = self.have_input() && self.input.as_ref().is_some_and(|input| input.say_last_words());
        self.say();
        is_told
    }

    /// Closes the program's standard input.
    pub(super) fn close_stdin(&mut self) {
        self.stdin = None;
        (self.to_say, self.said) = (Vec::new(), 0);
    }

    /// Waits until output can be read or input can be written, for a wake-up, or until `timeout` expires.
    pub(super) fn wait(&self, control: &Control, timeout: Option<Duration>) -> io::Result<()> {
        let mut fds = vec![PollFd::from_borrowed_fd(control.wake_ups(), PollFlags::IN)];
        let has_more = self.input.is_none() || self.said < self.to_say.len();
        fds.extend(self.stdin.iter().filter(|_| has_more).map(|pipe| PollFd::new(pipe, PollFlags::OUT)));
        fds.extend(self.stdout.iter().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        fds.extend(self.stderr.iter().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        let timeout = timeout.map(|t| Timespec::try_from(t).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 }));
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads and writes what is possible without waiting, at most a chunk of each.
    pub(super) fn pump(&mut self, heard: &mut dyn FnMut(Stream, &[u8])) {
        self.say();
        hear(&mut self.stdout, &mut self.chunk, |bytes| heard(Stream::Stdout, bytes));
        hear(&mut self.stderr, &mut self.chunk, |bytes| heard(Stream::Stderr, bytes));
        // The answers to what was heard.
        self.say();
    }

    /// Reads what the pipes still hold, and closes them.
    pub(super) fn hear_last_words(&mut self, heard: &mut dyn FnMut(Stream, &[u8])) {
        self.close_stdin();
        let mut rounds = LAST_WORDS / CHUNK;
        while self.are_open() && rounds > 0 {
            self.pump(heard);
            rounds -= 1;
        }
        self.stdout = None;
        self.stderr = None;
    }

    fn say(&mut self) {
        let is_last = self.input.as_ref().is_none_or(|input| {
            let (more, is_last) = input.take();
            self.to_say.drain(..std::mem::take(&mut self.said));
            self.to_say.extend(more);
            is_last
        });
        while let Some(stdin) = &mut self.stdin {
            if !is_last && self.said == self.to_say.len() {
                return;
            }
            match stdin.write(&self.to_say[self.said..]) {
                Ok(n) if n > 0 => self.said += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // All input is written, or the program has closed it, which is allowed.
                _ => self.close_stdin(),
            }
        }
    }
}

fn hear<P: Read>(pipe: &mut Option<P>, chunk: &mut [u8], heard: impl FnOnce(&[u8])) {
    let Some(open) = pipe else { return };
    match open.read(chunk) {
        Ok(n) if n > 0 => heard(&chunk[..n]),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
        _ => *pipe = None,
    }
}
