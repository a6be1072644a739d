//! Whatever is in the files, a reader says what it can and goes on: it does not panic, does not
//! hang, and takes nothing for a record that none was.

use std::fs;

use hakmem_trace_format::reader::Trace;
use hakmem_trace_format::{FileName, MAJOR, MINOR, Plain, RingKind};
use proptest::prelude::*;

use crate::support::{Directory, Ring, allocate, session, small, use_all};

/// What a small session has: continuations are part of the mark.
const RECORDS: usize = 64 + 1 + 20;
/// As many if the mark is damaged and its continuations are by themselves.
const MOST: usize = 64 + 2 + 20;

#[test]
fn an_undamaged_session_is_read_in_full() {
    let (directory, _) = small();
    let trace = directory.open();
    assert_eq!(trace.notes(), []);
    assert_eq!(use_all(&trace), RECORDS);
    assert_eq!(trace.modules().len(), 1);
    assert_eq!(trace.modules()[0].build_id, [1, 2, 3]);
    let crash = trace.crash().unwrap();
    assert_eq!((crash.signal, crash.text()), (11, &b"a fault"[..]));
    assert_eq!(crash.frames(), [0x40_0010, 0x40_0020]);
    assert_eq!(crash.registers().len(), 23);
    for event in trace.records().filter(|event| event.record.stack() != 0) {
        assert!(trace.stack(event.record.stack()).is_ok());
    }
}

/// Places to cut a file at: all near its ends and near what is a boundary, and some between.
fn cuts(bytes: usize) -> Vec<usize> {
    let near = |at: usize| at.saturating_sub(9)..(at + 9).min(bytes);
    let mut cuts: Vec<usize> = (0..64.min(bytes)).collect();
    for at in [4096, 4096 + 64, 4096 + 128, 8192, 12288, bytes] {
        cuts.extend(near(at));
    }
    cuts.extend((0..bytes).step_by(97));
    cuts.retain(|cut| *cut < bytes);
    cuts
}

#[test]
fn a_file_cut_anywhere_is_an_error_or_a_note() {
    let (directory, names) = small();
    for name in names {
        let whole = fs::read(directory.file(name)).unwrap();
        for cut in cuts(whole.len()) {
            directory.write(name, &whole[..cut]);
            match Trace::open(directory.path()) {
                Ok(trace) => {
                    let found = use_all(&trace);
                    assert!(found <= MOST);
                    // Without a sign a whole number of slots can be missing where a file has no
                    // size that it must have.
                    let step = match name {
                        FileName::Full(..) => 64,
                        FileName::Modules => 512,
                        _ => usize::MAX,
                    };
                    let silent = cut >= 4096 && (cut - 4096).is_multiple_of(step);
                    assert!(
                        !trace.notes().is_empty() || silent,
                        "{name} cut at {cut}: nothing said"
                    );
                }
                Err(error) => {
                    assert_eq!(name, FileName::Session);
                    assert!(cut < 32, "{error}");
                    assert!(!error.why.is_empty() && !error.next.is_empty());
                }
            }
        }
        directory.write(name, &whole);
    }
    assert_eq!(directory.open().notes(), []);
}

#[test]
fn files_that_are_missing_are_none() {
    let (directory, names) = small();
    for name in names {
        let whole = fs::read(directory.file(name)).unwrap();
        fs::remove_file(directory.file(name)).unwrap();
        match Trace::open(directory.path()) {
            Ok(trace) => {
                use_all(&trace);
            }
            Err(error) => {
                assert_eq!(name, FileName::Session);
                assert!(error.to_string().contains("session"), "{error}");
            }
        }
        directory.write(name, &whole);
    }
}

#[test]
fn directories_pipes_and_strangers_are_not_read() {
    let (directory, _) = small();
    fs::create_dir(directory.path().join("ring.0009")).unwrap();
    fs::write(directory.path().join("notes.txt"), "mine").unwrap();
    let status = std::process::Command::new("mkfifo")
        .arg(directory.path().join("ring.0010"))
        .status();
    let pipe = status.is_ok_and(|status| status.success());
    let trace = directory.open();
    assert_eq!(use_all(&trace), RECORDS);
    assert_eq!(
        trace.notes().len(),
        1 + usize::from(pipe),
        "{:?}",
        trace.notes()
    );
}

#[test]
fn other_major_versions_are_refused_and_later_minor_ones_read() {
    let (directory, names) = small();
    for name in names {
        let whole = fs::read(directory.file(name)).unwrap();
        let mut other = whole.clone();
        other[8..10].copy_from_slice(&(MAJOR + 1).to_le_bytes());
        directory.write(name, &other);
        match Trace::open(directory.path()) {
            Ok(trace) => {
                assert_eq!(trace.notes().len(), 1);
                assert!(
                    trace.notes()[0].text.contains("format 2"),
                    "{:?}",
                    trace.notes()
                );
            }
            Err(error) => {
                assert_eq!(name, FileName::Session);
                assert!(error.to_string().contains("format 2"), "{error}");
            }
        }
        let mut later = whole.clone();
        later[10..12].copy_from_slice(&(MINOR + 3).to_le_bytes());
        directory.write(name, &later);
        let trace = directory.open();
        assert_eq!(use_all(&trace), RECORDS);
        assert_eq!(trace.notes().len(), 1);
        assert!(trace.notes()[0].text.contains("1.3"), "{:?}", trace.notes());
        directory.write(name, &whole);
    }
}

/// As a later minor version might write it: a longer header, and slots with a field more.
#[test]
fn longer_headers_and_slots_are_skipped_over() {
    let directory = Directory::new();
    let mut ring = Ring::of(RingKind::Ring, 0, 16);
    for time in 0..16 {
        ring.put(allocate(time, 0x1000 + 64 * time, 40));
    }
    let content = ring.memory.content();
    let mut header = ring.header;
    (header.header_bytes, header.record_bytes) = (8192, 80);
    let mut file = header.as_bytes().to_vec();
    file.resize(8192, 0xaa);
    for slot in content[4096..].chunks(64) {
        file.extend_from_slice(slot);
        file.extend_from_slice(&[0xbb; 16]);
    }
    directory.write(ring.name(), &file);
    let trace = directory.open();
    assert_eq!(trace.notes(), []);
    assert_eq!(use_all(&trace), 16);
    assert_eq!(trace.history(0x1000 + 64 * 9 + 3).events.len(), 1);
}

#[test]
fn files_of_another_session_are_left_out() {
    let (directory, names) = small();
    let mut other = session();
    other.session = [9, 9];
    directory.write(FileName::Session, other.as_bytes());
    let trace = directory.open();
    assert_eq!(trace.notes().len(), names.len() - 1);
    assert_eq!(use_all(&trace), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn flipped_bits_do_no_harm(
        which in 0_usize..7,
        places in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
        bit in 0_u8..8,
    ) {
        let (directory, names) = small();
        let name = names[which];
        let mut bytes = fs::read(directory.file(name)).unwrap();
        // Half of them in the header, where they do most.
        for (index, place) in places.iter().enumerate() {
            let range = if index % 2 == 0 { 160 } else { bytes.len() };
            bytes[place.index(range)] ^= 1 << bit;
        }
        directory.write(name, &bytes);
        if let Ok(trace) = Trace::open(directory.path()) {
            prop_assert!(use_all(&trace) <= MOST);
        }
    }

    #[test]
    fn random_bytes_do_no_harm(
        which in 0_usize..7,
        keep in prop::sample::select(vec![0_usize, 12, 32, 120]),
        bytes in prop::collection::vec(any::<u8>(), 0..20_000),
    ) {
        let (directory, names) = small();
        let name = names[which];
        let whole = fs::read(directory.file(name)).unwrap();
        let mut content = whole[..keep].to_vec();
        content.extend_from_slice(&bytes);
        directory.write(name, &content);
        if let Ok(trace) = Trace::open(directory.path()) {
            prop_assert!(use_all(&trace) <= MOST);
        }
    }

    /// Sizes and offsets that are as large as they can be.
    #[test]
    fn numbers_of_a_header_are_not_believed(
        which in 0_usize..7,
        offset in 12_usize..120,
        number in prop::sample::select(vec![0_u64, 1, 7, 63, 65, 1 << 20, 1 << 40, 1 << 63, u64::MAX]),
        bytes in prop::sample::select(vec![1_usize, 2, 4, 8]),
    ) {
        let (directory, names) = small();
        let name = names[which];
        let mut content = fs::read(directory.file(name)).unwrap();
        content[offset..offset + bytes].copy_from_slice(&number.to_le_bytes()[..bytes]);
        directory.write(name, &content);
        if let Ok(trace) = Trace::open(directory.path()) {
            use_all(&trace);
        }
    }
}
