//! Core files with flipped bits, and made up: never a panic, a hang, or an end by a signal.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use hakmem_tests::{Scratch, compile};

use crate::small_core::{small_core, with_guarded_at};
use crate::support::{leave_core, on};

const COMMANDS: [&str; 5] = ["verify", "stats", "leaks", "sll", "registry"];

/// Numbers by a fixed rule, so that a failure comes again.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 20) % below
    }
}

#[test]
fn flipped_bits_do_no_harm() {
    let Some(left) = leave_core(&compile::program("lists.c"), &[], None) else {
        return;
    };
    let image = hakmem_debug_tools::image::Image::of_core(&left.core).unwrap();
    let heap = hakmem_debug_tools::heap::Heap::open(&image).unwrap();
    // The headers of the file, the root, the registry, and structures.
    let mut places = vec![(0, 4096)];
    let mut add = |address: u64, bytes: u64| {
        let segment = image.memory.segment(address).unwrap();
        places.push((segment.offset + (address - segment.start), bytes));
    };
    add(heap.root.address, 6000);
    add(heap.layout.registry, 48);
    add(heap.layout.mappings, 120);
    heap.caches
        .iter()
        .for_each(|cache| add(cache.address, 8000));
    heap.slabs.iter().for_each(|slab| add(slab.header, 384));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&left.core)
        .unwrap();
    let mut numbers = Numbers(1);
    for round in 0..150 {
        let mut taken_back = vec![];
        for _ in 0..1 + round % 8 {
            let (start, bytes) = places[numbers.next(places.len() as u64) as usize];
            let offset = start + numbers.next(bytes);
            let mut byte = [0];
            file.read_exact_at(&mut byte, offset).unwrap();
            taken_back.push((offset, byte));
            file.write_all_at(&[byte[0] ^ 1 << numbers.next(8)], offset)
                .unwrap();
        }
        on(COMMANDS[round % COMMANDS.len()], &left.core, &[]);
        for (offset, byte) in taken_back.iter().rev() {
            file.write_all_at(byte, *offset).unwrap();
        }
    }
}

/// A core file with these program headers, each a kind, offset, address, bytes in the file and in
/// memory; and behind them the rest.
fn made_up(class: u8, machine: u16, headers: &[[u64; 5]], rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, 1, 1]);
    bytes[16..18].copy_from_slice(&4_u16.to_le_bytes());
    bytes[18..20].copy_from_slice(&machine.to_le_bytes());
    bytes[32..40].copy_from_slice(&64_u64.to_le_bytes());
    bytes[54..56].copy_from_slice(&56_u16.to_le_bytes());
    bytes[56..58].copy_from_slice(&(headers.len() as u16).to_le_bytes());
    for [kind, offset, address, in_file, in_memory] in headers {
        bytes.extend((*kind as u32).to_le_bytes());
        bytes.extend(6_u32.to_le_bytes());
        for number in [*offset, *address, *address, *in_file, *in_memory, 4096] {
            bytes.extend(number.to_le_bytes());
        }
    }
    bytes.extend(rest);
    bytes
}

#[test]
fn made_up_cores_are_told() {
    const LOAD: u64 = 1;
    const MAX: u64 = u64::MAX;
    let scratch = Scratch::new();
    let path = scratch.file("made-up");
    let many = vec![[LOAD, 4096, 0x1000, 4096, 4096]; 5000];
    let cases: [(&str, Vec<u8>, &str); 8] = [
        ("32 bits", made_up(1, 3, &[], &[]), "32-bit"),
        ("another machine", made_up(2, 183, &[], &[]), "machine 183"),
        ("no memory", made_up(2, 62, &[], &[]), "no memory"),
        (
            "absurd sizes",
            made_up(
                2,
                62,
                &[[LOAD, MAX, MAX, MAX, MAX], [LOAD, 64, 0, MAX, MAX]],
                &[0; 9000],
            ),
            "no root structure",
        ),
        (
            "absurd notes",
            made_up(
                2,
                62,
                &[[4, 0, 0, MAX, 0], [LOAD, 0, 0, 10, 10]],
                &[0xff; 9000],
            ),
            "no root structure",
        ),
        (
            "the same bytes again and again",
            made_up(2, 62, &many, &[1; 9000]),
            "no root structure",
        ),
        (
            "a root with absurd counts",
            made_up(
                2,
                62,
                &[[LOAD, 4096, 0x1000, 65536, 65536]],
                &root(u32::MAX),
            ),
            "root structure is damaged",
        ),
        (
            "a root without names",
            made_up(2, 62, &[[LOAD, 4096, 0x1000, 65536, 65536]], &root(0)),
            "does not say",
        ),
    ];
    for (name, bytes, why) in cases {
        fs::write(&path, bytes).unwrap();
        for command in COMMANDS {
            let answer = on(command, &path, &[]).ended(2);
            assert!(answer.stderr.contains(why), "{name}: {}", answer.stderr);
        }
    }
}

/// Bytes that put a root structure with so many entries at 8192 in a file with one program header.
fn root(entries: u32) -> Vec<u8> {
    let mut bytes = vec![0; 70_000];
    let at = 8192 - 64 - 56;
    bytes[at..at + 16].copy_from_slice(b"hakmem root \x7f\x01\x8a\xe5");
    for (index, number) in [1, entries, 48, 40].into_iter().enumerate() {
        bytes[at + 16 + 4 * index..][..4].copy_from_slice(&number.to_le_bytes());
    }
    bytes
}

/// All that is asked of a core file, whatever is in it.
fn ask(path: &std::path::Path) -> Option<usize> {
    let image = hakmem_debug_tools::image::Image::of_core(path).ok()?;
    let heap = hakmem_debug_tools::heap::Heap::open(&image).ok()?;
    let findings = heap.verify().findings.len();
    heap.reach();
    heap.references(0x4000_0000, 0x4000_0040);
    Some(findings)
}

#[test]
fn a_guarded_block_where_addresses_end_is_no_block() {
    let scratch = Scratch::new();
    let path = scratch.file("small");
    let base = u64::MAX - 4 * 4096;
    for start in [u64::MAX - 2 * 4096, u64::MAX - 2, u64::MAX] {
        fs::write(&path, with_guarded_at(base, start)).unwrap();
        assert!(ask(&path).is_some(), "{start:#x}");
    }
}

#[test]
fn a_made_up_heap_is_read_however_it_is_changed() {
    let scratch = Scratch::new();
    let path = scratch.file("small");
    let whole = small_core();
    fs::write(&path, &whole).unwrap();
    let text = on("verify", &path, &[]).ended(0).stdout;
    assert!(text.contains("2 slabs, 1 SuperSlabs, 1 caches"), "{text}");
    // Its guarded block is the one that nothing leads to.
    let lost = on("leaks", &path, &[]).ended(1).stdout;
    assert!(lost.contains("definite:  1 block, 4000 bytes"), "{lost}");
    let mut numbers = Numbers(7);
    let mut found = 0;
    for round in 0..1500 {
        let mut bytes = whole.clone();
        for _ in 0..1 + round % 4 {
            // Mostly where structures are, and seldom in the rest.
            let below = if round % 8 == 0 {
                bytes.len() as u64
            } else {
                0x1_2000
            };
            let at = numbers.next(below) as usize;
            bytes[at] = match numbers.next(3) {
                0 => 0xff,
                1 => bytes[at] ^ 1 << numbers.next(8),
                _ => numbers.next(256) as u8,
            };
        }
        if round % 16 == 1 {
            bytes.truncate(numbers.next(whole.len() as u64) as usize);
        }
        fs::write(&path, bytes).unwrap();
        found += usize::from(ask(&path).is_none_or(|findings| findings > 0));
    }
    assert!(found > 100, "{found} of 1500 changes were found");
}
