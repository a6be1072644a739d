//! The table of stacks: each once, from any thread, and readable at any time.

use std::collections::{HashMap, HashSet};
use std::thread;

use hakmem_trace_format::reader::NoStack;
use hakmem_trace_format::{FileName, MAX_FRAMES, STACK_FULL, STACK_NONE, StackTable};

use crate::support::{Directory, Memory, SESSION};

fn table(index_slots: u64, log_words: u64) -> (Memory, StackTable) {
    let memory = Memory::new(StackTable::file_bytes(index_slots, log_words));
    // SAFETY: the memory is new, as large as the numbers ask for, and lives as long.
    let table = unsafe { StackTable::create(memory.start(), SESSION, index_slots, log_words) };
    (memory, table.unwrap())
}

fn stack(number: u64) -> Vec<u64> {
    (0..=number % MAX_FRAMES as u64)
        .map(|frame| 0x5555_0000_0000 + number * 1000 + frame)
        .collect()
}

#[test]
fn a_stack_is_kept_once_and_comes_back() {
    let (memory, table) = table(1024, 1 << 16);
    let ids: Vec<u32> = (0..300)
        .map(|number| table.insert(&stack(number)))
        .collect();
    let again: Vec<u32> = (0..300)
        .map(|number| table.insert(&stack(number)))
        .collect();
    assert_eq!(ids, again);
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 300);
    assert_eq!(table.insert(&[]), STACK_NONE);
    let deep: Vec<u64> = (0..100).collect();
    let cut = table.insert(&deep);
    assert_eq!(cut, table.insert(&deep[..MAX_FRAMES]));

    let directory = Directory::new();
    directory.write(FileName::Stacks, &memory.content());
    let trace = directory.open();
    assert_eq!(trace.notes(), []);
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(trace.stack(*id), Ok(stack(number as u64)));
    }
    assert_eq!(trace.stack(cut).unwrap(), deep[..MAX_FRAMES]);
    assert_eq!(trace.stack(STACK_NONE), Err(NoStack::NotKept));
    assert_eq!(trace.stack(STACK_FULL), Err(NoStack::TableFull));
    assert_eq!(trace.stack(ids[5] + 1), Err(NoStack::Unreadable));
    assert_eq!(trace.stack(1 << 30), Err(NoStack::Unreadable));
    assert_eq!(Directory::new().open().stack(1), Err(NoStack::NoTable));
}

#[test]
fn a_full_table_refuses_and_keeps_what_it_has() {
    // The log is full first, then the index.
    for (index_slots, log_words) in [(1024, 300), (16, 1 << 14)] {
        let (_memory, table) = table(index_slots, log_words);
        let ids: Vec<u32> = (0..200)
            .map(|number| table.insert(&stack(number)))
            .collect();
        let kept = ids.iter().filter(|id| **id != STACK_FULL).count();
        assert!((4..200).contains(&kept), "{kept}");
        for (number, id) in ids.iter().enumerate().filter(|(_, id)| **id != STACK_FULL) {
            assert_eq!(table.insert(&stack(number as u64)), *id);
        }
    }
}

#[test]
fn threads_agree() {
    let (memory, table) = table(4096, 1 << 18);
    let ids: Vec<Vec<u32>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8_u64)
            .map(|first| {
                let insert = move |step: u64| table.insert(&stack((first * 37 + step * 7) % 1000));
                scope.spawn(move || (0..1000).map(insert).collect())
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let directory = Directory::new();
    directory.write(FileName::Stacks, &memory.content());
    let trace = directory.open();
    let mut by_number = HashMap::new();
    for (first, ids) in ids.iter().enumerate() {
        for (step, id) in ids.iter().enumerate() {
            let number = (first as u64 * 37 + step as u64 * 7) % 1000;
            assert_eq!(*by_number.entry(number).or_insert(*id), *id);
            assert_eq!(trace.stack(*id), Ok(stack(number)));
        }
    }
    assert_eq!(by_number.len(), 1000);
}

/// Whatever a program with a bug writes over it, inserting stays inside of the table.
#[test]
fn a_table_that_was_overwritten_is_survived() {
    let (memory, table) = table(64, 1024);
    for number in 0..20 {
        table.insert(&stack(number));
    }
    for garbage in [0xff_u8, 0x01, 0x80] {
        let bytes = StackTable::file_bytes(64, 1024) as usize;
        // SAFETY: the memory has as many bytes, and no other thread uses it.
        unsafe { memory.start().write_bytes(garbage, bytes) };
        for number in 0..100 {
            table.insert(&stack(number));
        }
    }
}

#[test]
fn numbers_out_of_range_make_no_table() {
    let memory = Memory::new(StackTable::file_bytes(64, 1024));
    for (index_slots, log_words) in [(0, 1024), (63, 1024), (1, 1024), (64, 0), (64, 1 << 32)] {
        // SAFETY: none of these numbers lets it write.
        let table = unsafe { StackTable::create(memory.start(), SESSION, index_slots, log_words) };
        assert!(table.is_none(), "{index_slots} {log_words}");
    }
}
