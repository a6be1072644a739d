//! Every kind of record that the flight recorder writes, and every field of it.

use std::collections::HashMap;

use hakmem_tests::Recording;
use hakmem_tests::recording::{Recorded, of_kind, torn};
use hakmem_trace_format::reader::{Event, Trace};
use hakmem_trace_format::{
    Api, CLASS_LARGE, CLASS_NONE, ClockKind, End, FileName, Flags, Kind, Mode, Record, StacksMode,
};

/// The first event of a kind at an address.
#[track_caller]
fn first(trace: &Trace, kind: Kind, address: u64) -> Event {
    let events = of_kind(trace, kind);
    let mut there = events
        .into_iter()
        .filter(|event| event.record.address() == address);
    there
        .next()
        .unwrap_or_else(|| panic!("no {kind:?} at {address:#x}"))
}

/// What is asked of a block's record.
struct Expected {
    api: Api,
    size: u64,
    align_log2: u8,
    value: u64,
    flags: Flags,
}

#[track_caller]
fn is(record: &Record, expected: &Expected) {
    assert_eq!(record.api(), Some(expected.api));
    assert_eq!(record.size(), expected.size);
    assert_eq!(record.align_log2(), expected.align_log2);
    assert_eq!(record.value(), expected.value);
    assert_eq!(record.flags(), expected.flags);
}

fn expected(api: Api, size: u64, value: u64) -> Expected {
    Expected {
        api,
        size,
        align_log2: 0,
        value,
        flags: Flags::default(),
    }
}

fn class_bytes(trace: &Trace, record: &Record) -> u64 {
    u64::from(trace.session().header().class_bytes[usize::from(record.class())])
}

#[test]
fn blocks() {
    let recorded = Recording::of("blocks")
        .env("HAKMEM_TRACE_RING_KB", "4096")
        .finish();
    recorded.outcome.success();
    let (trace, told) = (recorded.trace(), recorded.told());
    let main = told["main"] as u32;
    assert_eq!(torn(&trace), 0);

    let block = first(&trace, Kind::Allocate, told["malloc"]).record;
    is(
        &block,
        &expected(Api::Malloc, 100, class_bytes(&trace, &block)),
    );
    assert!(class_bytes(&trace, &block) >= 100);
    assert_eq!(block.caller(), told["site"]);
    assert_eq!((block.generation(), block.thread()), (1, main));
    let frames = trace.stack(block.stack()).expect("its stack");
    assert_eq!(frames[0], told["site"]);
    assert!(frames.len() >= 3, "{frames:x?}");
    let program = trace
        .module_of(told["site"], block.time())
        .expect("a module");
    assert!(program.path.ends_with("trace_c"), "{program:?}");

    let aligned = first(&trace, Kind::Allocate, told["aligned"]).record;
    let of = expected(Api::PosixMemalign, 300, class_bytes(&trace, &aligned));
    is(
        &aligned,
        &Expected {
            align_log2: 8,
            ..of
        },
    );
    let freed = first(&trace, Kind::Free, told["aligned"]).record;
    is(
        &freed,
        &Expected {
            align_log2: 8,
            ..expected(Api::Free, 300, 0)
        },
    );
    assert_eq!((freed.class(), freed.generation()), (aligned.class(), 1));

    let large = first(&trace, Kind::Allocate, told["large"]).record;
    assert_eq!((large.class(), large.size()), (CLASS_LARGE, 300_000));
    assert!(large.value() >= 300_000 && large.value().is_multiple_of(4096));

    resizes(&trace, &told);
    refused_and_remote(&trace, &told, main);
    others(&trace, &told, main);
    header(&recorded, &trace);
}

/// The three ways of a resize: by a copy, in place, and of a large block.
fn resizes(trace: &Trace, told: &HashMap<String, u64>) {
    let (from, to) = (told["malloc"], told["moved"]);
    let out = first(trace, Kind::ResizeOut, from).record;
    is(&out, &expected(Api::Realloc, 100, to));
    let into = first(trace, Kind::ResizeIn, to).record;
    is(&into, &expected(Api::Realloc, 5000, from));
    assert!(class_bytes(trace, &into) >= 5000);

    let stayed = told["stayed"];
    assert_eq!(stayed, told["calloc"], "119 bytes are the class of 120");
    let fresh = first(trace, Kind::Allocate, stayed).record;
    is(
        &fresh,
        &expected(Api::Calloc, 120, class_bytes(trace, &fresh)),
    );
    let in_place = |size| Expected {
        flags: Flags::IN_PLACE,
        ..expected(Api::Realloc, size, stayed)
    };
    let out = first(trace, Kind::ResizeOut, stayed).record;
    is(&out, &in_place(120));
    let into = first(trace, Kind::ResizeIn, stayed).record;
    is(&into, &in_place(119));
    assert_eq!((out.generation(), into.generation()), (1, 1));
    let freed = first(trace, Kind::Free, stayed).record;
    assert_eq!((freed.size(), freed.generation()), (119, 1));

    let grown = first(trace, Kind::ResizeIn, told["grown"]).record;
    assert_eq!((grown.size(), grown.value()), (310_000, told["large"]));
    let shrunk = first(trace, Kind::ResizeOut, told["large"]).record;
    assert_eq!((shrunk.size(), shrunk.value()), (300_000, told["grown"]));
}

fn refused_and_remote(trace: &Trace, told: &HashMap<String, u64>, main: u32) {
    let refused = first(trace, Kind::Allocate, 0).record;
    assert!(refused.flags().has(Flags::FAILED));
    assert_eq!((refused.api(), refused.thread()), (Some(Api::Malloc), main));
    assert_eq!(refused.size(), (1 << 48) - 1, "cut to what a record holds");
    assert_eq!(refused.class(), CLASS_NONE);

    let away = first(trace, Kind::RemoteFree, told["remote"]).record;
    is(&away, &expected(Api::Free, 77, 0));
    assert_eq!(u64::from(away.thread()), told["thread"]);
    assert_ne!(away.thread(), main);
}

/// Slabs, fronts, threads, marks, files.
fn others(trace: &Trace, told: &HashMap<String, u64>, main: u32) {
    for kind in [Kind::Refill, Kind::Drain] {
        let events = of_kind(trace, kind);
        let some = events
            .iter()
            .find(|event| class_bytes(trace, &event.record) == 1024 && event.record.value() > 0)
            .unwrap_or_else(|| panic!("no {kind:?}"));
        assert_eq!(some.record.api(), Some(Api::Internal));
        assert_eq!(some.record.thread(), main);
    }
    let collected = of_kind(trace, Kind::Collect);
    let slab_of_remote = told["remote"] & !0xffff;
    assert!(
        collected
            .iter()
            .any(|event| event.record.address() == slab_of_remote && event.record.value() >= 1),
        "{collected:#?}"
    );
    let opened = of_kind(trace, Kind::SlabOpened);
    let of_first = opened
        .iter()
        .find(|event| event.record.address() == told["malloc"] & !0xffff)
        .expect("the slab of the first block");
    assert_eq!(of_first.record.size(), 65536);
    assert_eq!(
        of_first.record.value(),
        class_bytes(trace, &of_first.record)
    );
    assert_eq!(trace.files()[of_first.file].name(), FileName::Rare(1));
    let closed = of_kind(trace, Kind::SlabClosed);
    assert!(!closed.is_empty());
    assert!(closed.iter().all(|event| {
        opened
            .iter()
            .any(|o| o.record.address() == event.record.address())
    }));

    let threads = |kind| -> Vec<u64> {
        let events = of_kind(trace, kind);
        events
            .iter()
            .map(|event| event.record.thread().into())
            .collect()
    };
    assert_eq!(threads(Kind::ThreadBegan), [main.into(), told["thread"]]);
    assert_eq!(threads(Kind::ThreadEnded), [told["thread"]]);

    let mark = first(trace, Kind::Mark, told["malloc"]);
    let text = "a text of the program's that is longer than one record holds";
    assert_eq!(String::from_utf8_lossy(&mark.payload), text);
    assert_eq!(
        (mark.record.size(), mark.record.value()),
        (text.len() as u64, 42)
    );
    assert_eq!(mark.record.thread(), main);
    let program = trace.module_of(mark.record.caller(), mark.record.time());
    assert!(program.expect("a module").path.ends_with("trace_c"));

    let loaded = of_kind(trace, Kind::ModuleLoaded);
    for (index, module) in trace.modules().iter().enumerate() {
        let event = loaded
            .iter()
            .find(|event| event.record.value() == index as u64)
            .unwrap_or_else(|| panic!("{module:?}"));
        assert_eq!(event.record.address(), module.range.start);
        assert_eq!(event.record.size(), module.range.end - module.range.start);
    }
    let libc = trace
        .modules()
        .iter()
        .find(|m| m.path.ends_with("libc.so.6"));
    assert!(!libc.expect("libc").build_id.is_empty());
}

fn header(recorded: &Recorded, trace: &Trace) {
    let session = trace.session();
    let header = session.header();
    let pid = recorded.outcome.seen[0].pid;
    assert_eq!(header.pid, pid);
    assert_eq!(header.parent_pid, std::process::id());
    assert_ne!(header.session, [0, 0]);
    assert_eq!(header.parent_session, [0, 0]);
    assert!(session.exe().ends_with("trace_c"), "{:?}", session.exe());
    let arguments = session.arguments();
    assert_eq!(arguments.len(), 2);
    assert_eq!(arguments[1], "blocks");
    assert!(session.features().contains(&"trace".to_owned()));
    assert_eq!(session.hakmem_version(), env!("CARGO_PKG_VERSION"));
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("the boot's id");
    let boot: String = boot.trim().replace('-', "");
    let seen: String = header.boot_id.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(seen, boot);
    let clock =
        std::fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    if clock.is_ok_and(|clock| clock.trim() == "tsc") {
        assert_eq!(session.clock_kind(), Some(ClockKind::Tsc));
    }
    assert!(trace.clock().is_calibrated());
    assert_eq!(session.mode(), Some(Mode::Ring));
    assert_eq!(session.stacks_mode(), Some(StacksMode::FramePointers));
    assert_eq!(session.end().map(|(end, _)| end), Some(End::Exited));
    assert!(header.arena_limit > header.arena_base);
    let told = recorded.told();
    assert!((header.arena_base..header.arena_limit).contains(&told["malloc"]));
    assert!(header.totals[0] > 8000, "{:?}", header.totals);
    assert!(trace.crash().is_none_or(|page| !page.happened()));
    // Times lie in the run, and an event's caller is on its stack.
    let (start, end) = (header.start_ticks, header.end_ticks);
    for event in trace.records() {
        let record = event.record;
        assert!((start..=end).contains(&record.time()), "{record:?}");
        if record.stack() != 0 {
            let frames = trace.stack(record.stack()).expect("a stack");
            assert_eq!(frames[0], record.caller());
        }
    }
    let span = trace.clock().since_start(end);
    assert!((100_000..600_000_000_000).contains(&span), "{span} ns");
}

#[test]
fn lives() {
    let recorded = Recording::of("lives").finish();
    recorded.outcome.success();
    let (trace, told) = (recorded.trace(), recorded.told());
    let history = trace.history(told["block"]);
    let of = |kind: Kind| -> Vec<u32> {
        let records = history.events.iter().map(|event| event.record);
        let records = records.filter(|record| record.kind() == Some(kind));
        records.map(|record| record.generation()).collect()
    };
    let lives = of(Kind::Allocate);
    let last = *lives.last().expect("a life");
    assert_eq!(lives, Vec::from_iter(last - 4..=last));
    assert_eq!(of(Kind::Free), lives);
}

/// A handler that allocates in the middle of whatever the program does: each block of each is
/// there, none twice, and none is torn.
#[test]
fn signals() {
    let recorded = Recording::of("signals")
        .env("HAKMEM_TRACE_RING_KB", "65536")
        .finish();
    recorded.outcome.success();
    let (trace, told) = (recorded.trace(), recorded.told());
    assert_eq!(torn(&trace), 0);
    let of_size = |kind, size| {
        let events = of_kind(&trace, kind);
        events
            .iter()
            .filter(|event| event.record.size() == size)
            .count() as u64
    };
    for kind in [Kind::Allocate, Kind::Free] {
        assert_eq!(of_size(kind, 100), told["pairs"], "{kind:?}");
        // One that came behind the last look is recorded as well.
        let handled = of_size(kind, 48);
        assert!(
            (told["handled"]..=told["handled"] + 3).contains(&handled),
            "{kind:?} {handled}"
        );
    }
    for file in trace.files() {
        assert_eq!(file.survey().missing(), 0, "{}", file.name());
    }
}

/// What a thread does after its cache has gone is recorded in the ring that threads share which
/// have none.
#[test]
fn thread_end() {
    let recorded = Recording::of("thread_end").finish();
    recorded.outcome.success();
    let trace = recorded.trace();
    let of = |kinds: &[Kind]| -> Vec<(Record, FileName)> {
        let events = trace.records().map(|event| (event.record, event.file));
        let events = events.map(|(record, file)| (record, trace.files()[file].name()));
        let is = |record: &Record| record.size() == 555 && kinds.contains(&record.kind().unwrap());
        events.filter(|(record, _)| is(record)).collect()
    };
    let allocated = of(&[Kind::Allocate]);
    let freed = of(&[Kind::Free, Kind::RemoteFree]);
    assert_eq!((allocated.len(), freed.len()), (4, 4));
    let began = of_kind(&trace, Kind::ThreadBegan);
    let thread = began.last().expect("a thread").record.thread();
    let both = || allocated.iter().chain(&freed);
    assert!(both().all(|(record, _)| record.thread() == thread));
    assert!(
        both().any(|(_, file)| *file == FileName::Ring(0)),
        "{allocated:?}"
    );
    assert!(both().all(|(record, _)| record.caller() != 0 && record.api().is_some()));
}
