//! The search finds exactly what looking at every record by itself finds.

use hakmem_trace_format::reader::Event;
use hakmem_trace_format::{Api, CLASS_LARGE, Flags, Kind, Record, RingKind};
use proptest::prelude::*;

use crate::support::{Directory, Ring, allocate, free};

/// As the page says it, without regard to speed.
fn covers(record: &Record, address: u64) -> bool {
    let class_bytes = match record.class() {
        class @ 0..40 => 16 * (class as u64 + 1),
        CLASS_LARGE => record.size().next_multiple_of(4096),
        _ => 0,
    };
    let (begin, size) = (record.address(), record.size());
    let within = |bytes: u64| (begin..begin + bytes.max(1)).contains(&address);
    match record.kind() {
        _ if record.flags().has(Flags::FAILED) => false,
        Some(kind) if kind.has_block() => within(size.max(class_bytes)),
        Some(kind) if kind.has_range() => within(size),
        Some(Kind::Mark) => begin == address,
        _ => false,
    }
}

fn any_record() -> impl Strategy<Value = Record> {
    let kind = prop::sample::select(Kind::ALL);
    let size = prop_oneof![0_u64..700, 0_u64..300_000];
    let class = prop_oneof![0_u8..40, Just(CLASS_LARGE)];
    (kind, 0_u64..2_000, size, class, 0_u16..8, 0_u64..50).prop_map(
        |(kind, place, size, class, flags, time)| {
            Record::new(kind, Api::Malloc, time, 0x7f00_0000_0000 + 256 * place)
                .with_size(size)
                .with_class(class)
                .with_flags(Flags(flags))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_is_missed_and_nothing_added(
        records in prop::collection::vec(any_record(), 0..600),
        offsets in prop::collection::vec(0_u64..600_000, 8),
    ) {
        let directory = Directory::new();
        let mut files: Vec<Ring> = (0..3).map(|i| Ring::of(RingKind::Full, i, 256)).collect();
        for (index, record) in records.iter().enumerate() {
            files[index % 3].put(*record);
        }
        files.iter().for_each(|file| directory.add(file));
        let trace = directory.open();
        for offset in offsets {
            let address = 0x7f00_0000_0000 + offset;
            let found = trace.history(address);
            prop_assert_eq!(found.torn, 0);
            prop_assert!(found.events.iter().map(|event| event.record.time()).is_sorted());
            let mut found: Vec<Record> = found.events.iter().map(plain).collect();
            let mut expected: Vec<Record> =
                records.iter().filter(|record| covers(record, address)).copied().collect();
            found.sort_by_key(|record| *record.words());
            expected.sort_by_key(|record| *record.words());
            prop_assert_eq!(found, expected);
        }
    }
}

/// The record as it was before it was written.
fn plain(event: &Event) -> Record {
    event.record.with_seq(0).with_check(0)
}

#[test]
fn a_block_that_moves_is_followed_by_its_address() {
    let directory = Directory::new();
    let mut ring = Ring::of(RingKind::Ring, 0, 16);
    ring.put(allocate(1, 0x1000, 100));
    let resize = |kind, time, address, size, other| {
        Record::new(kind, Api::Realloc, time, address)
            .with_size(size)
            .with_class(255)
            .with_value(other)
    };
    ring.put(resize(Kind::ResizeOut, 2, 0x1000, 100, 0x8000));
    ring.put(resize(Kind::ResizeIn, 2, 0x8000, 500, 0x1000));
    ring.put(free(3, 0x8000, 500));
    ring.put(allocate(4, 0x1040, 16));
    directory.add(&ring);
    let trace = directory.open();
    let kinds = |address| {
        let events = trace.history(address).events;
        events
            .iter()
            .map(|event| event.record.kind().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        kinds(0x1040),
        [Kind::Allocate, Kind::ResizeOut, Kind::Allocate]
    );
    assert_eq!(kinds(0x8000 + 499), [Kind::ResizeIn, Kind::Free]);
    assert_eq!(kinds(0x8000 + 500), []);
    // Behind what was asked for, but in the block: 100 bytes take 112.
    assert_eq!(kinds(0x1000 + 111), [Kind::Allocate]);
    assert_eq!(kinds(0x1000 + 112), []);
}

/// A free that does not say how large the block is belongs to it by its address.
#[test]
fn frees_without_a_size_are_found() {
    let directory = Directory::new();
    let mut ring = Ring::of(RingKind::Ring, 0, 16);
    ring.put(allocate(1, 0x1000, 100));
    ring.put(free(2, 0x1000, 0));
    ring.put(free(3, 0x0ff0, 0));
    directory.add(&ring);
    let times = |address| {
        let events = directory.open().history(address).events;
        events
            .iter()
            .map(|event| event.record.time())
            .collect::<Vec<_>>()
    };
    assert_eq!(times(0x1010), [1, 2]);
    assert_eq!(times(0x1000), [1, 2]);
    assert_eq!(times(0x0ff0), [3]);
}

#[test]
fn the_nearest_blocks_are_told() {
    let directory = Directory::new();
    let mut ring = Ring::of(RingKind::Ring, 0, 16);
    for (time, address) in [
        (1, 0x1000),
        (2, 0x2000),
        (3, 0x5000),
        (4, 0x6000),
        (5, 0x2000),
    ] {
        ring.put(allocate(time, address, 16));
    }
    directory.add(&ring);
    let trace = directory.open();
    assert!(trace.history(0x3000).events.is_empty());
    let found = |address| {
        let nearest = trace.nearest(address);
        let address = |event: Option<Event>| event.map(|event| event.record.address());
        (address(nearest.below), address(nearest.above))
    };
    assert_eq!(found(0x3000), (Some(0x2000), Some(0x5000)));
    assert_eq!(found(0x10), (None, Some(0x1000)));
    assert_eq!(found(u64::MAX), (Some(0x6000), None));
    let below = trace.nearest(0x3000).below.unwrap();
    assert_eq!(below.record.time(), 2, "the first of them");
}
