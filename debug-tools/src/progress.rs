//! A sign on a terminal that something takes its time.

use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How long something takes before there is a sign, and between its changes.
const SECOND: Duration = Duration::from_secs(1);

/// It shows itself after a second, where standard error is a terminal; until it ends.
pub struct Progress {
    shown: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Begins, with what is being done.
    pub fn begin(what: &'static str) -> Self {
        let (end, is_over) = mpsc::channel();
        let show = move || {
            if is_over.recv_timeout(SECOND) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let bar = ProgressBar::new_spinner().with_elapsed(SECOND);
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.set_message(what);
            bar.enable_steady_tick(SECOND);
            let _ = is_over.recv();
            bar.finish_and_clear();
        };
        let shown = io::stderr()
            .is_terminal()
            .then(|| (end, thread::spawn(show)));
        Self { shown }
    }

    /// Ends, and wipes it off.
    pub fn end(self) {}
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((end, shown)) = self.shown.take() {
            drop(end);
            let _ = shown.join();
        }
    }
}
