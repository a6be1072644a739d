//! A sign on a terminal that something takes its time.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// It shows itself after a second, where standard error is a terminal; until it ends.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Begins, with what is being done.
    pub fn begin(what: &'static str) -> Self {
        let bar = if io::stderr().is_terminal() {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
                bar.set_style(style);
            }
            bar
        } else {
            ProgressBar::hidden()
        };
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_secs(1));
        Self { bar }
    }

    /// Ends, and wipes it off.
    pub fn end(self) {
        self.bar.finish_and_clear();
    }
}
