//! Why there is no heap in an image that can be read, and what to do.

use super::NoRoot;
use crate::failure::{Failure, Status};
use crate::version;

const DAMAGED: &str = "look at the trace, if there is one";
const OTHER: &str = "use the `hakmem` that belongs to the library";

/// Without a root structure.
pub(super) fn of_root(source: &str, error: NoRoot) -> Failure {
    let (why, next) = match error {
        NoRoot::NotFound => (
            "no root structure of hakmem is in its memory".into(),
            "see whether the program ran on hakmem, and allocated; a core file must have private \
             memory in it (bit 0 of /proc/PID/coredump_filter)",
        ),
        NoRoot::Format(format) => (
            format!(
                "its root structure has format {format}, and this is hakmem {}, which knows 1",
                version::OWN
            ),
            OTHER,
        ),
        NoRoot::Damaged(why) => (format!("its root structure is damaged: {why}"), DAMAGED),
    };
    no_heap(source, why, next)
}

/// With a root structure of a version that does not say where structures are.
pub(super) fn of_layout(source: &str, version: &str, why: &str) -> Failure {
    if version == version::OWN {
        let why = format!("its root structure is damaged: {why}");
        return no_heap(source, why, DAMAGED);
    }
    let why = format!("its root structure is of hakmem {version}, or damaged: {why}");
    no_heap(source, why, OTHER)
}

fn no_heap(source: &str, why: String, next: &str) -> Failure {
    Failure::new(Status::Usage, format!("no heap in {source}"), why, next)
}
