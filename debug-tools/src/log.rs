//! What hakmem says of its own work, with `-v`: `tracing` events, on standard error.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;

/// Has events written from here on: warnings, with one `-v` what is done, with two the details.
pub fn begin(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::OFF,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    // Fails where a subscriber has been set already, which is no reason to stop.
    let _ = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_target(false)
        .without_time()
        .try_init();
}
