//! A report as a line of JSON, in the file that `HAKMEM_REPORT` names. The schema is
//! `docs/report.schema.json`.

use super::super::record::Moment;
use super::super::stacks;
use super::finding::Finding;
use super::object::Object;
use super::subject::Subject;
use crate::observe::report::name_of;
use crate::observe::{settings, stack};
use crate::sys::file;
use crate::sys::process;
use crate::sys::stderr::Line;
use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, Ordering};

/// The version of the schema.
const SCHEMA: usize = 1;
/// The most bytes of damage that are told.
const DAMAGE: usize = 64;
/// The most bytes of a path, the zero byte among them.
const PATH: usize = 1024;

struct Template(UnsafeCell<([u8; PATH], usize)>);

// SAFETY: written by the set-up, before `WANTED` is released; read after.
unsafe impl Sync for Template {}

static TEMPLATE: Template = Template(UnsafeCell::new(([0; PATH], 0)));
/// Released when there is a template; read Acquire.
static WANTED: AtomicBool = AtomicBool::new(false);

struct ObjectCell(UnsafeCell<Object>);

// SAFETY: used by the thread alone whose turn it is to report.
unsafe impl Sync for ObjectCell {}

static OBJECT: ObjectCell = ObjectCell(UnsafeCell::new(Object::EMPTY));

/// Reads the variable. Called once.
pub(super) fn set_up() {
    let Some(text) = settings::text("HAKMEM_REPORT").filter(|text| !text.is_empty()) else {
        return;
    };
    if text.len() >= PATH {
        return complain(b"the path is too long");
    }
    // SAFETY: nobody reads it before `WANTED` is set.
    let template = unsafe { &mut *TEMPLATE.0.get() };
    template.0[..text.len()].copy_from_slice(text);
    template.1 = text.len();
    WANTED.store(true, Ordering::Release);
}

fn complain(why: &[u8]) {
    Line::new()
        .text(b"hakmem: HAKMEM_REPORT: ")
        .text(why)
        .text(b"; findings are told on standard error alone")
        .write();
}

/// Adds a line to the file. It is this thread's turn to report.
pub(super) fn write(finding: &Finding<'_>) {
    if !WANTED.load(Ordering::Acquire) {
        return;
    }
    // SAFETY: written before it was wanted, and not any more.
    let template = unsafe { &*TEMPLATE.0.get() };
    let mut path = [0; PATH];
    let Some(path) = numbered(&template.0[..template.1], &mut path) else {
        return complain(b"the path is too long");
    };
    // SAFETY: it is this thread's turn.
    let object = unsafe { &mut *OBJECT.0.get() };
    object.begin_line();
    describe(object, finding);
    if let Err(refusal) = file::append(path, object.line()) {
        WANTED.store(false, Ordering::Relaxed);
        complain(refusal.text());
    }
}

/// The path with the process's number for each `%p`.
fn numbered<'a>(template: &[u8], path: &'a mut [u8; PATH]) -> Option<&'a CStr> {
    let mut len = 0;
    let mut push = |bytes: &[u8]| {
        let place = path.get_mut(len..len + bytes.len())?;
        place.copy_from_slice(bytes);
        len += bytes.len();
        Some(())
    };
    let mut rest = template;
    while let Some(at) = rest.windows(2).position(|two| two == b"%p") {
        push(&rest[..at])?;
        push(Line::new().number(u64::from(process::id())).bytes())?;
        rest = &rest[at + 2..];
    }
    push(rest)?;
    push(b"\0")?;
    CStr::from_bytes_until_nul(path).ok()
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
