//! Instruction counts, by valgrind's callgrind.
//!
//! A program is run twice, with N rounds and with 2 N: the difference is what N rounds
//! cost, whatever its start cost. Callgrind repeats exactly, so there is no spread.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Scratch;

const ROUNDS: u64 = 500;

/// Calls and the instructions in them, of one function or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Calls.
    pub calls: u64,
    /// Instructions from entry to return, those of functions called from there included.
    pub instructions: u64,
}

impl Cost {
    /// Instructions of each call; the test fails if not every call took the same.
    #[track_caller]
    pub fn each(self) -> u64 {
        assert!(self.calls > 0, "there were no calls");
        assert_eq!(
            self.instructions % self.calls,
            0,
            "not all calls took the same path: {self:?}"
        );
        self.instructions / self.calls
    }
}

/// What a fixed number of rounds of a program cost, by caller and callee.
pub struct Profile(BTreeMap<(String, String), Cost>);

impl Profile {
    /// Of `program`, whose one argument is the number of rounds, with `preload`.
    #[track_caller]
    pub fn of(program: &Path, preload: Option<&Path>) -> Self {
        let once = edges(program, preload, ROUNDS);
        let mut twice = edges(program, preload, 2 * ROUNDS);
        // What is called as often in both runs belongs to the start.
        twice.retain(|edge, cost| {
            let before = once.get(edge).copied().unwrap_or_default();
            cost.calls = cost.calls.saturating_sub(before.calls);
            cost.instructions = cost.instructions.saturating_sub(before.instructions);
            cost.calls > 0
        });
        Self(twice)
    }

    /// The calls that `caller` makes, whatever the callee's name: identical functions
    /// share one address, and callgrind knows that by one of their names.
    pub fn from(&self, caller: &str) -> Cost {
        self.sum(|(from, _)| from == caller)
    }

    /// The calls of `callee`.
    pub fn to(&self, callee: &str) -> Cost {
        self.sum(|(_, to)| to == callee)
    }

    fn sum(&self, wanted: impl Fn(&(String, String)) -> bool) -> Cost {
        let costs = self.0.iter().filter(|(edge, _)| wanted(edge));
        costs.fold(Cost::default(), |sum, (_, cost)| Cost {
            calls: sum.calls + cost.calls,
            instructions: sum.instructions + cost.instructions,
        })
    }
}

/// Every call in one run, by caller and callee.
fn edges(program: &Path, preload: Option<&Path>, rounds: u64) -> BTreeMap<(String, String), Cost> {
    let scratch = Scratch::new();
    let profile = scratch.file("callgrind.out");
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--compress-strings=no"])
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(program)
        .arg(rounds.to_string())
        // Else the first call of each function would be the dynamic linker's.
        .env("LD_BIND_NOW", "1");
    if let Some(library) = preload {
        command.env("LD_PRELOAD", library);
    }
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("valgrind cannot be run: {e}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    parse(&fs::read_to_string(profile).expect("callgrind's output"))
}

/// Reads callgrind's format (valgrind manual, "Callgrind Format Specification"): `fn=`
/// opens a function, `cfn=` names a callee, `calls=` counts, and the line behind that has
/// the inclusive cost as its last number.
fn parse(profile: &str) -> BTreeMap<(String, String), Cost> {
    let mut edges = BTreeMap::<(String, String), Cost>::new();
    let (mut caller, mut callee) = (String::new(), String::new());
    let mut lines = profile.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("fn=") {
            name.clone_into(&mut caller);
        } else if let Some(name) = line.strip_prefix("cfn=") {
            name.clone_into(&mut callee);
        } else if let Some(counts) = line.strip_prefix("calls=") {
            let cost = edges.entry((caller.clone(), callee.clone())).or_default();
            cost.calls += number(counts.split_whitespace().next());
            let inclusive = lines.next().unwrap_or_default();
            cost.instructions += number(inclusive.split_whitespace().nth(1));
        }
    }
    edges
}

fn number(field: Option<&str>) -> u64 {
    field
        .and_then(|field| field.parse().ok())
        .unwrap_or_else(|| panic!("callgrind wrote {field:?} for a number"))
}
