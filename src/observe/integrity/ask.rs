//! A scan of all blocks when a signal asks for it: `HAKMEM_VERIFY_SIGNAL`.
//!
//! The handler looks at once, in whatever the thread is doing: a block that is being handed out or
//! freed says so in its record, and is passed over. What is told needs no lock of the allocator's.

use super::policy::complain;
use super::{report, scan};
use crate::observe::report::{Line, place};
use crate::observe::settings;
use crate::sys::user_signal;

const NAME: &str = "HAKMEM_VERIFY_SIGNAL";

/// Reads the variable.
pub(super) fn set_up() {
    let Some(value) = settings::text(NAME).filter(|value| !value.is_empty() && *value != b"0")
    else {
        return;
    };
    // What it needs memory for is made now.
    place::prepare();
    match user_signal::number(value) {
        Some(signal) if user_signal::install(signal, answer) => {}
        Some(_) => complain(NAME, value, b"a signal that the system lets one handle"),
        None => complain(
            NAME,
            value,
            b"the name or number of a signal that a program may wait for, such as USR2",
        ),
    }
}

fn answer() {
    let found = scan::examine(b"the scan that a signal asked for");
    let mut line = Line::new();
    line.text(b"verified: ");
    match found {
        0 => line.text(b"no block is damaged"),
        1 => line.text(b"1 block is damaged"),
        _ => line.number(found).text(b" blocks are damaged"),
    };
    line.write();
    if found > 0 {
        report::act();
    }
}
