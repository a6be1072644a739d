//! Core files of builds with checks: what integrity keeps of each block is in `whatis`, `live`,
//! `leaks` and `verify`, and each kind of damage to it is found and named.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hakmem_debug_tools::heap::{Doing, Guard, Heap, Slab, State};
use hakmem_debug_tools::image::Image;
use hakmem_tests::compile;
use serde_json::Value;

use crate::support::{Left, hakmem, leave_core, on};
use crate::verify::{Flips, check};

/// With everything in slabs, as large blocks would have pages of their own; and all that is freed is
/// kept.
const SLABS: [(&str, &str); 2] = [("HAKMEM_GUARD", "none"), ("HAKMEM_QUARANTINE_KB", "1024")];

fn checked(variables: &[(&str, &str)]) -> Option<Left> {
    leave_core(
        &compile::program("checked.c"),
        &["%d/known"],
        Some(variables),
    )
}

/// What the program knows: address, whether it holds the block, bytes.
fn known(left: &Left) -> Vec<(u64, bool, u64)> {
    let text = fs::read_to_string(left.scratch.file("known")).unwrap();
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let address = u64::from_str_radix(words[1].trim_start_matches("0x"), 16).unwrap();
        (address, words[0] == "live", words[2].parse().unwrap())
    };
    text.lines().map(line).collect()
}

fn whatis(core: &Path, addresses: &[u64]) -> Vec<Value> {
    let mut arguments = vec!["whatis".to_owned(), "--json".into()];
    arguments.push(core.to_str().unwrap().into());
    arguments.extend(addresses.iter().map(|address| format!("{address:#x}")));
    let said = hakmem(&arguments).ended(0).stdout;
    said.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn calls(stack: &Value, function: &str) -> bool {
    let frames = stack.as_array().unwrap();
    frames
        .iter()
        .any(|frame| frame["function"].as_str().unwrap().contains(function))
}

#[test]
fn whatis_says_what_integrity_keeps_of_each_block() {
    let Some(left) = checked(&SLABS) else { return };
    let known = known(&left);
    let addresses: Vec<u64> = known.iter().map(|(address, ..)| *address).collect();
    let mut quarantined = 0;
    for ((address, is_live, size), said) in known.iter().zip(whatis(&left.core, &addresses)) {
        let record = &said["record"];
        if !*is_live && *size > 32768 {
            // A large one that was freed is gone at once.
            assert_ne!(said["state"], "live", "{said}");
            continue;
        }
        let state = said["state"].as_str().unwrap();
        // What was freed is kept for as long as the thread has nothing newer to keep.
        let fits = match is_live {
            true => state == "live" && record["state"] == "live",
            false => state == "quarantined" && record["state"] == "quarantined",
        };
        assert!(fits, "{address:#x}, live {is_live}: {said}");
        assert_eq!(record["size"], *size, "{said}");
        assert_eq!(record["allocated"]["api"], "malloc");
        assert!(calls(&record["allocated"]["stack"], "make_live"), "{said}");
        for part in record["pattern"].as_array().unwrap() {
            assert_eq!(part["is_whole"], true, "{said}");
        }
        if !is_live {
            quarantined += 1;
            assert_eq!(record["freed"]["api"], "free");
            assert!(calls(&record["freed"]["stack"], "drop_live"), "{said}");
        }
        let of_other = *size == 50;
        let has = |function| calls(&record["allocated"]["stack"], function);
        assert!(has(if of_other { "other" } else { "main" }), "{said}");
    }
    assert!(quarantined >= 80, "{quarantined}");
    // For people: the state first, then the record.
    let (address, ..) = known
        .iter()
        .find(|(_, live, size)| !live && *size == 100)
        .unwrap();
    let text = on("whatis", &left.core, &[&format!("{address:#x}")])
        .ended(0)
        .stdout;
    assert!(text.starts_with("quarantined: "), "{text}");
    for wanted in [
        "100 bytes by malloc",
        "make_live",
        "checked.c:",
        "drop_live",
        "the pattern, whole",
    ] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
}

/// A word at the end of each place says what a record would, and its damage is found byte by byte.
#[test]
fn at_the_light_level_words_stand_for_records() {
    let Some(left) = checked(&[("HAKMEM_INTEGRITY_CHECKS", "light")]) else {
        return;
    };
    let mut known = known(&left);
    known.retain(|(_, _, bytes)| *bytes <= 32768);
    let addresses: Vec<u64> = known.iter().map(|(address, ..)| *address).collect();
    let (mut live, mut freed, mut most) = (0, 0, 0);
    for ((_, is_live, size), said) in known.iter().zip(whatis(&left.core, &addresses)) {
        let record = &said["record"];
        if !is_live && record["state"] == "live" {
            // Its place has been handed out again.
            continue;
        }
        assert_eq!(record["size"], *size, "{said}");
        assert_eq!(record["allocated"]["api"], "malloc", "{said}");
        if !is_live {
            assert_eq!(record["state"], "freed", "{said}");
            assert_eq!(record["freed"]["api"], "free", "{said}");
            freed += 1;
            continue;
        }
        assert_eq!(
            (&record["state"], &said["state"]),
            (&"live".into(), &"live".into())
        );
        for part in record["pattern"].as_array().unwrap() {
            assert_eq!(
                (&part["part"], &part["is_whole"]),
                (&"behind".into(), &true.into())
            );
            most = most.max(part["bytes"].as_u64().unwrap());
        }
        live += 1;
    }
    assert!(
        live >= 80 && freed >= 40 && most > 16,
        "{live}, {freed}, {most}"
    );
    let said = on("verify", &left.core, &[]).ended(0);
    assert!(said.stderr.is_empty(), "{}", said.stderr);
    check(&left.core, 12, |flips, _: &Image| word_flips(flips));
}

fn word_flips(flips: &mut Flips<'_>) {
    let heap = flips.heap;
    let (slab, index, guards) = one(heap, Doing::Live);
    let word = heap.bits(&slab).records[index].address;
    assert_eq!(word + 8, slab.block(index + 1));
    for byte in 0..8 {
        let what = "a byte of the word of a live block";
        flips.flip(what, word + byte, 1, 1 << byte, &["canary"]);
    }
    let [behind] = guards[..] else {
        panic!("{guards:?}")
    };
    flips.add("behind", behind.start, 1, 0x41, &["canary"]);
    let last = behind.start + behind.len - 1;
    flips.add("behind, the last byte", last, 1, 0x41, &["canary"]);
    let (slab, index, _) = one(heap, Doing::Freed);
    let word = heap.bits(&slab).records[index].address;
    flips.flip("the word of a freed block", word + 3, 1, 0x10, &["canary"]);
    let kept_back = slab.block(1) - 8;
    flips.flip(
        "in front of the first block",
        kept_back,
        1,
        0x10,
        &["canary"],
    );
}

#[test]
fn live_has_the_bytes_and_the_stacks_and_nothing_that_was_freed() {
    let Some(left) = checked(&SLABS) else { return };
    let said = on("live", &left.core, &["--blocks"]).ended(0).stdout;
    let listed: BTreeMap<u64, u64> = said
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let address = u64::from_str_radix(words[0].trim_start_matches("0x"), 16).unwrap();
            (address, words[1].parse().unwrap())
        })
        .collect();
    let known = known(&left);
    for (address, is_live, size) in &known {
        let expected = is_live.then_some(size);
        assert_eq!(listed.get(address), expected, "{address:#x} of {size}");
    }
    let sites = on("live", &left.core, &["--json", "--top", "0"])
        .ended(0)
        .json();
    let of_main = |group: &&Value| {
        !group["stack"].is_null()
            && calls(&group["stack"], "make_live")
            && calls(&group["stack"], "main")
    };
    let groups = sites["groups"].as_array().unwrap();
    let bytes: u64 = groups
        .iter()
        .filter(of_main)
        .map(|g| g["bytes"].as_u64().unwrap())
        .sum();
    let expected: u64 = known
        .iter()
        .filter(|(_, live, size)| *live && *size != 50)
        .map(|k| k.2)
        .sum();
    assert_eq!(bytes, expected);
    let stats = on("stats", &left.core, &["--json"]).ended(0).json();
    assert!(
        stats["quarantined"].as_u64().unwrap() > 100 * 100,
        "{stats}"
    );
}

#[test]
fn guarded_blocks_are_named_with_what_is_around_them() {
    let Some(left) = checked(&[("HAKMEM_GUARD", "all")]) else {
        return;
    };
    let known = known(&left);
    let (mut live, mut freed) = (0, 0);
    let addresses: Vec<u64> = known.iter().map(|(address, ..)| *address).collect();
    for ((_, is_live, size), said) in known.iter().zip(whatis(&left.core, &addresses)) {
        assert_eq!(said["class"], "guarded", "{said}");
        assert_eq!(
            said["state"],
            if *is_live { "live" } else { "free" },
            "{said}"
        );
        assert_eq!(said["record"]["size"], *size);
        assert!(
            calls(&said["record"]["allocated"]["stack"], "make_live"),
            "{said}"
        );
        live += u64::from(*is_live);
        freed += u64::from(!is_live);
    }
    assert!(live > 100 && freed > 50);
    let (address, _, size) = *known.iter().find(|(_, live, _)| *live).unwrap();
    // Its pages end behind it at the latest so many bytes on.
    let behind = format!("{:#x}", (address + size + 4096) & !4095);
    let said = on("whatis", &left.core, &[&behind]).ended(0).stdout;
    assert!(
        said.starts_with("tail: ") && said.contains("behind the end of a guarded block"),
        "{said}"
    );
    let listed = on("live", &left.core, &["--blocks"]).ended(0).stdout;
    assert!(
        listed.contains(&format!("{address:#x} {size} ")),
        "{listed}"
    );
    check(&left.core, 2, |flips, image| {
        let heap = flips.heap;
        let block = heap
            .guarded
            .iter()
            .find(|g| g.is_live() && g.guards()[0].len > 0)
            .unwrap();
        let guard = block.guards()[0];
        let _ = image;
        flips.add(
            "in front of a guarded block",
            guard.start + 1,
            1,
            0x41,
            &["canary"],
        );
        flips.flip(
            "record of a guarded block",
            block.record.address + heap.root.get("record.asked").unwrap() + 7,
            1,
            0x30,
            &["record.state"],
        );
    });
}

/// A block of 100 bytes in a slab, or one in quarantine, whose record says this, with what of the
/// pattern belongs to it.
fn one(heap: &Heap<'_>, doing: Doing) -> (Slab, usize, Vec<Guard>) {
    let found = heap.slabs.iter().find_map(|slab| {
        let bits = heap.bits(slab);
        let index = slab.indices().find(|index| {
            let state = heap.state(slab, *index, &bits);
            let is_out = matches!(state, State::Live | State::Quarantined);
            let record = bits.records.get(*index);
            let wanted = matches!(doing, Doing::Live | Doing::Quarantined);
            record
                .is_some_and(|r| r.doing == doing && (r.size == 100 || doing == Doing::Quarantined))
                && is_out == wanted
        })?;
        let guards = heap.guards(slab, index, &bits.records[index]);
        Some((*slab, index, guards))
    });
    found.unwrap_or_else(|| panic!("no block is {doing:?}"))
}

fn record_flips(flips: &mut Flips<'_>) {
    let heap = flips.heap;
    let asked = heap.root.get("record.asked").unwrap();
    let state_byte = |slab: &Slab, index: usize| heap.bits(slab).records[index].address + asked + 7;
    let (slab, index, guards) = one(heap, Doing::Live);
    let [front, behind] = guards[..] else {
        panic!("{guards:?}")
    };
    flips.add(
        "in front",
        front.start + front.len - 1,
        1,
        0x41,
        &["canary", "fill"],
    );
    flips.add("behind", behind.start, 1, 0x41, &["canary"]);
    flips.add(
        "behind, the last byte",
        behind.start + behind.len - 1,
        1,
        0,
        &["canary"],
    );
    // live 1, quarantined 2, filled 3, freed 4; in the upper half of the byte.
    let state = state_byte(&slab, index);
    flips.flip("live to quarantined", state, 1, 0x30, &["quarantine"]);
    flips.flip("live to filled", state, 1, 0x20, &["record.state"]);
    flips.flip("live to freed", state, 1, 0x50, &["record.state"]);
    flips.flip("live to none", state, 1, 0xe0, &["record.state"]);
    flips.flip("size, larger", state - 4, 1, 0xff, &["record.state"]);
    flips.flip("size, smaller", state - 7, 1, 0x20, &["canary"]);
    let (slab, index, guards) = one(heap, Doing::Quarantined);
    flips.add(
        "quarantined",
        guards[0].start + guards[0].len / 2,
        1,
        0x41,
        &["fill"],
    );
    let state = state_byte(&slab, index);
    flips.flip("quarantined to live", state, 1, 0x30, &["quarantine"]);
    flips.flip(
        "quarantined to freed",
        state,
        1,
        0x60,
        &["quarantine", "record.state"],
    );
    let (slab, index, guards) = one(heap, Doing::Filled);
    flips.add("filled", guards[0].start + 8, 1, 0x41, &["fill"]);
    flips.flip(
        "filled to live",
        state_byte(&slab, index),
        1,
        0x20,
        &["record.state"],
    );
}

/// The end of a front moved by one entry: in a release build one state of a heap as good as the other.
fn front_flips(flips: &mut Flips<'_>) {
    let heap = flips.heap;
    let layout = heap.layout.clone();
    let found = heap.caches.iter().find_map(|cache| {
        // Its last entry has been handed out before: of others nothing is known yet.
        let is_known = |block: &u64| {
            let slab = &heap.slabs[heap.slab_at(*block).unwrap()];
            let (index, _) = slab.index_of(*block).unwrap();
            heap.bits(slab).records[index].doing == Doing::Filled
        };
        let mut fronts = cache.fronts.iter();
        let front = fronts.find(|front| front.blocks.last().is_some_and(is_known))?;
        Some((cache.address, u64::from(front.class), front))
    });
    let (cache, class, front) = found.expect("a front with blocks");
    let top = cache + layout.bins + class * layout.bin_bytes + layout.bin_top;
    let end = front.bottom + 8 * front.blocks.len() as u64;
    flips.add("bin.top, one less", top, 8, end - 8, &["record.state"]);
    // The entry behind is the block that was handed out last, or nothing.
    flips.add(
        "bin.top, one more",
        top,
        8,
        end + 8,
        &["record.state", "front", "slab.free"],
    );
}

#[test]
fn what_is_flipped_of_records_and_patterns_is_found_and_named() {
    // Little is kept, so that freed blocks are the allocator's again.
    let little = [SLABS[0], ("HAKMEM_QUARANTINE_KB", "4")];
    let Some(left) = checked(&little) else { return };
    check(&left.core, 16, |flips, _: &Image| {
        record_flips(flips);
        front_flips(flips);
    });
    let said = on("verify", &left.core, &["--json"]).ended(0).json();
    for name in ["records", "canaries", "filled", "quarantined"] {
        assert!(
            said["checked"][name].as_u64().unwrap() > 5,
            "{name}: {said}"
        );
    }
    let text = on("verify", &left.core, &[]).ended(0).stdout;
    assert!(
        text.contains(" records: ") && text.contains("quarantined blocks"),
        "{text}"
    );
}

#[test]
fn leaks_are_told_by_who_asked_for_them() {
    let Some(left) = leave_core(&compile::program("lost.c"), &["%d/list"], Some(&SLABS)) else {
        return;
    };
    let leaks = on("leaks", &left.core, &["--json", "--top", "0"])
        .ended(1)
        .json();
    let groups = leaks["groups"].as_array().unwrap();
    assert!(
        groups
            .iter()
            .any(|group| !group["stack"].is_null() && calls(&group["stack"], "main")),
        "{leaks}"
    );
}
