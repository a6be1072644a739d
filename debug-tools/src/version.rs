//! The version of hakmem that a source was written by, beside that of this command.
//!
//! Traces and root structures describe themselves, and most of what another version left can be read.
//! But what is new in one of the two is not known to the other, so it is said that they differ.

use std::collections::BTreeSet;
use std::sync::Mutex;

use crate::failure::say;
use crate::printable::Printable;

/// The version of this command.
pub const OWN: &str = env!("CARGO_PKG_VERSION");

/// Says if a source is of another version; once of each source, however often it is opened. What
/// another program wrote in our format may name none.
pub fn compare(source: &str, version: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if version.is_empty() || version == OWN {
        return;
    }
    let line = format!(
        "{source} was written by hakmem {version}, and this is hakmem {OWN}: what is new in one of \
         them may be left out"
    );
    let Ok(mut said) = SAID.lock() else { return };
    if said.insert(line.clone()) {
        say(format_args!("hakmem: note: {}", Printable(&line)));
    }
}
