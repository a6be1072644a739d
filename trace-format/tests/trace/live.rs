//! A reader looks at a ring while it is written, and at one whose writer was killed.

use std::fs::File;
use std::process::{Command, Stdio};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hakmem_trace_format::reader::SlotState;
use hakmem_trace_format::{Api, FileName, Kind, Plain, Record, RingHeader, RingKind};
use memmap2::{MmapMut, MmapOptions};

use crate::support::{Directory, SESSION};

const SLOTS: u64 = 64;
/// Where the process that is to be killed writes to.
const VARIABLE: &str = "HAKMEM_TEST_RING";

/// A record that a reader can tell from a mixture.
fn record(seq: u64) -> Record {
    Record::new(Kind::Allocate, Api::Malloc, seq * 3, seq * 5 % (1 << 48))
        .with_size(seq * 7 % (1 << 48))
        .with_value(seq * 11)
        .with_caller(seq * 13 % (1 << 48))
        .with_stack(seq as u32)
        .with_thread(!seq as u32)
        .with_generation((seq * 17) as u32)
}

fn map(path: &std::path::Path) -> MmapMut {
    let file = File::options().read(true).write(true).open(path).unwrap();
    // SAFETY: the file is this test's.
    unsafe { MmapOptions::new().map_mut(&file) }.unwrap()
}

fn write(map: &MmapMut, go_on: impl Fn() -> bool) -> u64 {
    let start = NonNull::new(map.as_ptr().cast_mut()).unwrap();
    let mut seq = 1;
    while go_on() {
        // SAFETY: the file has as many slots.
        unsafe { RingHeader::slot(start, (seq - 1) % SLOTS) }.put(record(seq), seq);
        seq += 1;
    }
    seq - 1
}

fn directory() -> Directory {
    let directory = Directory::new();
    let header = RingHeader::new(RingKind::Ring, SESSION, 7, 0, SLOTS);
    let mut content = header.as_bytes().to_vec();
    content.resize(RingHeader::file_bytes(SLOTS) as usize, 0);
    directory.write(FileName::Ring(0), &content);
    directory
}

/// Looks at every slot. Gives back how many are whole, each of which is as it was written, and
/// the highest number.
fn look(directory: &Directory) -> (u64, u64) {
    let trace = directory.open();
    let (mut whole, mut last) = (0, 0);
    for index in 0..SLOTS as usize {
        let (state, found) = trace.files()[0].slot(index);
        if state == SlotState::Whole {
            assert_eq!(found, record(found.seq()).seal(found.seq()));
            whole += 1;
            last = last.max(found.seq());
        }
    }
    (whole, last)
}

#[test]
fn what_is_read_while_it_is_written_is_whole_or_known() {
    let directory = directory();
    let map = map(&directory.file(FileName::Ring(0)));
    let go_on = AtomicBool::new(true);
    thread::scope(|scope| {
        scope.spawn(|| write(&map, || go_on.load(Ordering::Relaxed)));
        let begun = Instant::now();
        let mut seen = 0;
        while begun.elapsed() < Duration::from_millis(300) {
            seen += look(&directory).0;
        }
        go_on.store(false, Ordering::Relaxed);
        assert!(seen > 0);
    });
    assert_eq!(look(&directory).0, SLOTS);
}

/// Not a test by itself: the process that is killed.
#[test]
fn writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(VARIABLE) else {
        return;
    };
    write(&map(path.as_ref()), || true);
}

#[test]
fn a_writer_that_was_killed_leaves_its_last_records() {
    for _ in 0..5 {
        let directory = directory();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "live::writes_until_it_is_killed"])
            .env(VARIABLE, directory.file(FileName::Ring(0)))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while look(&directory).1 < 10 * SLOTS && begun.elapsed() < Duration::from_secs(30) {
            thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let (whole, last) = look(&directory);
        assert!(
            whole >= SLOTS - 1,
            "one can have been in the making: {whole}"
        );
        assert!(last >= 10 * SLOTS);
        let trace = directory.open();
        let seqs: Vec<u64> = trace.records().map(|event| event.record.seq()).collect();
        assert!(seqs.is_sorted() && seqs.last() == Some(&last));
    }
}
