//! What `programs/exercise.c` reports of the allocator, between its steps.

use std::collections::HashMap;

use serde_json::Value;

use crate::{Outcome, Run, reference, skip};

/// Whether tests of hakmem's own settings and statistics make sense; says so if not.
pub fn applies() -> bool {
    if reference() {
        skip("the reference has no settings and statistics of ours");
    }
    !reference()
}

/// Whether the kernel gives huge pages to whom asks for them, and to nobody else; says so if
/// not.
pub fn huge_pages_on_request() -> bool {
    const FILE: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
    let mode = std::fs::read_to_string(FILE).unwrap_or_default();
    let on_request = mode.contains("[madvise]");
    if !on_request {
        skip(&format!("{FILE} is not madvise but \"{}\"", mode.trim()));
    }
    on_request
}

/// `exercise.c` with these steps, under these variables.
pub fn exercise(settings: &[(&str, &str)], steps: &[&str]) -> Exercise {
    let mut run = Run::program("exercise.c").args(steps);
    for (name, value) in settings {
        run = run.env(name, value);
    }
    Exercise::of(run.output())
}

/// A step: 320 blocks of 32 KiB, which are ten slabs, or five SuperSlabs.
pub const TAKE: &str = "take a 32768 320";

/// Steps that take ten slabs and give them back whole, by a thread that ends: no cache
/// holds any of their blocks. A slab of small blocks for the thread itself lies in the
/// first SuperSlab, and one of the ten; the five other SuperSlabs become empty.
const TAKE_AND_GIVE: [&str; 6] = [
    "take first 64 1",
    "thread",
    TAKE,
    "report taken",
    "give a",
    "end",
];

/// As [`exercise`], with five SuperSlabs that have become empty before the steps.
pub fn after_giving(settings: &[(&str, &str)], steps: &[&str]) -> Exercise {
    exercise(settings, &[&TAKE_AND_GIVE, steps].concat())
}

/// What one run of the program has printed.
pub struct Exercise {
    /// The run.
    pub outcome: Outcome,
    /// The words of each line, by its first two.
    lines: HashMap<(String, String), Vec<String>>,
}

/// The statistics at one step.
pub struct Report {
    /// Resident bytes of the process, by the kernel.
    pub resident: u64,
    /// Bytes of those that are in huge pages.
    pub huge: u64,
    /// Bytes of writable anonymous mappings of the process, by the kernel.
    pub writable: u64,
    json: Value,
}

/// Whose blocks a group has.
#[derive(Debug, PartialEq, Eq)]
pub struct Whose {
    /// Blocks that hakmem knows as live.
    pub ours: u64,
    /// Blocks that it does not know.
    pub others: u64,
    /// What `malloc_usable_size` says of the first.
    pub usable: u64,
}

impl Exercise {
    /// What came of a run of the program, which has to have done all of its steps.
    #[track_caller]
    pub fn of(outcome: Outcome) -> Self {
        outcome.success();
        let text = outcome.stdout_text().into_owned();
        let mut lines = HashMap::new();
        for line in text.lines() {
            let mut words = line.split(' ').map(str::to_owned);
            let key = (words.next(), words.next());
            if let (Some(kind), Some(name)) = key {
                lines.insert((kind, name), words.collect());
            }
        }
        assert!(text.ends_with("done\n"), "not done\n{}", outcome.report());
        Self { outcome, lines }
    }

    #[track_caller]
    fn words(&self, kind: &str, name: &str) -> &[String] {
        self.lines
            .get(&(kind.to_owned(), name.to_owned()))
            .unwrap_or_else(|| panic!("no line {kind} {name}\n{}", self.outcome.report()))
    }

    /// The report of that name.
    #[track_caller]
    pub fn at(&self, name: &str) -> Report {
        let [resident, huge, writable, json] = self.words("report", name) else {
            panic!("a report of four words")
        };
        Report {
            resident: resident.parse().expect("resident bytes"),
            huge: huge.parse().expect("bytes in huge pages"),
            writable: writable.parse().expect("writable bytes"),
            json: serde_json::from_str(json).expect("statistics in JSON"),
        }
    }

    /// How much a counter of the pool has moved from one report to another.
    #[track_caller]
    pub fn moved(&self, counter: &str, from: &str, to: &str) -> u64 {
        self.at(to).pool(counter) - self.at(from).pool(counter)
    }

    /// How many bytes more are resident in one report than in another; 0 if fewer.
    #[track_caller]
    pub fn resident_growth(&self, from: &str, to: &str) -> u64 {
        let before = self.at(from).resident;
        self.at(to).resident.saturating_sub(before)
    }

    /// The addresses that the step `where` printed.
    #[track_caller]
    pub fn addresses(&self, group: &str) -> Vec<usize> {
        let words = self.words("where", group).iter();
        words
            .map(|word| usize::from_str_radix(word, 16).expect("an address"))
            .collect()
    }

    /// What the step `whose` printed.
    #[track_caller]
    pub fn whose(&self, group: &str) -> Whose {
        let words = self.words("whose", group).iter();
        let numbers: Vec<u64> = words.map(|word| word.parse().expect("a number")).collect();
        let [ours, others, usable] = numbers[..] else {
            panic!("three numbers")
        };
        Whose {
            ours,
            others,
            usable,
        }
    }

    /// A number that a step printed under this name.
    #[track_caller]
    pub fn value(&self, name: &str) -> u64 {
        self.words("value", name)[0].parse().expect("a number")
    }

    /// What it wrote to standard error, by lines.
    pub fn said(&self) -> Vec<String> {
        let stderr = self.outcome.stderr_text();
        stderr.lines().map(str::to_owned).collect()
    }
}

impl Report {
    #[track_caller]
    fn number(value: &Value, what: &str) -> u64 {
        value
            .as_u64()
            .unwrap_or_else(|| panic!("no number is named {what}"))
    }

    /// A number of the whole heap.
    #[track_caller]
    pub fn total(&self, name: &str) -> u64 {
        Self::number(&self.json[name], name)
    }

    /// A counter of what lies behind the thread caches.
    #[track_caller]
    pub fn pool(&self, name: &str) -> u64 {
        Self::number(&self.json["pool"][name], name)
    }

    /// A number of a tier.
    #[track_caller]
    pub fn tier(&self, tier: &str, name: &str) -> u64 {
        Self::number(&self.json["tiers"][tier][name], name)
    }

    /// A number of the class whose blocks have `bytes` bytes.
    #[track_caller]
    pub fn class(&self, bytes: u64, name: &str) -> u64 {
        let class = self
            .classes()
            .iter()
            .find(|class| class["block_bytes"] == bytes);
        let class = class.unwrap_or_else(|| panic!("no class has blocks of {bytes} bytes"));
        Self::number(&class[name], name)
    }

    /// The sum of a number over all classes.
    pub fn class_sum(&self, name: &str) -> u64 {
        let classes = self.classes().iter();
        classes.map(|class| Self::number(&class[name], name)).sum()
    }

    /// The sizes of the classes' blocks.
    pub fn sizes(&self) -> Vec<u64> {
        let classes = self.classes().iter();
        classes
            .map(|class| Self::number(&class["block_bytes"], "block_bytes"))
            .collect()
    }

    fn classes(&self) -> &[Value] {
        self.json["classes"].as_array().expect("a list of classes")
    }

    /// All counters of the pool and of the classes, to be compared: what settings change
    /// shows in one of them.
    pub fn counts(&self) -> (&Value, &Value) {
        (&self.json["pool"], &self.json["classes"])
    }

    /// The names of all numbers: of the heap, the pool, a tier and a class.
    pub fn names(&self) -> [Vec<String>; 4] {
        let of = |value: &Value| {
            let object = value.as_object().expect("an object").iter();
            object
                .filter(|(_, value)| value.is_number())
                .map(|(name, _)| name.clone())
                .collect()
        };
        [
            of(&self.json),
            of(&self.json["pool"]),
            of(&self.json["tiers"]["tiny"]),
            of(&self.json["classes"][0]),
        ]
    }
}
