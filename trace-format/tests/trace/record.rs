//! Every field of every kind comes back, and a record that is not what was written is known.

use hakmem_trace_format::reader::SlotState;
use hakmem_trace_format::{Api, CONTINUATION_BYTES, Flags, Kind, Record, RingKind, SIZE_MAX, Slot};
use proptest::prelude::*;

use crate::support::{Directory, Ring};

/// A record of one kind with any content.
fn record_of(kind: Kind) -> impl Strategy<Value = Record> {
    let api = prop::sample::select(Api::ALL);
    let words = (
        any_u64(),
        any_address(),
        any_address(),
        any_u64(),
        any_address(),
    );
    let rest = (any::<u8>(), any::<u8>(), any::<u16>(), any::<[u32; 3]>());
    (api, words, rest).prop_map(move |(api, words, rest)| {
        let (time, address, size, value, caller) = words;
        let (align, class, flags, [stack, thread, generation]) = rest;
        Record::new(kind, api, time, address)
            .with_size(size)
            .with_align_log2(align)
            .with_class(class)
            .with_value(value)
            .with_caller(caller)
            .with_flags(Flags(flags))
            .with_stack(stack)
            .with_thread(thread)
            .with_generation(generation)
    })
}

fn any_u64() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), Just(0), Just(u64::MAX)]
}

fn any_address() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..1 << 48, Just(0), Just((1 << 48) - 1)]
}

/// One record of each kind.
fn one_of_each() -> impl Strategy<Value = Vec<Record>> {
    let each = Kind::ALL.iter().map(|kind| record_of(*kind).boxed());
    each.collect::<Vec<_>>()
}

proptest! {
    #[test]
    fn each_kind_comes_back_with_every_field(
        records in one_of_each(),
    ) {
        let directory = Directory::new();
        let mut ring = Ring::of(RingKind::Full, 0, records.len() as u64);
        for record in &records {
            ring.put(*record);
        }
        directory.add(&ring);
        let trace = directory.open();
        prop_assert!(trace.notes().is_empty());
        for (index, put) in records.iter().enumerate() {
            let (state, got) = trace.files()[0].slot(index);
            prop_assert_eq!(state, SlotState::Whole);
            prop_assert_eq!(got.seq(), index as u64 + 1);
            prop_assert_eq!(got.kind(), Some(Kind::ALL[index]));
            prop_assert_eq!(got.api(), put.api());
            prop_assert_eq!(got.time(), put.time());
            prop_assert_eq!(got.address(), put.address());
            prop_assert_eq!(got.size(), put.size());
            prop_assert_eq!(got.align_log2(), put.align_log2());
            prop_assert_eq!(got.class(), put.class());
            prop_assert_eq!(got.value(), put.value());
            prop_assert_eq!(got.caller(), put.caller());
            prop_assert_eq!(got.flags(), put.flags());
            prop_assert_eq!(got.stack(), put.stack());
            prop_assert_eq!(got.thread(), put.thread());
            prop_assert_eq!(got.generation(), put.generation());
            prop_assert_eq!(got.with_seq(0).with_check(0), *put);
        }
    }

    /// In every field, and in the number and the check themselves.
    #[test]
    fn every_flipped_bit_is_noticed(
        record in record_of(Kind::Allocate),
        seq in 1_u64..,
    ) {
        let record = record.seal(seq);
        prop_assert!(record.is_whole());
        for bit in 0..512 {
            let mut words = *record.words();
            words[bit / 64] ^= 1 << (bit % 64);
            prop_assert!(!Record::from_words(words).is_whole(), "bit {}", bit);
        }
    }

    #[test]
    fn bytes_of_continuations_come_back(
        bytes in prop::collection::vec(any::<u8>(), 0..=40),
        seq in any::<u64>(),
        index in any::<u8>(),
    ) {
        let record = Record::continuation(5, seq, index, &bytes);
        let (payload, length) = record.payload();
        prop_assert_eq!(length, bytes.len().min(CONTINUATION_BYTES));
        prop_assert_eq!(&payload[..length], &bytes[..length]);
        prop_assert_eq!(record.kind(), Some(Kind::Continuation));
        prop_assert_eq!(record.address(), seq & ((1 << 48) - 1));
        prop_assert_eq!((record.time(), record.api_code()), (5, index));
    }
}

#[test]
fn values_are_what_was_given_to_the_builder() {
    let record = Record::new(Kind::ResizeIn, Api::Reallocarray, 1, 0xffff_8000_dead_beef)
        .with_size(u64::MAX)
        .with_align_log2(12)
        .with_align_log2(4)
        .with_caller(0x5555_5555_5555)
        .with_flags(Flags::IN_PLACE.with(Flags::ZEROED))
        .seal(9);
    assert_eq!(record.address(), 0x8000_dead_beef, "cut to 48 bits");
    assert_eq!(record.size(), SIZE_MAX, "cut to the largest");
    assert_eq!(record.align_log2(), 4, "the last one counts");
    assert_eq!(record.caller(), 0x5555_5555_5555);
    assert!(record.flags().has(Flags::ZEROED) && !record.flags().has(Flags::CUT));
    assert_eq!((record.seq(), record.class()), (9, 255));
}

#[test]
fn unknown_kinds_and_functions_are_kept() {
    let directory = Directory::new();
    let mut ring = Ring::of(RingKind::Ring, 0, 4);
    let record = Record::new(Kind::Free, Api::Free, 3, 0x40).with_kind_code(200);
    ring.put(record.with_api_code(201).with_value(17));
    directory.add(&ring);
    let trace = directory.open();
    let events: Vec<_> = trace.records().collect();
    assert_eq!(events.len(), 1);
    let record = events[0].record;
    assert_eq!((record.kind(), record.api()), (None, None));
    assert_eq!(
        (record.kind_code(), record.api_code(), record.value()),
        (200, 201, 17)
    );
    assert_eq!(trace.history(0x40).events, events);
}

#[test]
fn codes_go_both_ways() {
    for kind in Kind::ALL {
        assert_eq!(Kind::from_code(kind.code()), Some(*kind));
        assert!(!kind.has_block() || kind.has_range());
    }
    for api in Api::ALL {
        assert_eq!(Api::from_code(api.code()), Some(*api));
    }
    assert_eq!(Kind::from_code(0), None);
}

#[test]
fn a_slot_gives_back_what_was_put() {
    let slot = Slot::default();
    assert!(slot.get().is_empty());
    let record = Record::new(Kind::Free, Api::Free, 3, 0x40);
    slot.put(record, 5);
    assert_eq!(slot.get(), record.seal(5));
}
