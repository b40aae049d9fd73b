//! Threads that do what would block.

use std::io;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

#[cfg(feature = "files")]
use futures::channel::oneshot;

/// A thread that does one job after the other. Dropping it waits until all are done.
#[derive(Debug)]
pub(crate) struct JobThread {
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// A job gets a buffer that is empty, and is reused from job to job.
type Job = Box<dyn FnOnce(&mut Vec<u8>) + Send>;

/// The largest buffer that is kept for the next job.
const KEPT_BUFFER: usize = 1 << 20;

/// The thread has ended: the job was not done, or its result is not known.
#[cfg(feature = "files")]
#[derive(Debug)]
pub(crate) struct Ended;

impl JobThread {
    pub(crate) fn spawn(name: &str) -> io::Result<Self> {
        let (queue, jobs) = mpsc::channel::<Job>();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            let mut buffer = Vec::new();
            for job in jobs {
                job(&mut buffer);
                buffer.clear();
                buffer.shrink_to(KEPT_BUFFER);
            }
        })?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Does `job` on the thread, after all that came before. Once the future was polled the job is
    /// done, also when the future is dropped.
    #[cfg(feature = "files")]
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Vec<u8>) -> T + Send + 'static,
    ) -> Result<T, Ended> {
        let (answer, result) = oneshot::channel();
        self.submit(move |buffer| {
            // Nobody may be waiting any more.
            let _ = answer.send(job(buffer));
        });
        result.await.map_err(|_| Ended)
    }

    /// Does `job` on the thread, unless that has ended.
    pub(crate) fn submit(&self, job: impl FnOnce(&mut Vec<u8>) + Send + 'static) {
        if let Some(queue) = &self.queue {
            // A job that is not taken drops what its result would be sent to.
            let _ = queue.send(Box::new(job));
        }
    }
}

impl Drop for JobThread {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // A job that panicked has said so already.
            let _ = thread.join();
        }
    }
}
