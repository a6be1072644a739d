//! The allocator's own structures in a core file, and what both debuggers have to print of them: debug
//! information says the same as the command reads without it.

use std::path::PathBuf;

use hakmem_debug_tools::heap::Heap;
use hakmem_debug_tools::image::Image;
use hakmem_tests::tool;
use serde_json::Value;

use super::has;
use crate::support::{Left, leave_core_on, number, on};

/// A program with debug information of the allocator's types, and what it has left.
pub struct Structures {
    pub program: PathBuf,
    pub left: Left,
    /// A block of its.
    pub address: String,
    /// How the summary of that block's slab begins.
    pub slab_text: String,
    /// Structures: a name, the type, the address, and the summary.
    each: Vec<(&'static str, &'static str, u64, String)>,
}

/// What `registry` says of the slab of an address.
fn slab_of(left: &Left, address: &str) -> Value {
    let slab = on("whatis", &left.core, &["--json", address]).json()["slab"].clone();
    let registry = on("registry", &left.core, &["--json"]).json();
    let slabs = registry["slabs"].as_array().unwrap();
    let found = slabs.iter().find(|other| other["start"] == slab);
    found.unwrap().clone()
}

/// They, if there is a core file: of a debug build of a Rust program.
pub fn there() -> Option<Structures> {
    let program = tool::example("plain", &[]);
    let left = leave_core_on(None, &program, &[], None)?;
    let of_40_bytes = |line: &&str| line.starts_with("live ") && line.ends_with(" 40");
    let line = left.stdout.lines().find(of_40_bytes).unwrap();
    let address = line.split(' ').nth(1).unwrap().to_owned();
    let slab = slab_of(&left, &address);
    let slab_text = format!(
        "slab at {}: class {}, {} blocks, ",
        slab["start"].as_str().unwrap(),
        slab["class"],
        slab["blocks"]
    );
    let image = Image::of_core(&left.core).unwrap();
    let heap = Heap::open(&image).unwrap();
    let mut each = vec![(
        "slab",
        "slab::Slab",
        number(&slab["header"]),
        slab_text.clone(),
    )];
    let superslab = heap.superslabs.first().unwrap();
    let (base, free) = (superslab.base, superslab.free.count_ones());
    let text = format!("SuperSlab at {base:#x}: {free} of 32 slots free");
    each.push(("superslab", "superslab::SuperSlab", superslab.record, text));
    each.extend(lists(&heap));
    Some(Structures {
        program,
        left,
        address,
        slab_text,
        each,
    })
}

/// A list with blocks, and one without.
fn lists(heap: &Heap<'_>) -> Vec<(&'static str, &'static str, u64, String)> {
    let layout = &heap.layout;
    // A list begins with its head, and all classes of a cache have one.
    let place = |cache: u64, class: u8| {
        cache + layout.shelves + u64::from(class) * layout.shelf_bytes + layout.list_head
    };
    let caches = heap.caches.iter();
    let all = caches.flat_map(|cache| cache.lists.iter().map(|list| (cache.address, list)));
    let (cache, list) = all
        .clone()
        .max_by_key(|(_, list)| list.length)
        .expect("a list");
    assert!(list.length > 0, "no list has blocks");
    let text = format!("{} blocks from {:#x}", list.length, list.blocks[0]);
    let used: Vec<u8> = all
        .filter(|(of, list)| *of == cache && list.length > 0)
        .map(|(_, list)| list.class)
        .collect();
    let empty = (0..40)
        .find(|class| !used.contains(class))
        .expect("a class without");
    let kind = "block::FreeList";
    vec![
        ("list", kind, place(cache, list.class), text),
        ("empty list", kind, place(cache, empty), "no blocks".into()),
    ]
}

impl Structures {
    /// The commands that print each: `command` makes one of a name, a type and an address.
    pub fn each(&self, command: impl Fn(&str, &str, u64) -> String) -> Vec<String> {
        let each = self.each.iter();
        each.map(|(name, kind, at, _)| command(name, kind, *at))
            .collect()
    }

    /// What was printed is what there is.
    #[track_caller]
    pub fn are_printed(&self, said: &str) {
        for (name, _, _, text) in &self.each {
            has(said, &[&format!("{name}: {text}")]);
        }
        // `hakmem slab`.
        has(
            said,
            &[&format!("\n{}", self.slab_text), "\n  kind     blocks\n"],
        );
    }
}
