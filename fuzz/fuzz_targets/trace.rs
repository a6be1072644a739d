//! The reader of traces, on a small session whose files are changed and cut short.
//!
//! Input: as of `core_file`. The session's files stand one after the other in one file.

#![no_main]

use std::fs;
use std::path::PathBuf;

use hakmem_trace_format::reader::{Choice, Trace};
use hakmem_trace_format::{
    Api, CrashPage, FileName, Kind, MAJOR, MINOR, ModuleHeader, ModuleRecord, Plain, Record,
    RingHeader, RingKind, SessionHeader, StackHeader, hash_of_frames,
};
use libfuzzer_sys::fuzz_target;

const SESSION: [u64; 2] = [1, 2];

/// The session's files, with their names.
fn files() -> Vec<(FileName, Vec<u8>)> {
    let mut session = SessionHeader::new(SESSION);
    session.page_bytes = 4096;
    session.class_bytes[3] = 112;
    let mut ring = RingHeader::new(RingKind::Ring, SESSION, 7, 0, 64)
        .as_bytes()
        .to_vec();
    for seq in 1..=64 {
        let kind = if seq % 3 == 0 {
            Kind::Free
        } else {
            Kind::Allocate
        };
        let record = Record::new(
            kind,
            Api::Malloc,
            100 * seq,
            0x7f00_0000_0000 + seq % 9 * 112,
        );
        ring.extend(
            record
                .with_size(100)
                .with_class(3)
                .with_thread(7)
                .seal(seq)
                .words()
                .map(u64::to_le_bytes)
                .concat(),
        );
    }
    let module = ModuleRecord::new(b"/bin/true", &[1; 20], 0x1000, 0x1000, 0x9000, 0);
    let modules = [ModuleHeader::new(SESSION).as_bytes(), module.as_bytes()].concat();
    let crash = vec![0; size_of::<CrashPage>()];
    let mut stacks = StackHeader {
        magic: *b"hakmSTCK",
        major: MAJOR,
        minor: MINOR,
        header_bytes: 4096,
        session: SESSION,
        index_offset: 4096,
        index_slots: 2,
        log_offset: 8192,
        log_words: 128,
        log_used: 4,
        ..StackHeader::zeroed()
    }
    .as_bytes()
    .to_vec();
    stacks.resize(8192 + 8 * 128, 0);
    let frames = [0x2000, 0x3000];
    let entry = [hash_of_frames(&frames) & !0xff | 2, frames[0], frames[1]];
    stacks[8192 + 8..][..24].copy_from_slice(&entry.map(u64::to_le_bytes).concat());
    vec![
        (FileName::Session, session.as_bytes().to_vec()),
        (FileName::Ring(0), ring),
        (FileName::Modules, modules),
        (FileName::Stacks, stacks),
        (FileName::Crash, crash),
    ]
}

fuzz_target!(|input: &[u8]| {
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |n: usize, byte| n << 8 | *byte as usize)
    };
    let (mut bytes, mut parts) = (vec![], vec![]);
    for (name, content) in files() {
        parts.push((name, bytes.len() as u64, content.len() as u64));
        bytes.extend(content);
    }
    if let Some((changes, cut)) = input.split_last_chunk::<4>() {
        for change in changes.chunks_exact(6) {
            let at = number(&change[..4]) % bytes.len();
            bytes[at] ^= change[4];
        }
        if cut[0] & 7 == 0 {
            bytes.truncate(number(cut) % (bytes.len() + 1));
        }
    }
    let path = PathBuf::from(format!("/dev/shm/hakmem-fuzz-trace.{}", std::process::id()));
    fs::write(&path, bytes).expect("a file for the input");
    if let Ok(trace) = Trace::open_parts(&path, &parts) {
        trace.records().count();
        trace.surveys();
        trace.history(0x7f00_0000_0070);
        trace.nearest(0x7f00_0000_2000);
        trace.complete_since();
        trace.for_each_live(&Choice::default(), &|block| {
            assert!(block.record.is_whole())
        });
        trace.module_of(0x2000, 5);
        trace.stack(1).unwrap_or_default();
    }
    let _ = fs::remove_file(&path);
});
