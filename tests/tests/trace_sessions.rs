//! Sessions: which directory each process records in, threads that come and go, forks, and what
//! happens where there is no room.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use hakmem_tests::recording::{Recorded, of_kind, open, torn};
use hakmem_tests::{Allocator, Recording, Run, Scratch, library, skip};
use hakmem_trace_format::reader::Trace;
use hakmem_trace_format::{End, FileName, Kind};

/// How many files of a kind there are.
fn rings(trace: &Trace) -> usize {
    let files = trace.files().iter();
    files
        .filter(|file| matches!(file.name(), FileName::Ring(_)))
        .count()
}

fn end(trace: &Trace) -> Option<End> {
    trace.session().end().map(|(end, _)| end)
}

/// Without a variable that asks for it, nothing is recorded.
#[test]
fn nothing_is_recorded_unasked() {
    let scratch = Scratch::new();
    let run = |run: Run| {
        run.arg("sizes")
            .directory(scratch.path())
            .allocator(Allocator::Observed)
            .output()
    };
    let outcome = run(Run::program("trace.c"));
    assert!(outcome.success().stderr.is_empty(), "{}", outcome.report());
    assert_eq!(fs::read_dir(scratch.path()).expect("it").count(), 0);
    // Each of these asks.
    for variable in [
        "HAKMEM_TRACE_ALLOCATIONS=1",
        "HAKMEM_TRACE=alloc",
        "HAKMEM_TRACE=1",
    ] {
        let (name, value) = variable.split_once('=').expect("a value");
        let outcome = run(Run::program("trace.c").env(name, value));
        outcome.success();
        assert!(outcome.stderr.is_empty(), "{}", outcome.report());
        let pid = outcome.seen[0].pid;
        let directory = scratch.file(&format!("hakmem-trace.{pid}"));
        assert_eq!(end(&open(&directory, &outcome)), Some(End::Exited));
        fs::remove_dir_all(directory).expect("a directory of ours");
        assert_eq!(fs::read_dir(scratch.path()).expect("it").count(), 0);
    }
}

/// The directory's name may have the process's number in it, and directories above are made.
#[test]
fn the_directory_is_made() {
    let scratch = Scratch::new();
    let outcome = Run::program("trace.c")
        .arg("sizes")
        .directory(scratch.path())
        .env("HAKMEM_TRACE_DIR", "a/b.%p/c-%p")
        .allocator(Allocator::Observed)
        .output();
    outcome.success();
    let pid = outcome.seen[0].pid;
    let directory = scratch.file(&format!("a/b.{pid}/c-{pid}"));
    assert_eq!(end(&open(&directory, &outcome)), Some(End::Exited));
}

#[test]
fn a_directory_that_is_taken_is_left_alone() {
    let first = Recording::of("sizes").finish();
    first.outcome.success();
    let id = first.trace().session().id();
    let second = Run::program("trace.c")
        .arg("sizes")
        .env("HAKMEM_TRACE_DIR", first.file("trace"))
        .allocator(Allocator::Observed)
        .output();
    second.success();
    let other = format!("trace.{}", second.seen[0].pid);
    assert_eq!(first.directories(), ["trace", &other]);
    assert_eq!(first.trace().session().id(), id);
    assert_ne!(first.trace_in(&other).session().id(), id);
}

/// Two copies of the library in one process: two sessions.
#[test]
fn two_copies() {
    let scratch = Scratch::new();
    let copy = scratch.file("libhakmem_copy.so");
    fs::copy(library::observed(), &copy).expect("a copy");
    let recorded = Recording::of("two_copies").env("COPY", &copy).finish();
    recorded.outcome.success();
    let pid = recorded.outcome.seen[0].pid;
    let other = format!("trace.{pid}");
    assert_eq!(recorded.directories(), ["trace", &other]);
    let block = recorded.told()["block"];
    let knows = |trace: Trace| {
        let events = of_kind(&trace, Kind::Allocate);
        events
            .iter()
            .any(|e| e.record.address() == block && e.record.size() == 4321)
    };
    assert!(knows(recorded.trace_in(&other)) && !knows(recorded.trace()));
}

#[test]
fn a_thousand_threads_share_few_rings() {
    let recorded = Recording::of("thousand_threads").finish();
    recorded.outcome.success();
    let trace = recorded.trace();
    assert_eq!(torn(&trace), 0);
    // Those of threads without a cache, the main thread's, and one or two more: a thread may
    // begin before the last one has quite ended.
    assert!(rings(&trace) <= 6, "{} rings", rings(&trace));
    let threads = |kind| -> BTreeSet<u32> {
        let events = of_kind(&trace, kind);
        events.iter().map(|event| event.record.thread()).collect()
    };
    let began = of_kind(&trace, Kind::ThreadBegan).len();
    assert_eq!(
        (began, of_kind(&trace, Kind::ThreadEnded).len()),
        (1001, 1000)
    );
    assert!(threads(Kind::ThreadEnded).is_subset(&threads(Kind::ThreadBegan)));
    // Each thread's one allocation is told apart from those before in the same ring.
    let ours: Vec<_> = of_kind(&trace, Kind::Allocate)
        .into_iter()
        .filter(|event| event.record.size() == 33)
        .collect();
    assert_eq!(ours.len(), 1000);
    let by: BTreeSet<u32> = ours.iter().map(|event| event.record.thread()).collect();
    assert_eq!(by, threads(Kind::ThreadEnded));
}

#[test]
fn a_child_has_a_session_of_its_own() {
    let recorded = Recording::of("forks").finish();
    recorded.outcome.success();
    let told = recorded.told();
    let child = format!("trace.{}", told["pid"]);
    assert_eq!(recorded.directories(), ["trace", &child]);
    let (parents, childs) = (recorded.trace(), recorded.trace_in(&child));
    let (header, own) = (parents.session().header(), childs.session().header());
    assert_eq!(own.parent_session, header.session);
    assert_eq!(u64::from(own.pid), told["pid"]);
    assert_eq!(own.parent_pid, header.pid);
    assert_eq!(
        (end(&parents), end(&childs)),
        (Some(End::Exited), Some(End::Exited))
    );
    let forked = of_kind(&childs, Kind::Forked);
    assert_eq!(forked.len(), 1);
    assert_eq!(forked[0].record.value(), u64::from(header.pid));
    // Each has what it did, and nothing of the other's.
    let sizes = |trace: &Trace, kind| -> Vec<u64> {
        let events = of_kind(trace, kind);
        let sizes = events.iter().map(|event| event.record.size());
        sizes.filter(|size| [111, 222].contains(size)).collect()
    };
    assert_eq!(sizes(&parents, Kind::Allocate), [111]);
    assert_eq!(sizes(&parents, Kind::Free), [111]);
    assert_eq!(sizes(&childs, Kind::Allocate), [222]);
    assert_eq!(sizes(&childs, Kind::Free), [111]);
    let all: Vec<_> = childs.records().collect();
    assert!(
        all.iter()
            .all(|event| event.record.thread() == own.pid || event.record.thread() == 0)
    );
    let stack = of_kind(&childs, Kind::Free)[0].record.stack();
    assert!(childs.stack(stack).is_ok());
}

/// A fork without its handlers: the child writes to files of its own all the same.
#[test]
fn a_raw_fork() {
    let recorded = Recording::of("raw_fork").finish();
    recorded.outcome.success();
    let told = recorded.told();
    let child = format!("trace.{}", told["pid"]);
    assert_eq!(recorded.directories(), ["trace", &child]);
    let (parents, childs) = (recorded.trace(), recorded.trace_in(&child));
    assert_eq!(torn(&parents), 0);
    let pid = parents.session().header().pid;
    let threads: BTreeSet<u32> = parents
        .records()
        .map(|event| event.record.thread())
        .collect();
    assert!(threads.is_subset(&[0, pid].into()), "{threads:?}");
    assert!(
        of_kind(&parents, Kind::Allocate)
            .iter()
            .all(|e| e.record.size() != 222)
    );
    let kept = of_kind(&childs, Kind::Allocate);
    assert!(kept.iter().filter(|e| e.record.size() == 222).count() > 1000);
}

/// Children that become another program at once have no part in it.
#[test]
fn children_that_exec_make_no_session() {
    let recorded = Recording::of("execs").finish();
    recorded.outcome.success();
    let pid = recorded.outcome.seen[0].pid;
    let trace = recorded.trace();
    assert_eq!((torn(&trace), end(&trace)), (0, Some(End::Exited)));
    let threads: BTreeSet<u32> = trace.records().map(|event| event.record.thread()).collect();
    assert!(threads.is_subset(&[0, pid].into()), "{threads:?}");
    assert_eq!(recorded.directories(), ["trace"]);
    let last = of_kind(&trace, Kind::Free);
    assert_eq!(last.iter().filter(|e| e.record.size() == 20).count(), 1);
}

/// One line, nothing recorded, and the program goes on.
#[track_caller]
fn is_refused(recorded: &Recorded, why: &str) {
    recorded.outcome.success();
    let said = recorded.outcome.stderr_text().into_owned();
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("hakmem"))
        .collect();
    assert_eq!(lines.len(), 1, "{}", recorded.outcome.report());
    assert!(lines[0].contains(why), "{}", lines[0]);
    assert!(
        lines[0].ends_with("; nothing more is recorded"),
        "{}",
        lines[0]
    );
}

#[test]
fn a_directory_that_cannot_be_made() {
    let recorded = Recording::of("sizes")
        .env("HAKMEM_TRACE_DIR", "/proc/no/such")
        .finish();
    is_refused(&recorded, "/proc/no/such: ");
    let long = format!("/tmp/{}", "x".repeat(2000));
    let recorded = Recording::of("sizes")
        .env("HAKMEM_TRACE_DIR", long)
        .finish();
    is_refused(&recorded, "name too long");
}

/// The kernel would end the process with SIGXFSZ.
#[test]
fn a_limit_on_the_size_of_files() {
    let recorded = Recording::of("sizes")
        .with(|run, _| run.after("ulimit -f 100"))
        .finish();
    is_refused(&recorded, "file size limit exceeded");
    // Nothing is left of the session that could not be made. The shell that sets the limit has
    // taken the directory's first name.
    let pid = recorded.outcome.seen[0].pid;
    let directory = recorded.file(&format!("trace.{pid}"));
    let directory = fs::read_dir(directory).expect("the directory");
    assert_eq!(directory.count(), 0);
}

/// A small file system of its own; says why where there can be none.
struct SmallDisk(Scratch);

impl SmallDisk {
    fn new(size: &str) -> Option<Self> {
        let scratch = Scratch::new();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o"])
            .arg(format!("size={size}"));
        mount.arg("hakmem-tests").arg(scratch.path());
        match mount.output() {
            Ok(output) if output.status.success() => Some(Self(scratch)),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                skip(&format!("no file system can be mounted: {}", said.trim()));
                None
            }
            Err(error) => {
                skip(&format!("mount cannot be run: {error}"));
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_at_the_start() {
    let Some(disk) = SmallDisk::new("2m") else {
        return;
    };
    let recorded = Recording::of("sizes")
        .env("HAKMEM_TRACE_DIR", disk.0.file("trace"))
        .finish();
    is_refused(&recorded, "no space left on device");
}

/// The disk has room for some rings, but not for as many as there are threads.
#[test]
fn a_disk_that_fills_up() {
    let Some(disk) = SmallDisk::new("24m") else {
        return;
    };
    let recorded = Recording::of("many_threads")
        .env("HAKMEM_TRACE_DIR", disk.0.file("trace"))
        .env("HAKMEM_TRACE_RING_KB", "1024")
        .finish();
    is_refused(&recorded, "no space left on device");
    let trace = open(&disk.0.file("trace"), &recorded.outcome);
    assert!(rings(&trace) > 3);
    assert!(of_kind(&trace, Kind::Allocate).len() > 3);
}

/// As above, with segments.
#[test]
fn a_disk_that_fills_up_with_segments() {
    let Some(disk) = SmallDisk::new("24m") else {
        return;
    };
    let recorded = Recording::of("many")
        .env("HAKMEM_TRACE_DIR", disk.0.file("trace"))
        .env("HAKMEM_TRACE_MODE", "full")
        .finish();
    is_refused(&recorded, "no space left on device");
    let trace = open(&disk.0.file("trace"), &recorded.outcome);
    assert!(of_kind(&trace, Kind::Allocate).len() > 60_000);
    assert_eq!(torn(&trace), 0);
}

/// Somebody takes the directory away: rings that are to be made cannot be had.
#[test]
fn a_directory_that_goes_away() {
    let recorded = Recording::of("directory_goes_away").finish();
    is_refused(&recorded, "no such file or directory");
}
