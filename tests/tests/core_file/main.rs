//! A core file tells the state of every block.
//!
//! `programs/leave_core.c` brings blocks into every state and aborts. The reader here knows
//! the root structure's format and nothing else of the allocator; what it finds has to agree
//! with what the program knew, and with `hakmem_walk`.

mod heap;
mod memory;
mod root;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hakmem_tests::{Run, Scratch, reference, skip};
use heap::{Block, Heap, Mapping, State};
use memory::{Memory, Word};
use root::Root;

/// The program's exit code where no core file may be written.
const NO_CORE: i32 = 77;

/// As `programs/leave_core.c` numbers them.
const GONE: Word = 6;

/// What the program wrote of a block: address, size, state.
type Record = (Word, Word, Word);

struct Left {
    core: PathBuf,
    known: Vec<Record>,
    walked: Vec<Record>,
    /// Has them, and goes last.
    _scratch: Scratch,
}

/// Runs the program. None, and it is said why, where the system writes no core file into the
/// directory of a program.
fn leave_core(settings: impl FnOnce(Run) -> Run) -> Option<Left> {
    if reference() {
        skip("there is no root structure in glibc");
        return None;
    }
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    if pattern.starts_with(['|', '/']) || pattern.trim().is_empty() {
        skip(&format!(
            "core files go elsewhere (kernel.core_pattern is {})",
            pattern.trim()
        ));
        return None;
    }
    let scratch = Scratch::new();
    let (known, walked) = (scratch.file("known"), scratch.file("walked"));
    let run = Run::program("leave_core.c").directory(scratch.path());
    let outcome = settings(run.args([&known, &walked])).output();
    if outcome.status.code() == Some(NO_CORE) {
        skip("the hard limit of the size of core files is too low");
        return None;
    }
    outcome.aborted();
    let core = fs::read_dir(scratch.path())
        .expect("the directory")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path != &known && path != &walked)
        .unwrap_or_else(|| panic!("no core file\n{}", outcome.report()));
    Some(Left {
        core,
        known: records(&known),
        walked: records(&walked),
        _scratch: scratch,
    })
}

fn records(path: &Path) -> Vec<Record> {
    let bytes = fs::read(path).expect("what the program knew");
    let word = |bytes: &[u8]| Word::from_le_bytes(bytes.try_into().expect("eight bytes"));
    let record = |r: &[u8]| (word(&r[..8]), word(&r[8..16]), word(&r[16..]));
    bytes.chunks_exact(24).map(record).collect()
}

/// The state as `hakmem.h` numbers it.
fn in_header(state: State) -> Word {
    match state {
        State::Live => 1,
        State::Free => 2,
        State::Front | State::List => 3,
        State::HeldBack | State::SentHome => 4,
    }
}

/// Whether the program's knowledge fits: which cache's part a block is in it does not know.
fn fits(known: Word, state: State) -> bool {
    match known {
        1 => state == State::Live,
        2 => state == State::Free,
        3 => matches!(state, State::Front | State::List),
        4 => state == State::HeldBack,
        5 => state == State::SentHome,
        _ => false,
    }
}

/// Reads the core file, and compares. Returns the states that known blocks were found in.
fn agree(left: &Left) -> BTreeSet<State> {
    let memory = Memory::of(&left.core);
    let root = Root::find(&memory);
    let heap = Heap::new(&memory, &root);
    let blocks: BTreeMap<Word, Block> = heap
        .blocks()
        .into_iter()
        .map(|block| (block.address, block))
        .collect();

    let walked: BTreeMap<Word, (Word, Word)> = left
        .walked
        .iter()
        .map(|&(address, size, state)| (address, (size, state)))
        .collect();
    let found: BTreeMap<Word, (Word, Word)> = blocks
        .values()
        .map(|block| (block.address, (block.bytes, in_header(block.state))))
        .collect();
    assert!(found.len() > 10_000, "only {} blocks", found.len());
    let differing: Vec<_> = found
        .iter()
        .filter(|(address, block)| walked.get(address) != Some(block))
        .take(8)
        .collect();
    assert!(differing.is_empty(), "not as walked: {differing:x?}");
    assert_eq!(found.len(), walked.len(), "blocks in the core, and walked");

    let mut seen = BTreeSet::new();
    for &(address, size, state) in &left.known {
        match blocks.get(&address) {
            Some(block) => {
                assert!(fits(state, block.state), "known as {state}: {block:x?}");
                assert!(block.bytes >= size, "{size} bytes: {block:x?}");
                seen.insert(block.state);
            }
            None => assert_eq!(state, GONE, "{address:#x} is not in the core"),
        }
    }
    // What libc and the threads hold beside the program's own.
    let live = |states: &mut dyn Iterator<Item = bool>| states.filter(|live| *live).count();
    let in_core = live(&mut blocks.values().map(|b| b.state == State::Live));
    let of_program = live(&mut left.known.iter().map(|r| r.2 == 1));
    assert!(in_core - of_program < 100, "{in_core}, known {of_program}");
    structures_are_in_mappings(&heap);
    seen
}

/// Every header and cache lies in memory that the root structure says is for structures.
fn structures_are_in_mappings(heap: &Heap) {
    let mappings = heap.mappings();
    let structures = heap.slabs().into_iter().chain(heap.caches());
    for structure in structures {
        let inside = |m: &&Mapping| m.kind == Mapping::METADATA && m.holds(structure);
        assert!(mappings.iter().any(|m| inside(&m)), "{structure:#x}");
    }
}

fn states(expected: &[State]) -> BTreeSet<State> {
    expected.iter().copied().collect()
}

#[test]
fn every_block_is_found_with_its_state() {
    let Some(left) = leave_core(|run| run) else {
        return;
    };
    assert_eq!(
        agree(&left),
        states(&[
            State::Live,
            State::Free,
            State::Front,
            State::HeldBack,
            State::SentHome
        ])
    );
    let memory = Memory::of(&left.core);
    let root = Root::find(&memory);
    let heap = Heap::new(&memory, &root);
    let arena = heap
        .mappings()
        .into_iter()
        .find(|m| m.kind == Mapping::ARENA);
    let arena = arena.expect("the arena");
    let outside = heap.blocks().into_iter().find(|b| !arena.holds(b.address));
    assert!(outside.is_none(), "{outside:x?}");
}

#[test]
fn lists_are_followed() {
    let left = leave_core(|run| run.env("HAKMEM_TINY_SFC_ENABLE", "0"));
    if let Some(left) = left {
        let seen = agree(&left);
        assert!(seen.contains(&State::List) && !seen.contains(&State::Front));
    }
}

#[test]
fn memory_outside_of_the_arena_is_found() {
    // An eighth of this is less than the smallest arena.
    let Some(left) = leave_core(|run| run.address_space(480)) else {
        return;
    };
    agree(&left);
    let memory = Memory::of(&left.core);
    let root = Root::find(&memory);
    let heap = Heap::new(&memory, &root);
    assert!(heap.mappings().iter().all(|m| m.kind != Mapping::ARENA));
}
