//! Threads for blocking work.

use std::io;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

#[cfg(feature = "files")]
use futures::channel::oneshot;

/// A thread that executes jobs one after the other. Dropping it waits until all are done.
#[derive(Debug)]
pub(crate) struct JobThread {
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// A job receives an empty buffer that is reused between jobs.
type Job = Box<dyn FnOnce(&mut Vec<u8>) + Send>;

/// The largest buffer that is kept for the next job.
const KEPT_BUFFER: usize = 1 << 20;

/// The thread has stopped: the job was not executed, or its result is not known.
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

    /// Executes `job` on the thread, after all earlier jobs. Once the future was polled, the job is executed
    /// even if the future is dropped.
    #[cfg(feature = "files")]
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Vec<u8>) -> T + Send + 'static,
    ) -> Result<T, Ended> {
        let (answer, result) = oneshot::channel();
        self.submit(move |buffer| {
            // The caller may have dropped its future.
            let _ = answer.send(job(buffer));
        });
        result.await.map_err(|_| Ended)
    }

    /// Executes `job` on the thread, unless the thread has stopped.
    pub(crate) fn submit(&self, job: impl FnOnce(&mut Vec<u8>) + Send + 'static) {
        if let Some(queue) = &self.queue {
            // If the thread has stopped, the job is dropped together with its result channel.
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
            // The panic of a job was reported already.
            let _ = thread.join();
        }
    }
}
