//! Blocks in core files: `whatis` and `live` agree with what the program knew, `stats` accounts for
//! every byte, `leaks` finds what was lost and nothing else.

mod servers;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use hakmem_tests::{compile, skip};

use crate::support::{HAKMEM, Left, hakmem, leave_core, number, on};

/// Address, size and state, as `leave_core.c` writes them.
fn records(path: &Path) -> Vec<(u64, u64, u64)> {
    let bytes = fs::read(path).unwrap();
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    let record = |r: &[u8]| (word(&r[..8]), word(&r[8..16]), word(&r[16..]));
    bytes.chunks_exact(24).map(record).collect()
}

pub fn blocks_in_every_state() -> Option<Left> {
    leave_core(
        &compile::program("leave_core.c"),
        &["%d/known", "%d/walked"],
        None,
    )
}

/// What `whatis` says of many addresses: the state, the block, its bytes.
fn whatis(source: &str, addresses: &[u64]) -> Vec<(String, u64, u64)> {
    let mut said = vec![];
    for some in addresses.chunks(500) {
        let mut arguments = vec!["whatis".to_owned(), "--json".into(), source.into()];
        arguments.extend(some.iter().map(|address| format!("{address:#x}")));
        let answer = hakmem(&arguments);
        assert!(answer.status <= 1, "{}", answer.stderr);
        for line in answer.stdout.lines() {
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            let block = if json["block"].is_null() {
                0
            } else {
                number(&json["block"])
            };
            let bytes = json["bytes"].as_u64().unwrap_or(0);
            said.push((json["state"].as_str().unwrap().to_owned(), block, bytes));
        }
    }
    assert_eq!(said.len(), addresses.len());
    said
}

#[test]
fn whatis_agrees_with_the_program_about_every_block() {
    let Some(left) = blocks_in_every_state() else {
        return;
    };
    let known = records(&left.scratch.file("known"));
    let addresses: Vec<u64> = known
        .iter()
        .map(|(address, size, _)| address + size / 2)
        .collect();
    let said = whatis(left.core.to_str().unwrap(), &addresses);
    let mut seen = BTreeSet::new();
    for ((address, size, state), (word, block, bytes)) in known.iter().zip(said) {
        let fits = match state {
            1 => word == "live",
            2 => word == "free",
            // In a front, on a list, or in the buffer of who freed it.
            3 | 4 => word == "cached",
            // Sent home.
            5 => word == "free",
            _ => word != "live",
        };
        assert!(fits, "{address:#x}: known as {state}, said to be {word}");
        if *state != 6 {
            assert!(
                block == *address && bytes >= *size,
                "{address:#x}: {block:#x}, {bytes}"
            );
        }
        seen.insert(word);
    }
    assert!(seen.len() >= 3, "{seen:?}");
}

/// What the program itself and the library that runs say of an address.
struct Said {
    address: u64,
    block: u64,
    bytes: u64,
    state: u64,
    asked: u64,
    usable: u64,
}

fn answers(path: &Path) -> Vec<Said> {
    let bytes = fs::read(path).unwrap();
    let words = |r: &[u8]| {
        let word = |at: usize| u64::from_le_bytes(r[8 * at..8 * at + 8].try_into().unwrap());
        let [address, block, bytes, state, asked, usable] = [0, 1, 2, 3, 4, 5].map(word);
        Said {
            address,
            block,
            bytes,
            state,
            asked,
            usable,
        }
    };
    bytes.chunks_exact(48).map(words).collect()
}

/// A thousand addresses: what the program says of them while it runs, and what its core file says.
fn check_answers(observed: Option<&[(&str, &str)]>) {
    let program = compile::program("answers.c");
    let Some(left) = leave_core(&program, &["%d/answers"], observed) else {
        return;
    };
    let answers = answers(&left.scratch.file("answers"));
    assert_eq!(answers.len(), 1000);
    let addresses: Vec<u64> = answers.iter().map(|said| said.address).collect();
    let mut counts = BTreeMap::new();
    for (said, (word, block, bytes)) in answers
        .iter()
        .zip(whatis(left.core.to_str().unwrap(), &addresses))
    {
        let Said { address, state, .. } = *said;
        let fits = match (state, said.asked) {
            // The walk does not know of quarantines: it is the program that knows what it holds.
            (1, 0) if observed.is_some() => ["live", "quarantined"].contains(&word.as_str()),
            (1, _) => word == "live",
            (2, _) => word == "free",
            (3, _) => word == "cached",
            (4, _) => ["cached", "free"].contains(&word.as_str()),
            _ => block == 0,
        };
        assert!(
            fits,
            "{address:#x}: by the program {state}, by its core {word}"
        );
        if state != 0 {
            assert_eq!((block, bytes), (said.block, said.bytes), "{address:#x}");
        }
        if said.asked != 0 {
            assert_eq!(word, "live", "{address:#x}");
            let most = if observed.is_some() {
                said.asked
            } else {
                bytes
            };
            assert_eq!(said.usable, most, "{address:#x}");
        }
        *counts.entry(word).or_insert(0) += 1;
    }
    for word in ["live", "free", "cached"] {
        assert!(counts.get(word).is_some_and(|n| *n > 10), "{counts:?}");
    }
}

#[test]
fn whatis_of_a_thousand_addresses_is_what_the_running_program_said() {
    check_answers(None);
}

#[test]
fn whatis_of_a_thousand_addresses_is_what_the_running_program_said_with_checks() {
    check_answers(Some(&[
        ("HAKMEM_GUARD", "none"),
        ("HAKMEM_QUARANTINE_KB", "64"),
    ]));
}

#[test]
fn live_lists_the_blocks_that_the_walk_found() {
    let Some(left) = blocks_in_every_state() else {
        return;
    };
    let walked = records(&left.scratch.file("walked"));
    let walked: BTreeMap<u64, u64> = walked
        .iter()
        .filter(|(.., state)| *state == 1)
        .map(|(a, size, _)| (*a, *size))
        .collect();
    let answer = on("live", &left.core, &["--blocks"]).ended(0);
    let listed: BTreeMap<u64, u64> = answer
        .stdout
        .lines()
        .map(|line| {
            let mut words = line.split(' ');
            let address = words.next().unwrap().trim_start_matches("0x");
            let bytes = words.next().unwrap().parse().unwrap();
            (u64::from_str_radix(address, 16).unwrap(), bytes)
        })
        .collect();
    assert!(walked.len() > 500);
    assert_eq!(listed, walked);
    let sums = on("live", &left.core, &["--json"]).ended(0).json();
    assert_eq!(sums["blocks"], walked.len());
    assert_eq!(sums["bytes"], walked.values().sum::<u64>());
}

#[test]
fn stats_account_for_every_byte_and_the_heap_is_clean() {
    let Some(left) = blocks_in_every_state() else {
        return;
    };
    check_sums(&left.core);
    let text = on("stats", &left.core, &[]).ended(0).stdout;
    assert!(text.contains("the sums agree"), "{text}");
    let text = on("verify", &left.core, &[]).ended(0).stdout;
    assert!(text.contains("clean: nothing is wrong"), "{text}");
}

/// `stats` of a core file or process: the parts are the whole, and the kernel says the same.
#[track_caller]
fn check_sums(source: &Path) -> serde_json::Value {
    let stats = on("stats", source, &["--json"]).ended(0).json();
    let of = |name: &str| {
        stats[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}: {stats}"))
    };
    assert_eq!(
        of("live") + of("cached") + of("free") + of("metadata"),
        of("mapped")
    );
    assert_eq!(of("arena_committed"), of("arena_registered"));
    assert!(of("live") > 0 && of("metadata") > 0);
    stats
}

#[test]
fn leaks_are_exactly_what_the_program_lost() {
    let Some(left) = leave_core(&compile::program("lost.c"), &["%d/list"], None) else {
        return;
    };
    let list = fs::read_to_string(left.scratch.file("list")).unwrap();
    let (mut definite, mut indirect, mut ring) = (BTreeSet::new(), 0, BTreeSet::new());
    for line in list.lines() {
        let (kind, address) = line.split_once(" 0x").unwrap();
        let address = u64::from_str_radix(address, 16).unwrap();
        match kind {
            "definite" => drop(definite.insert(address)),
            "ring" => drop(ring.insert(address)),
            _ => indirect += 1,
        }
    }
    // One of the ring stands for it, and the other one goes with it.
    definite.insert(*ring.first().unwrap());
    indirect += 1;
    let leaks = on("leaks", &left.core, &["--json", "--top", "0"])
        .ended(1)
        .json();
    let groups = leaks["groups"].as_array().unwrap();
    let found: BTreeSet<u64> = groups
        .iter()
        .flat_map(|group| group["blocks"].as_array().unwrap())
        .map(number)
        .collect();
    assert_eq!(found, definite);
    assert_eq!(leaks["indirect"]["blocks"], indirect);
    assert!(
        leaks["reachable"]["blocks"].as_u64().unwrap() > 400,
        "{leaks}"
    );
}

#[test]
fn references_to_a_block_are_found_where_they_stand() {
    let Some(left) = leave_core(&compile::program("lost.c"), &["%d/list"], None) else {
        return;
    };
    let blocks = on("live", &left.core, &["--blocks"]).ended(0).stdout;
    // The chain's nodes: each but the last is pointed to by the next one or by data.
    let nodes: Vec<&str> = blocks
        .lines()
        .filter_map(|line| {
            line.strip_suffix(" 48")
                .or(line.split_once(" 48 ").map(|(a, _)| a))
        })
        .collect();
    assert!(nodes.len() >= 200, "{}", nodes.len());
    let mut holders = BTreeSet::new();
    for node in nodes.iter().take(20) {
        let answer = on("refs", &left.core, &["--json", node]);
        for line in answer.stdout.lines() {
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            holders.insert(json["holder"].as_str().unwrap().to_owned());
        }
    }
    assert!(holders.contains("block"), "{holders:?}");
    let into = on("refs", &left.core, &[nodes[0]]).stdout;
    let (lines, sum) = into.trim_end().rsplit_once('\n').unwrap();
    let count = match lines.lines().count() {
        1 => "1 reference".to_owned(),
        more => format!("{more} references"),
    };
    assert_eq!(sum, format!("{count} to {}, 48 bytes", nodes[0]), "{into}");
}

#[test]
fn addresses_that_are_no_blocks_are_named() {
    let Some(left) = blocks_in_every_state() else {
        return;
    };
    let core = &left.core;
    let first = |address: &str, status: i32| {
        let answer = on("whatis", core, &[address]).ended(status);
        answer.stdout.lines().next().unwrap().to_owned()
    };
    assert!(first("0x8", 1).starts_with("unmapped: 0x8 is a null pointer"));
    assert!(first("0xffffffff81000000", 1).starts_with("unmapped: "));
    let registry = on("registry", core, &["--json"]).ended(0).json();
    assert!(first(registry["slabs"][0]["header"].as_str().unwrap(), 0).starts_with("metadata: "));
    assert!(first(registry["root"].as_str().unwrap(), 0).starts_with("module: "));
    let threads = on("threads", core, &["--json"]).ended(0).stdout;
    let thread: serde_json::Value = serde_json::from_str(threads.lines().next().unwrap()).unwrap();
    let pointer = thread["stack_pointer"].as_str().unwrap();
    let said = first(pointer, 0);
    assert!(
        said.starts_with("stack: ") && said.contains("0 bytes above"),
        "{said}"
    );
    // The last bytes of a slab whose blocks do not fill it.
    let slabs = registry["slabs"].as_array().unwrap();
    let tail = slabs.iter().find_map(|slab| {
        let used = slab["blocks"].as_u64()? * slab["bytes"].as_u64()?;
        let slots = slab["slots"].as_u64()? * 65536;
        (used < slots).then(|| number(&slab["start"]) + used)
    });
    let tail = tail.expect("a slab with a tail");
    assert!(first(&format!("{tail:#x}"), 0).starts_with("tail: "));
}

#[test]
fn a_stripped_program_and_one_of_other_kinds() {
    let scratch = hakmem_tests::Scratch::new();
    let stripped = scratch.file("stripped");
    let status = Command::new("strip")
        .arg("-o")
        .arg(&stripped)
        .arg(compile::program("lost.c"))
        .status();
    if !status.is_ok_and(|status| status.success()) {
        skip("strip is not installed");
        return;
    }
    let Some(left) = leave_core(&stripped, &["%d/list"], None) else {
        return;
    };
    on("verify", &left.core, &[]).ended(0);
    on("leaks", &left.core, &[]).ended(1);
    // A program that is not on hakmem: it is said, and what else is known.
    let other = Command::new(HAKMEM)
        .arg("info")
        .arg(HAKMEM)
        .output()
        .unwrap();
    assert_eq!(other.status.code(), Some(2));
    let said = String::from_utf8_lossy(&other.stderr);
    assert!(said.contains("not a core file"), "{said}");
}
