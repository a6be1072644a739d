//! A report as a line of JSON, in the file that `HAKMEM_REPORT` names. The schema is
//! `docs/report.schema.json`.

use super::super::record::Moment;
use super::super::stacks;
use super::finding::Finding;
use super::object::Object;
use super::subject::Subject;
use crate::observe::line_file::LineFile;
use crate::observe::report::name_of;
use crate::observe::stack;
use crate::sys::process;
use core::cell::UnsafeCell;

/// The version of the schema.
const SCHEMA: usize = 1;
/// The most bytes of damage that are told.
const DAMAGE: usize = 64;

static FILE: LineFile = LineFile::of("HAKMEM_REPORT", "findings are told on standard error alone");

struct ObjectCell(UnsafeCell<Object>);

// SAFETY: used by the thread alone whose turn it is to report.
unsafe impl Sync for ObjectCell {}

static OBJECT: ObjectCell = ObjectCell(UnsafeCell::new(Object::EMPTY));

/// Reads the variable. Called once.
pub(super) fn set_up() {
    FILE.set_up();
}

/// Adds a line to the file. It is this thread's turn to report.
pub(super) fn write(finding: &Finding<'_>) {
    if !FILE.is_wanted() {
        return;
    }
    // SAFETY: it is this thread's turn.
    let object = unsafe { &mut *OBJECT.0.get() };
    object.begin_line();
    describe(object, finding);
    FILE.add(object.line());
}

fn describe(object: &mut Object, finding: &Finding<'_>) {
    object.number("schema", SCHEMA);
    object.text("kind", finding.kind.name().as_bytes());
    object.text("message", finding.sentence);
    object.number("pid", process::id() as usize);
    object.address("address", finding.address);
    object.begin("found_by");
    object.text("what", finding.finder.what);
    object.number("thread", finding.finder.thread as usize);
    object.stack("stack", finding.finder.frames, finding.finder.returns);
    object.end();
    if let Some((first, last)) = finding.damage {
        object.begin("damage");
        object.address("first", first);
        object.address("last", last);
        object.bytes("bytes", first, (last - first + 1).min(DAMAGE));
        object.end();
    }
    if let Some(subject) = &finding.subject {
        block(object, "block", subject);
        for (step, name) in [(-1, "below"), (1, "above")] {
            if let Some(neighbour) = subject.neighbour(step) {
                block(object, name, &neighbour);
            }
        }
    }
    if !finding.unknown.is_empty() {
        object.text("unknown", finding.unknown);
    }
}

fn block(object: &mut Object, name: &str, subject: &Subject) {
    object.begin(name);
    object.address("address", subject.address);
    object.number("size", subject.size);
    object.number("bytes", subject.bytes);
    object.text("state", subject.state_word().as_bytes());
    if subject.is_in_slab() {
        object.number("class", subject.class);
        object.address("slab", subject.slab);
        object.number("index", subject.index);
    }
    object.number("life", subject.life as usize);
    object.flag("guarded", subject.is_guarded);
    moment(object, "allocated", subject.allocated, subject.allocated_by);
    moment(object, "freed", subject.freed, subject.freed_by);
    object.end();
}

fn moment(object: &mut Object, name: &str, moment: Moment, api: u8) {
    if api == 0 {
        return;
    }
    object.begin(name);
    object.text("function", name_of(api));
    object.number("thread", moment.thread as usize);
    let mut room = [0; stack::FRAMES];
    object.stack("stack", stacks::frames(moment.stack, &mut room), true);
    object.end();
}
