//! What a watched program says: the reports on its standard error.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Allocator, Outcome, Run, compile, tool};

/// What each line of a report begins with.
const PREFIX: &str = "==hakmem== ";

/// `programs/watch.c`, compiled with optimisations, under the observed library.
pub fn watched(case: &str) -> Run {
    Run::new(program()).arg(case).allocator(Allocator::Observed)
}

/// The program.
pub fn program() -> PathBuf {
    compile::optimized_program("watch.c")
}

/// As [`watched`], with rules, to its end.
#[track_caller]
pub fn run(rules: &str, case: &str) -> Outcome {
    watched(case).env("HAKMEM_WATCH", rules).output()
}

/// The lines of all reports, without what each begins with.
pub fn lines(outcome: &Outcome) -> Vec<String> {
    let text = outcome.stderr_text();
    text.lines()
        .filter_map(|line| line.strip_prefix(PREFIX))
        .map(str::to_owned)
        .collect()
}

/// The lines that begin with `what`.
pub fn lines_with(outcome: &Outcome, what: &str) -> Vec<String> {
    let mut lines = lines(outcome);
    lines.retain(|line| line.starts_with(what));
    lines
}

/// A write that was reported.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The file of code and the offset of the instruction in it; empty and 0 if it is not known.
    pub file: String,
    /// See `file`.
    pub offset: u64,
    /// The function, if there was a name.
    pub function: String,
    /// The kernel's number of the thread.
    pub thread: u64,
    /// The word.
    pub address: u64,
    /// Bytes from the start of the block; below 0 in front of it.
    pub within: i64,
    /// What stood there before.
    pub old: u64,
    /// What stood there after; `None` if it is not known.
    pub new: Option<u64>,
    /// All lines of the report.
    pub lines: Vec<String>,
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(from)?;
    Some(rest.split_once(to).map_or(rest, |(inside, _)| inside))
}

fn hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()
}

impl Hit {
    fn parse(lines: &[String]) -> Option<Self> {
        let first = lines.first()?;
        let place = between(first, "written by ", " in thread ").unwrap_or_default();
        let (file, offset) = place.split_once('+').unwrap_or_default();
        let (old, new) = first.rsplit_once("): ")?.1.split_once(" -> ")?;
        Some(Self {
            file: file.to_owned(),
            offset: hexadecimal(offset.split(' ').next()?).unwrap_or(0),
            function: between(place, " (", "+").unwrap_or_default().to_owned(),
            thread: between(first, " in thread ", ":")?.parse().ok()?,
            address: hexadecimal(between(first, "bytes at ", " ")?)?,
            within: between(first, "(block", ")")?.parse().ok()?,
            old: hexadecimal(old)?,
            new: hexadecimal(new),
            lines: lines.to_vec(),
        })
    }

    /// The line of `watch.c` that it names, as addr2line reads the program's line table.
    pub fn line(&self) -> String {
        let place = line_of(&program(), self.offset);
        let number: usize = place
            .rsplit(':')
            .next()
            .unwrap_or_default()
            .parse()
            .unwrap_or(0);
        let source = fs::read_to_string(compile::sources().join("watch.c")).expect("the source");
        let line = source.lines().nth(number.wrapping_sub(1));
        line.unwrap_or_else(|| panic!("no line: {place}"))
            .to_owned()
    }

    /// Whether a line of the report has `what`.
    pub fn says(&self, what: &str) -> bool {
        self.lines.iter().any(|line| line.contains(what))
    }

    /// The function names in the stack behind the line that begins with `heading`.
    pub fn stack(&self, heading: &str) -> Vec<String> {
        stack_behind(&self.lines, heading)
    }
}

/// The function names in the stack behind the line that begins with `heading`.
pub fn stack_behind(lines: &[String], heading: &str) -> Vec<String> {
    let behind = lines
        .iter()
        .skip_while(|line| !line.trim().starts_with(heading));
    let frames = behind
        .skip(1)
        .take_while(|line| line.trim().starts_with('#'));
    frames
        .map(|line| between(line, " (", "+").unwrap_or_default().to_owned())
        .collect()
}

/// File and line of an offset in a file of code.
pub fn line_of(file: &Path, offset: u64) -> String {
    let file = file.display().to_string();
    let text = tool::output("addr2line", ["-e", &file, &format!("{offset:#x}")]);
    let place = text.trim();
    // A discriminator may follow.
    place.split(' ').next().unwrap_or_default().to_owned()
}

/// The writes that were reported.
#[track_caller]
pub fn hits(outcome: &Outcome) -> Vec<Hit> {
    let lines = lines(outcome);
    let begins = |line: &String| line.starts_with("WATCH hit: ");
    let mut hits = Vec::new();
    for (at, _) in lines.iter().enumerate().filter(|(_, line)| begins(line)) {
        let rest = lines[at + 1..].iter();
        let len = rest.take_while(|line| line.starts_with(' ')).count();
        let hit = Hit::parse(&lines[at..=at + len]);
        hits.push(hit.unwrap_or_else(|| panic!("no report: {}", lines[at])));
    }
    hits
}

/// What the program said about `name`, an address.
#[track_caller]
pub fn address(outcome: &Outcome, name: &str) -> u64 {
    let text = outcome.stdout_text();
    let found = text.lines().find_map(|line| line.strip_prefix(name));
    found.and_then(hexadecimal).unwrap_or_else(|| {
        panic!("the program says nothing of {name}\n{}", outcome.report());
    })
}

/// Whether the processor's watchpoints can be used here; says loudly if not.
pub fn has_watchpoints() -> bool {
    let outcome = run("site=make_item on=free do=arm", "plain");
    let refused = lines(&outcome)
        .into_iter()
        .find(|line| line.contains("the system refuses watchpoints"));
    if let Some(why) = &refused {
        crate::skip(why);
    }
    refused.is_none()
}
