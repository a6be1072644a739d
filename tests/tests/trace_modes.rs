//! What the recorder's variables change: filters, all records in place of the newest, ways to
//! walk stacks, and what is said on standard error.

use std::fs;

use hakmem_tests::recording::{of_kind, torn};
use hakmem_tests::{Allocator, Recording, Run, Scratch};
use hakmem_trace_format::reader::{Event, Trace};
use hakmem_trace_format::{FileName, Flags, Kind, Mode, StacksMode, Total};

const BLOCKS: [Kind; 5] = [
    Kind::Allocate,
    Kind::Free,
    Kind::ResizeIn,
    Kind::ResizeOut,
    Kind::RemoteFree,
];

/// The events of blocks that a filter has let through, and what the program told.
#[track_caller]
fn filtered(filter: &str) -> (Vec<Event>, u64) {
    let recorded = Recording::of("sizes")
        .env("HAKMEM_TRACE_FILTER", filter)
        .env("HAKMEM_TRACE_RING_KB", "4096")
        .finish();
    recorded.outcome.success();
    assert!(
        recorded.outcome.stderr.is_empty(),
        "{}",
        recorded.outcome.report()
    );
    let trace = recorded.trace();
    let is_block = |event: &Event| {
        event
            .record
            .kind()
            .is_some_and(|kind| BLOCKS.contains(&kind))
    };
    let events = trace.records().filter(is_block).collect();
    (events, recorded.told()["site"])
}

fn sizes(events: &[Event], kind: Kind) -> Vec<u64> {
    let events = events.iter().map(|event| event.record);
    let events = events.filter(|record| record.kind() == Some(kind));
    events.map(|record| record.size()).collect()
}

/// Blocks of 1 to 1000 bytes are freed; blocks of 1 to 100 from a second place are resized before.
#[test]
fn filters_keep_a_block_s_events_together() {
    let (all, _) = filtered("size=1-");
    assert_eq!(sizes(&all, Kind::ResizeIn).len(), 100);

    let (events, _) = filtered("size=64-128");
    let allocated = sizes(&events, Kind::Allocate);
    let expected: Vec<u64> = (64..=128).chain(64..=100).collect();
    assert!(allocated.iter().all(|size| (64..=128).contains(size)));
    assert_eq!(allocated.len(), expected.len(), "{allocated:?}");
    // The blocks that took the place of 64 to 100 bytes are followed to their ends.
    assert_eq!(sizes(&events, Kind::ResizeOut), Vec::from_iter(64..=100));
    assert_eq!(sizes(&events, Kind::ResizeIn), Vec::from_iter(2064..=2100));
    let freed = sizes(&events, Kind::Free);
    assert_eq!(freed.iter().filter(|size| **size > 2000).count(), 37);
    assert_eq!(freed.len(), expected.len());

    let (events, _) = filtered("every=10,size=1-1000");
    let every_tenth = sizes(&events, Kind::Allocate);
    assert!((110..=112).contains(&every_tenth.len()), "{every_tenth:?}");
    let both = |kind| sizes(&events, kind).len();
    assert_eq!(both(Kind::Free), every_tenth.len());

    let (events, _) = filtered("thread=1");
    assert!(events.is_empty());
}

#[test]
fn a_filter_by_file_and_offset() {
    let (_, site) = filtered("size=1-");
    let first = Recording::of("sizes").finish();
    let trace = first.trace();
    let record = of_kind(&trace, Kind::Allocate)
        .into_iter()
        .find(|event| event.record.caller() == first.told()["site"])
        .expect("the second place")
        .record;
    let module = trace
        .module_of(record.caller(), record.time())
        .expect("the program");
    let offset = record.caller() - module.base;
    assert!(site > offset);
    let (events, site) = filtered(&format!("site=trace_c+{offset:#x}"));
    assert_eq!(sizes(&events, Kind::Allocate), Vec::from_iter(1..=100));
    assert_eq!(sizes(&events, Kind::Free), Vec::from_iter(2001..=2100));
    let allocated = |event: &&Event| event.record.kind() == Some(Kind::Allocate);
    let mut allocated = events.iter().filter(allocated);
    assert!(allocated.all(|event| event.record.caller() == site));
}

#[test]
fn a_filter_by_class() {
    let recorded = Recording::of("sizes")
        .env("HAKMEM_TRACE_FILTER", "class=2-3")
        .finish();
    let trace = recorded.trace();
    let of = of_kind(&trace, Kind::Allocate);
    assert!(!of.is_empty());
    assert!(
        of.iter()
            .all(|event| (2..=3).contains(&event.record.class()))
    );
}

#[test]
fn conditions_that_cannot_be_read_are_left_out() {
    let recorded = Recording::of("sizes")
        .env("HAKMEM_TRACE_FILTER", "size=40-41,colour=red,every=0")
        .finish();
    recorded.outcome.success();
    let said = recorded.outcome.stderr_text();
    for condition in ["colour=red", "every=0"] {
        let line = format!("hakmem: HAKMEM_TRACE_FILTER: {condition} is no condition; ignored");
        assert!(said.contains(&line), "{said}");
    }
    assert_eq!(said.lines().count(), 2, "{said}");
    let allocated = of_kind(&recorded.trace(), Kind::Allocate);
    assert!(
        allocated
            .iter()
            .all(|event| (40..=41).contains(&event.record.size()))
    );
    assert!(allocated.len() >= 4);
}

fn of_size(trace: &Trace, kind: Kind, size: u64) -> usize {
    let events = of_kind(trace, kind);
    events
        .iter()
        .filter(|event| event.record.size() == size)
        .count()
}

#[test]
fn full_mode_loses_nothing() {
    let recorded = Recording::of("many")
        .env("HAKMEM_TRACE_MODE", "full")
        .finish();
    recorded.outcome.success();
    assert!(
        recorded.outcome.stderr.is_empty(),
        "{}",
        recorded.outcome.report()
    );
    let trace = recorded.trace();
    assert_eq!(trace.session().mode(), Some(Mode::Full));
    assert_eq!(torn(&trace), 0);
    for kind in [Kind::Allocate, Kind::Free] {
        assert_eq!(of_size(&trace, kind, 64), 200_000, "{kind:?}");
    }
    let segments: Vec<_> = trace
        .files()
        .iter()
        .filter(|file| matches!(file.name(), FileName::Full(..)))
        .collect();
    assert!(segments.len() >= 6, "{}", segments.len());
    // One after the other, each where the one before ended.
    let mut next = 1;
    for segment in segments {
        let survey = segment.survey();
        assert_eq!((segment.header().first_seq, survey.first_seq), (next, next));
        assert_eq!(survey.missing(), 0);
        next = survey.last_seq + 1;
    }
    assert_eq!(trace.session().header().totals[Total::Lost as usize], 0);
}

/// A handler in the middle of a record, also when segments change.
#[test]
fn full_mode_under_signals() {
    let recorded = Recording::of("signals")
        .env("HAKMEM_TRACE_MODE", "full")
        .finish();
    recorded.outcome.success();
    let (trace, told) = (recorded.trace(), recorded.told());
    assert_eq!(torn(&trace), 0);
    for kind in [Kind::Allocate, Kind::Free] {
        assert_eq!(of_size(&trace, kind, 100) as u64, told["pairs"], "{kind:?}");
        let handled = of_size(&trace, kind, 48) as u64;
        assert!(
            (told["handled"]..=told["handled"] + 3).contains(&handled),
            "{handled}"
        );
    }
}

/// When there may be no more segments, the newest records are kept.
#[test]
fn full_mode_has_a_limit() {
    let recorded = Recording::of("many")
        .env("HAKMEM_TRACE_MODE", "full")
        .env("HAKMEM_TRACE_MAX_MB", "9")
        .finish();
    recorded.outcome.success();
    let said = recorded.outcome.stderr_text();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("HAKMEM_TRACE_MAX_MB is reached"), "{said}");
    let trace = recorded.trace();
    assert_eq!(torn(&trace), 0);
    let is_segment = |name| matches!(name, FileName::Full(..));
    let names: Vec<FileName> = trace.files().iter().map(|file| file.name()).collect();
    assert_eq!(
        names.iter().filter(|name| is_segment(**name)).count(),
        2,
        "{names:?}"
    );
    // The ring goes on where the segments ended, and has the last of all.
    let ring = trace
        .files()
        .iter()
        .find(|file| file.name() == FileName::Ring(1));
    let survey = ring.expect("a ring").survey();
    assert!(
        survey.whole >= 4096 && survey.first_seq > 2 * 65_000,
        "{survey:?}"
    );
    assert!(survey.last_seq > 400_000, "{survey:?}");
}

#[test]
fn a_mode_that_there_is_not() {
    let recorded = Recording::of("sizes")
        .env("HAKMEM_TRACE_MODE", "both")
        .finish();
    recorded.outcome.success();
    let said = recorded.outcome.stderr_text();
    assert_eq!(
        said,
        "hakmem: HAKMEM_TRACE_MODE=both is not ring or full; using the default ring\n"
    );
    assert_eq!(recorded.trace().session().mode(), Some(Mode::Ring));
}

#[test]
fn the_size_of_rings() {
    for (kilobytes, slots) in [("4", 64), ("100", 2048), ("1024", 16384)] {
        let recorded = Recording::of("many")
            .env("HAKMEM_TRACE_RING_KB", kilobytes)
            .finish();
        let trace = recorded.trace();
        let ring = trace
            .files()
            .iter()
            .find(|file| file.name() == FileName::Ring(1));
        let survey = ring.expect("a ring").survey();
        assert_eq!((survey.slots, survey.whole), (slots, slots));
        assert_eq!(survey.missing(), 0);
        assert!(survey.last_seq > 400_000);
    }
}

#[test]
fn ways_to_walk_stacks() {
    for (way, mode) in [
        ("off", StacksMode::Off),
        ("fp", StacksMode::FramePointers),
        ("table", StacksMode::Unwind),
    ] {
        let recorded = Recording::of("sizes").env("HAKMEM_STACKS", way).finish();
        recorded.outcome.success();
        let (trace, site) = (recorded.trace(), recorded.told()["site"]);
        assert_eq!(trace.session().stacks_mode(), Some(mode));
        let events = of_kind(&trace, Kind::Allocate);
        let ours = events.iter().filter(|event| event.record.caller() == site);
        let mut count = 0;
        for event in ours {
            let frames = trace.stack(event.record.stack()).expect("a stack");
            assert_eq!(frames[0], site);
            assert_eq!(frames.len() > 1, way != "off", "{way}: {frames:x?}");
            count += 1;
        }
        assert_eq!(count, 100, "{way}");
    }
}

fn lines(outcome: &hakmem_tests::Outcome) -> Vec<String> {
    let said = outcome.stderr_text().into_owned();
    said.lines().map(str::to_owned).collect()
}

#[test]
fn a_dump_at_the_end() {
    let scratch = Scratch::new();
    let run = |count: &str| {
        Run::program("trace.c")
            .arg("blocks")
            .directory(scratch.path())
            .env("HAKMEM_PTR_TRACE_DUMP", count)
            .allocator(Allocator::Observed)
            .output()
    };
    for (count, expected) in [("1", 128), ("30", 30)] {
        let outcome = run(count);
        let lines = lines(outcome.success());
        assert_eq!(lines.len(), expected, "{}", outcome.report());
        assert!(
            lines
                .iter()
                .all(|line| line.starts_with("hakmem: trace: thread "))
        );
        let time = |line: &String| -> u64 {
            let at = line
                .split(" at ")
                .nth(1)
                .and_then(|rest| rest.split(':').next());
            at.and_then(|at| at.parse().ok())
                .unwrap_or_else(|| panic!("{line}"))
        };
        assert!(lines.is_sorted_by_key(time), "{lines:#?}");
        assert!(
            lines
                .iter()
                .any(|line| line.contains("free") && line.contains("size 1000"))
        );
    }
    // It asks for no files.
    assert_eq!(fs::read_dir(scratch.path()).expect("it").count(), 0);
    let recorded = Recording::of("blocks")
        .env("HAKMEM_PTR_TRACE_DUMP", "10")
        .finish();
    assert_eq!(lines(&recorded.outcome).len(), 10);
    assert!(!of_kind(&recorded.trace(), Kind::Free).is_empty());
}

#[test]
fn each_step_is_said() {
    let recorded = Recording::of("lives")
        .env("HAKMEM_PTR_TRACE_VERBOSE", "1")
        .finish();
    let (trace, block) = (recorded.trace(), recorded.told()["block"]);
    let lines = lines(recorded.outcome.success());
    let about = format!(" {block:#x} ");
    let said: Vec<&String> = lines.iter().filter(|line| line.contains(&about)).collect();
    let history = trace.history(block);
    let recorded: Vec<&Event> = history
        .events
        .iter()
        .filter(|event| {
            event.record.address() == block && event.record.kind() != Some(Kind::SlabOpened)
        })
        .collect();
    let (said, recorded) = (
        said.iter().filter(|line| !line.contains("slab")),
        recorded.iter(),
    );
    assert_eq!(said.clone().count(), recorded.clone().count(), "{lines:#?}");
    for (line, event) in said.zip(recorded) {
        let record = event.record;
        let kind = record.kind().expect("a kind").name();
        assert!(
            line.contains(&format!(" at {}: {kind} ", record.time())),
            "{line} {record:?}"
        );
        assert!(
            line.contains(&format!(" life {} ", record.generation())),
            "{line} {record:?}"
        );
        assert!(!record.flags().has(Flags::FAILED));
    }
}
