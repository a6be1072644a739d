//! A thread that does what it is told, one job at a time.

use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};

type Job = Box<dyn FnOnce() + Send>;

/// The thread. It ends when this is dropped, and has ended then.
#[derive(Debug)]
pub(crate) struct Worker {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    pub(crate) fn start() -> Self {
        let (jobs, queue) = mpsc::sync_channel::<Job>(1);
        let thread = thread::spawn(move || queue.into_iter().for_each(|job| job()));
        Self {
            jobs: Some(jobs),
            thread: Some(thread),
        }
    }

    /// Runs `job` there, and waits for its result.
    pub(crate) fn run<R: Send + 'static>(&self, job: impl FnOnce() -> R + Send + 'static) -> R {
        let (done, result) = mpsc::sync_channel(1);
        let job = move || drop(done.send(job()));
        let jobs = self.jobs.as_ref().expect("set until the drop");
        jobs.send(Box::new(job)).expect("the worker panicked");
        result.recv().expect("the job panicked")
    }

    /// Ends the thread, and then starts another, which so may take up what it left.
    pub(crate) fn restart(&mut self) {
        self.end();
        *self = Self::start();
    }

    fn end(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !thread::panicking()
        {
            panic!("the worker panicked");
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}
