//! The trace of a source: itself, or the one that belongs to a core file or process.

use std::path::Path;

use hakmem_trace_format::reader::Trace;

use crate::answer::Beside;
use crate::failure::{Failure, Status, say};
use crate::heap::Heap;
use crate::image::Image;
use crate::source::{self, Source, say_notes};

/// The trace, and whether a part of it, or of what it belongs to, is missing.
pub fn trace(name: &Path, beside: &Beside) -> Result<(Trace, bool), Failure> {
    let source = Source::open(name)?;
    let is_truncated = source.is_truncated();
    let trace = match source {
        Source::Trace(trace) => *trace,
        Source::Image(image) => {
            let heap = Heap::open(&image).ok();
            let Some(trace) = with_image(&image, heap.as_ref(), beside)? else {
                return Err(Failure::new(
                    Status::Usage,
                    "there is no trace with it",
                    "neither in the core file nor beside it is a session with its number",
                    "name the directory with --trace, or run the program with `hakmem run`",
                )
                .at(name));
            };
            trace
        }
    };
    say_clock(&trace);
    let is_truncated = is_truncated || !trace.notes().is_empty();
    Ok((trace, is_truncated))
}

/// The trace of an image, if there is one; its notes are said.
pub fn with_image(
    image: &Image,
    heap: Option<&Heap<'_>>,
    beside: &Beside,
) -> Result<Option<Trace>, Failure> {
    let trace = source::trace_of(image, heap, beside.trace.as_deref())?;
    if let Some(trace) = &trace {
        let notes: Vec<String> = trace.notes().iter().map(ToString::to_string).collect();
        say_notes(&notes);
    }
    Ok(trace)
}

fn say_clock(trace: &Trace) {
    if !trace.clock().is_calibrated() {
        say(format_args!(
            "hakmem: note: the trace does not say how long a tick is; times are ticks"
        ));
    }
}

/// The image of a source that has to be one, for commands that need memory.
pub fn image(name: &Path) -> Result<Image, Failure> {
    match Source::open(name)? {
        Source::Image(image) => Ok(*image),
        Source::Trace(_) => Err(Failure::new(
            Status::Usage,
            "this takes the memory of a process",
            "a trace has what happened, and not what was in memory",
            "name a core file or pid:N; `hakmem live` and `hakmem history` read traces",
        )
        .at(name)),
    }
}
