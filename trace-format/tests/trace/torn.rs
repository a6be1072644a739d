//! Slots that were overwritten in part are reported, and nothing of them is read as a record.

use hakmem_trace_format::reader::SlotState;
use hakmem_trace_format::{Api, FileName, Kind, RECORD_BYTES, RING_HEADER_BYTES, Record, RingKind};

use crate::support::{Directory, Ring, allocate, free};

const SLOTS: usize = 16;

/// A full ring, and the same one after it has gone round once more.
fn before_and_after() -> (Vec<u8>, Vec<u8>) {
    let mut ring = Ring::of(RingKind::Ring, 0, SLOTS as u64);
    for time in 0..SLOTS as u64 {
        ring.put(allocate(1000 + time, 0x1000 + 64 * time, 48));
    }
    let before = ring.memory.content();
    for time in 0..SLOTS as u64 {
        ring.put(free(1100 + time, 0x1000 + 64 * time, 48));
    }
    (before, ring.memory.content())
}

#[test]
fn any_mixture_of_two_records_is_torn() {
    let (before, after) = before_and_after();
    let slot = 5;
    let words = |file: &[u8]| {
        let start = RING_HEADER_BYTES + slot * RECORD_BYTES;
        let bytes = &file[start..start + RECORD_BYTES];
        let words = bytes
            .chunks(8)
            .map(|word| u64::from_le_bytes(word.try_into().unwrap()));
        <[u64; 8]>::try_from(words.collect::<Vec<_>>()).unwrap()
    };
    let (old, new) = (words(&before), words(&after));
    assert!(Record::from_words(old).is_whole() && Record::from_words(new).is_whole());
    for taken in 0..256_u32 {
        let mixed = std::array::from_fn(|word| match taken >> word & 1 {
            0 => old[word],
            _ => new[word],
        });
        let whole = mixed == old || mixed == new;
        assert_eq!(Record::from_words(mixed).is_whole(), whole, "{taken:08b}");
    }
}

/// Killed at any store, the writer leaves the other slots whole and this one known.
#[test]
fn a_ring_with_half_a_slot_says_so() {
    let (before, after) = before_and_after();
    let slot = 5;
    for half in [0..32, 32..64, 8..64, 0..8, 20..50] {
        let mut file = after.clone();
        let start = RING_HEADER_BYTES + slot * RECORD_BYTES;
        let range = start + half.start..start + half.end;
        file[range.clone()].copy_from_slice(&before[range]);

        let directory = Directory::new();
        directory.write(FileName::Ring(0), &file);
        let trace = directory.open();
        assert_eq!(trace.files()[0].slot(slot).0, SlotState::Torn);
        let (_, survey) = trace.surveys()[0];
        assert_eq!((survey.torn, survey.whole), (1, SLOTS as u64 - 1));
        assert_eq!((survey.first_seq, survey.last_seq), (17, 32));
        assert_eq!((survey.missing(), survey.overwritten()), (1, 16));
        assert_eq!(trace.records().count(), SLOTS - 1);
        assert!(trace.records().all(|event| event.slot != slot));
        // It may have been about this address, which is not left unsaid.
        let address = 0x1000 + 64 * slot as u64;
        let history = trace.history(address);
        assert!(history.events.is_empty());
        assert_eq!(history.torn, 1);
    }
}

#[test]
fn a_slot_without_a_number_is_unfinished() {
    let (_, mut file) = before_and_after();
    let start = RING_HEADER_BYTES + 3 * RECORD_BYTES;
    file[start..start + 8].fill(0);
    let directory = Directory::new();
    directory.write(FileName::Ring(0), &file);
    let trace = directory.open();
    assert_eq!(trace.files()[0].slot(3).0, SlotState::Unfinished);
    let (_, survey) = trace.surveys()[0];
    assert_eq!((survey.unfinished, survey.whole), (1, SLOTS as u64 - 1));
}

#[test]
fn records_of_a_ring_come_in_order() {
    let directory = Directory::new();
    for (index, put) in [(0, 3), (1, 16), (2, 17), (3, 47)] {
        let mut ring = Ring::of(RingKind::Ring, index, 16);
        for time in 0..put {
            ring.put(allocate(time, 0x1000, 16));
        }
        directory.add(&ring);
    }
    let trace = directory.open();
    for (file, put) in [3_u64, 16, 17, 47].into_iter().enumerate() {
        let seqs: Vec<u64> = trace
            .records_of(file)
            .map(|event| event.record.seq())
            .collect();
        let expected: Vec<u64> = (put.saturating_sub(16) + 1..=put).collect();
        assert_eq!(seqs, expected);
    }
    assert_eq!(trace.records_of(4).count(), 0);
    let times: Vec<u64> = trace.records().map(|event| event.record.time()).collect();
    assert!(times.is_sorted());
    assert_eq!(times.len(), 3 + 16 * 3);
}

#[test]
fn text_comes_with_its_record() {
    let directory = Directory::new();
    let mut ring = Ring::of(RingKind::Rare, 0, 8);
    for time in 0..6 {
        ring.put(allocate(time, 0x1000, 16));
    }
    let text =
        b"a text that is longer than what one record can hold, so that it takes three of them";
    let mark = Record::new(Kind::Mark, Api::Unknown, 10, 0x40).with_size(text.len() as u64);
    // From the last slots into the first ones.
    ring.put_with(mark, text);
    directory.add(&ring);
    let trace = directory.open();
    let events: Vec<_> = trace.records().collect();
    assert_eq!(events.len(), 5);
    assert_eq!(events[4].payload, text);
    assert_eq!(trace.history(0x40).events, [events[4].clone()]);

    // What is left when the mark itself has been overwritten.
    for time in 20..25 {
        ring.put(allocate(time, 0x1000, 16));
    }
    directory.add(&ring);
    let trace = directory.open();
    let first = trace.records().next().unwrap();
    assert_eq!(first.record.kind(), Some(Kind::Continuation));
    assert_eq!(first.payload, text[..32]);
}

#[test]
fn segments_follow_each_other() {
    let directory = Directory::new();
    let mut seq = 1;
    for segment in 0..3 {
        let header = hakmem_trace_format::RingHeader::segment(
            crate::support::SESSION,
            7,
            2,
            segment,
            seq,
            10,
        );
        let mut file = Ring::new(header);
        for _ in 0..if segment == 2 { 4 } else { 10 } {
            seq = file.put(allocate(seq, 0x1000, 16)) + 1;
        }
        directory.add(&file);
    }
    let mut other = Ring::of(RingKind::Full, 3, 10);
    other.put(allocate(7, 0x1000, 16));
    directory.add(&other);
    let trace = directory.open();
    assert!(trace.notes().is_empty(), "{:?}", trace.notes());
    let seqs: Vec<u64> = trace
        .records()
        .filter(|event| trace.files()[event.file].header().ring == 2)
        .map(|event| event.record.seq())
        .collect();
    assert_eq!(seqs, (1..=24).collect::<Vec<_>>());
    assert!(trace.records().map(|event| event.record.time()).is_sorted());
}
