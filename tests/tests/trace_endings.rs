//! What is left of a program that did not exit: killed, aborted, without memory, over its stack.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::thread;
use std::time::Duration;

use hakmem_tests::recording::{Recorded, of_kind, open};
use hakmem_tests::{Cgroup, Recording};
use hakmem_trace_format::reader::{SlotState, Trace};
use hakmem_trace_format::{End, FileName, Kind};

const SIGILL: i32 = 4;
const SIGTRAP: i32 = 5;
const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;
const SIGSEGV: i32 = 11;

/// Each thread's ring is whole, but for at most the one record that it was writing.
#[track_caller]
fn at_most_one_is_missing(trace: &Trace) {
    let mut rings = 0;
    for file in trace.files() {
        let survey = file.survey();
        let damaged = survey.torn + survey.unfinished;
        assert!(damaged <= 1, "{}: {survey:?}", file.name());
        // Numbers go up by one in a ring, whatever was overwritten.
        assert!(survey.missing() <= damaged, "{}: {survey:?}", file.name());
        rings += usize::from(survey.whole > 1000);
    }
    assert!(rings >= 2, "two threads have recorded");
}

/// Kills the flood, in the middle of whatever it does.
fn flood(recording: Recording) -> Recorded {
    let (mut running, scratch) = recording.start();
    let is_flooding = |running: &hakmem_tests::Running| {
        let said = running.stdout();
        said.contains("flooding 0") && said.contains("flooding 1")
    };
    while !is_flooding(&running) {
        assert!(running.is_running(), "{}", running.stderr());
        thread::sleep(Duration::from_millis(5));
    }
    let kill = Command::new("kill")
        .args(["-KILL", &running.pid().to_string()])
        .status();
    assert!(kill.expect("kill").success());
    let outcome = running.finish();
    assert_eq!(outcome.status.signal(), Some(SIGKILL));
    Recorded::new(outcome, scratch)
}

#[test]
fn kill_in_mid_flood() {
    for _ in 0..5 {
        let recorded = flood(Recording::of("flood"));
        let trace = recorded.trace();
        at_most_one_is_missing(&trace);
        assert_eq!(trace.session().end(), Some((End::Running, 0)));
        assert!(trace.clock().is_calibrated());
        assert!(trace.crash().is_none_or(|page| !page.happened()));
        // The newest records are of blocks, with all that belongs to them.
        let last = of_kind(&trace, Kind::Allocate);
        let last = last.last().expect("an allocation").record;
        assert!((16..216).contains(&last.size()));
        assert_eq!(
            trace.stack(last.stack()).expect("its stack")[0],
            last.caller()
        );
    }
}

#[test]
fn kill_in_mid_flood_of_segments() {
    let recorded = flood(Recording::of("flood").env("HAKMEM_TRACE_MODE", "full"));
    let trace = Trace::open(recorded.file("trace")).expect("a trace");
    // It may be killed while it makes a segment.
    for note in trace.notes() {
        let note = format!("{note}");
        assert!(
            note.contains("full.") && note.contains("nothing was written to it"),
            "{note}"
        );
    }
    at_most_one_is_missing(&trace);
    for file in trace.files() {
        if let FileName::Full(_, 0) = file.name() {
            assert_eq!(file.slot(0).0, SlotState::Whole);
            assert_eq!(file.survey().first_seq, 1);
        }
    }
}

/// What the page says of a signal, and that the end is the one that it would have been.
#[track_caller]
fn died_of(case: &str, signal: i32) -> (Recorded, Trace) {
    let recorded = Recording::of(case).finish();
    assert_eq!(
        recorded.outcome.status.signal(),
        Some(signal),
        "{}",
        recorded.outcome.report()
    );
    let trace = recorded.trace();
    assert_eq!(trace.session().end(), Some((End::Signalled, signal)));
    let page = trace.crash().expect("a page");
    assert!(page.is_complete());
    assert_eq!(page.signal, signal);
    assert_eq!(page.pid, trace.session().header().pid);
    assert_eq!(page.registers().len(), 23);
    let pc = page.registers()[16];
    assert_eq!(page.frames()[0], pc);
    let named = page.frames().iter().any(|&pc| {
        let module = trace.module_of(pc, page.time);
        module.is_some_and(|module| module.path.ends_with("trace_c"))
    });
    assert!(named, "{:x?}", page.frames());
    let faults = of_kind(&trace, Kind::Fault);
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].record.value(), signal as u64);
    assert_eq!(faults[0].record.thread(), page.tid);
    // What was done before is there.
    assert!(
        of_kind(&trace, Kind::Free)
            .iter()
            .any(|e| e.record.size() == 10)
    );
    (recorded, trace)
}

#[track_caller]
fn said(trace: &Trace) -> String {
    String::from_utf8_lossy(trace.crash().expect("a page").text()).into_owned()
}

#[test]
fn a_fault() {
    let (_, trace) = died_of("fault_here", SIGSEGV);
    let page = trace.crash().expect("a page");
    assert_eq!((page.fault_address, page.code), (16, 1));
    assert_eq!(page.tid, page.pid);
    assert!(page.frames().len() >= 2, "{:x?}", page.frames());
    assert!(said(&trace).contains("SIGSEGV"), "{}", said(&trace));
    assert!(!said(&trace).contains("the stack is used up"));
}

#[test]
fn an_abort() {
    let (_, trace) = died_of("fault_by_abort", SIGABRT);
    assert!(said(&trace).contains("SIGABRT"));
}

#[test]
fn a_break_point() {
    let (recorded, _) = died_of("break_point", SIGTRAP);
    assert!(!recorded.outcome.stdout_text().contains("survived"));
}

#[test]
fn an_illegal_instruction() {
    died_of("illegal", SIGILL);
}

#[test]
fn a_signal_that_was_sent() {
    let (_, trace) = died_of("killed_by_a_signal", SIGSEGV);
    assert_eq!(trace.crash().expect("a page").code, 0);
}

#[test]
fn a_stack_overflow() {
    let (_, trace) = died_of("stack_overflow", SIGSEGV);
    assert!(
        said(&trace).contains("the stack is used up"),
        "{}",
        said(&trace)
    );
    assert!(trace.crash().expect("a page").frames().len() >= 16);
}

#[test]
fn a_stack_overflow_in_a_thread() {
    let (_, trace) = died_of("stack_overflow_in_thread", SIGSEGV);
    let page = trace.crash().expect("a page");
    assert_ne!(page.tid, page.pid);
    assert!(
        said(&trace).contains("the stack is used up"),
        "{}",
        said(&trace)
    );
}

/// What the allocator itself finds: its line is in the page, and so is the stack of the abort.
#[test]
fn a_fault_that_the_allocator_finds() {
    let recorded = Recording::of("foreign_free").finish();
    recorded.outcome.aborted();
    let trace = recorded.trace();
    assert_eq!(trace.session().end(), Some((End::Signalled, SIGABRT)));
    let page = trace.crash().expect("a page");
    assert!(page.is_complete());
    assert_eq!(
        (page.signal, page.fault_address),
        (0, recorded.told()["address"])
    );
    let line = format!(
        "hakmem: free({:#x}): invalid pointer: no block of this allocator",
        recorded.told()["address"]
    );
    assert!(recorded.outcome.stderr_text().contains(&line));
    assert!(said(&trace).starts_with(&line), "{}", said(&trace));
    assert!(said(&trace).contains("SIGABRT"), "{}", said(&trace));
    assert_eq!(page.registers().len(), 23);
    assert!(page.frames().len() >= 2);
    let faults = of_kind(&trace, Kind::Fault);
    assert!(
        faults
            .iter()
            .any(|fault| String::from_utf8_lossy(&fault.payload) == line)
    );
}

/// A program that has handlers of its own keeps them.
#[test]
fn a_handler_of_the_program_s() {
    let recorded = Recording::of("handler_of_the_program").finish();
    assert_eq!(
        recorded.outcome.status.code(),
        Some(7),
        "{}",
        recorded.outcome.report()
    );
    assert!(recorded.outcome.stdout_text().contains("handled"));
    assert!(recorded.trace().crash().is_none_or(|page| !page.happened()));
}

/// The kernel kills it for want of memory.
#[test]
fn out_of_memory() {
    let Some(group) = Cgroup::with_memory(64 << 20) else {
        return;
    };
    let recorded = Recording::of("memory_hog")
        .with(|run, _| run.after(&group.join()))
        .finish();
    assert_eq!(
        recorded.outcome.status.signal(),
        Some(SIGKILL),
        "{}",
        recorded.outcome.report()
    );
    // The shell that has joined the group has taken the first name.
    let pid = recorded.outcome.seen[0].pid;
    let trace = open(&recorded.file(&format!("trace.{pid}")), &recorded.outcome);
    for file in trace.files() {
        let survey = file.survey();
        assert!(
            survey.torn + survey.unfinished <= 1,
            "{}: {survey:?}",
            file.name()
        );
    }
    let sizes = of_kind(&trace, Kind::Allocate);
    assert!(sizes.iter().filter(|e| e.record.size() == 100_000).count() > 100);
}
