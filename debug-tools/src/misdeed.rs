//! What a program did wrong to its memory, and who: out of the trace of a run.
//!
//! ```text
//! crash page, text ──► each report of a check: sentence, who did it, who had the block, the rule
//!                      that names the culprit in the next run
//! watch-hit events ──► each write to an armed block: the instruction's place, who had the block
//! ```
//!
//! A report names code as `FILE+0xOFFSET`; with what the trace says of mapped files that is a
//! program counter again.

use std::collections::BTreeSet;
use std::ops::Range;

use hakmem_trace_format::reader::{Event, Trace};
use hakmem_trace_format::{FileName, Kind};
use serde_json::{Value, json};

use crate::event::{frames, named};
use crate::output;
use crate::printable::Printable;
use crate::symbols::{Function, Symbols};

/// What each line of a report begins with.
const PREFIX: &str = "==hakmem== ";
/// The kind of a write that a watch caught.
const CAUGHT: &str = "watch-hit";
/// So many are told in full.
pub const TOLD: usize = 12;

/// A place in code at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// Return addresses, innermost first.
    pub frames: Vec<u64>,
    /// The first one lies in the instruction itself, and not behind a call.
    pub is_instruction: bool,
    /// In ticks.
    pub time: u64,
}

/// See the head of this file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Misdeed {
    /// In a word: `write-after-free`, `watch-hit`.
    pub kind: String,
    /// What was done, or seen.
    pub sentence: String,
    /// The block, or the word that was written to; 0 if it is not known.
    pub address: u64,
    /// Where it was done. None if that is not known.
    pub by: Option<Stack>,
    /// Who asked for the block, and who gave it back.
    pub allocated: Option<Stack>,
    pub freed: Option<Stack>,
    /// A rule for `--watch`, which names the culprit in the next run.
    pub rule: Option<String>,
    /// A value for `--guard`, under which the next run is stopped where it is done.
    pub guard: Option<String>,
    /// It is a write into the block of somebody who has it: who watches one that is live sees all that
    /// write there, and most of them may.
    pub is_into_live: bool,
}

impl Misdeed {
    /// All of a trace: those whose culprit is known come first.
    pub fn all(trace: &Trace) -> Vec<Self> {
        let mut all = match trace.crash() {
            Some(page) => told(trace, &String::from_utf8_lossy(page.text()), page.time),
            None => vec![],
        };
        all.extend(caught(trace));
        all.sort_by_key(|misdeed| misdeed.by.is_none());
        all
    }

    /// The guards of the next run; none where somebody was seen doing it in this one.
    pub fn next_guard(all: &[Self]) -> Option<&str> {
        let is_known = |misdeed: &Self| misdeed.by.is_some() && !misdeed.is_into_live;
        match all.iter().any(is_known) {
            true => None,
            false => all.iter().find_map(|misdeed| misdeed.guard.as_deref()),
        }
    }

    /// The rule of the next run; none where a watch has caught somebody in this one.
    pub fn next_rule(all: &[Self]) -> Option<&str> {
        let is_caught = |misdeed: &Self| misdeed.kind == CAUGHT && misdeed.by.is_some();
        match all.iter().any(is_caught) {
            true => None,
            false => all.iter().find_map(|misdeed| misdeed.rule.as_deref()),
        }
    }

    /// The function that did it, and where: the innermost that is not a library's.
    pub fn culprit(&self, symbols: &mut Symbols<'_>) -> Option<Function> {
        let by = self.by.as_ref()?;
        let functions = by.functions(symbols);
        let own = functions.iter().find(|function| !is_of_library(function));
        own.or(functions.first()).cloned()
    }

    /// It in lines, the culprit first.
    pub fn lines(&self, symbols: &mut Symbols<'_>) -> Vec<String> {
        let mut lines = vec![];
        let said = format!("{}: {}", self.kind, Printable(&self.sentence));
        match self.culprit(symbols) {
            Some(function) => {
                let who = if self.is_into_live {
                    "writer"
                } else {
                    "culprit"
                };
                lines.push(format!("{who}: {}: {said}", named(&function, true)));
            }
            None => lines.push(format!("found: {said}")),
        }
        let stacks = [
            ("done by", &self.by),
            ("allocated by", &self.allocated),
            ("freed by", &self.freed),
        ];
        for (what, stack) in stacks {
            if let Some(stack) = stack {
                lines.push(format!("  {what:<13} {}", stack.line(symbols)));
            }
        }
        lines
    }

    /// It as JSON.
    pub fn json(&self, symbols: &mut Symbols<'_>) -> Value {
        let culprit = self.culprit(symbols);
        let mut stack = |stack: &Option<Stack>| {
            let known = stack.as_ref().map(|stack| stack.json(symbols));
            known.unwrap_or_else(|| json!([]))
        };
        json!({
            "kind": self.kind,
            "sentence": self.sentence,
            "address": output::address(self.address),
            "culprit": culprit.as_ref().map(function),
            "done_by": stack(&self.by),
            "allocated_by": stack(&self.allocated),
            "freed_by": stack(&self.freed),
            "rule": self.rule,
            "guard": self.guard,
            "into_live_block": self.is_into_live,
        })
    }
}

fn function(function: &Function) -> Value {
    json!({
        "function": function.name,
        "file": function.source.as_ref().map(|(file, _)| file.to_string_lossy()),
        "line": function.source.as_ref().map(|(_, line)| line),
    })
}

/// Whether a function is one that writes for others: of libc, of hakmem, which stands in front of it,
/// or of the standard library of C++ or Rust, which are inlined.
pub fn is_of_library(function: &Function) -> bool {
    let file = function.module.as_ref().and_then(|path| path.file_name());
    let is_file = file.is_some_and(|name| {
        let name = name.as_encoded_bytes();
        name.starts_with(b"libc.so") || name.starts_with(b"libhakmem")
    });
    let source = function.source.as_ref().map(|(source, _)| source);
    is_file || source.is_some_and(|s| s.starts_with("/rustc") || s.starts_with("/usr/include"))
}

/// Whether a function is one of hakmem's own: of its library, or of the crate in a program.
pub fn is_of_hakmem(function: &Function) -> bool {
    let file = function.module.as_ref().and_then(|path| path.file_name());
    file.is_some_and(|name| name.as_encoded_bytes().starts_with(b"libhakmem"))
        || ["hakmem_alloc::", "<hakmem_alloc::"]
            .iter()
            .any(|of| function.name.starts_with(of))
}

impl Stack {
    /// The functions, innermost first.
    fn functions(&self, symbols: &mut Symbols<'_>) -> Vec<Function> {
        let mut functions = vec![];
        for (index, frame) in self.frames.iter().enumerate() {
            let of_frame = match index {
                0 if self.is_instruction => symbols.functions_at_instruction(*frame, self.time),
                _ => symbols.functions(*frame, self.time),
            };
            functions.extend(of_frame.iter().cloned());
        }
        functions
    }

    /// It as JSON.
    pub fn json(&self, symbols: &mut Symbols<'_>) -> Value {
        let functions = self.functions(symbols);
        functions.iter().map(function).collect()
    }

    /// It in a line, without what calls `main` and what begins threads.
    pub fn line(&self, symbols: &mut Symbols<'_>) -> String {
        let mut functions = self.functions(symbols);
        // In Rust that is a function of the crate's, behind which lies the start of the standard library.
        let is_main = |f: &Function| f.name == "main" || f.name.ends_with("::main");
        if let Some(index) = functions.iter().position(is_main) {
            functions.truncate(index + 1);
        }
        while functions.len() > 1 && functions.last().is_some_and(is_of_library) {
            functions.pop();
        }
        let names: Vec<String> = functions.iter().map(|f| named(f, true)).collect();
        names.join(" < ")
    }
}

/// The command that starts the program of a trace again, under a rule.
pub fn run_again(trace: &Trace, rule: &str) -> String {
    let arguments = trace.session().arguments().into_iter();
    let words: Vec<String> = arguments
        .map(|word| shell_word(&Printable(&word.to_string_lossy()).to_string()))
        .collect();
    format!(
        "hakmem run --watch {} -- {}",
        shell_word(rule),
        words.join(" ")
    )
}

/// A word as a shell takes it.
pub fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// A frame of a report, `    #0 FILE+0xOFFSET (function+0x9)`, as a program counter.
pub fn frame(trace: &Trace, line: &str) -> Option<u64> {
    let line = line.trim_start_matches(PREFIX).trim_start();
    let rest = line.strip_prefix('#')?;
    let (number, place) = rest.split_once(' ')?;
    number.parse::<u32>().ok()?;
    let place = place.split_once(" (").map_or(place, |(place, _)| place);
    let (file, offset) = place.rsplit_once("+0x")?;
    let offset = u64::from_str_radix(offset, 16).ok()?;
    let module = trace.modules().iter().find(|module| {
        let name = module.path.file_name().unwrap_or(module.path.as_os_str());
        name.to_string_lossy() == file
    })?;
    Some(module.base.wrapping_add(offset))
}

/// The misdeeds that a text of reports tells of.
fn told(trace: &Trace, text: &str, time: u64) -> Vec<Misdeed> {
    let mut all: Vec<Misdeed> = vec![];
    let mut is_unknown = false;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(line) = line.strip_prefix(PREFIX) else {
            continue;
        };
        if let Some((kind, sentence)) = line.strip_prefix("ERROR ").and_then(|l| l.split_once(": "))
        {
            forget_finder(all.last_mut(), is_unknown);
            is_unknown = false;
            all.push(Misdeed {
                kind: kind.into(),
                sentence: sentence.into(),
                ..Misdeed::default()
            });
            continue;
        }
        let Some(misdeed) = all.last_mut() else {
            continue;
        };
        let mut stack = || {
            let mut frames = vec![];
            while let Some(pc) = lines.peek().and_then(|line| frame(trace, line)) {
                frames.push(pc);
                lines.next();
            }
            (!frames.is_empty()).then_some(Stack {
                frames,
                is_instruction: line.ends_with(", at:"),
                time,
            })
        };
        // Two blanks: what is indented further is about neighbours.
        match line.strip_prefix("  ").unwrap_or_default() {
            said if said.starts_with("block 0x") => {
                misdeed.address = number(&said["block ".len()..])
            }
            said if said.starts_with("found by ") => misdeed.by = stack(),
            said if said.starts_with("allocated by ") => misdeed.allocated = stack(),
            said if said.starts_with("freed by ") => misdeed.freed = stack(),
            said if said.starts_with("not known: who ") => is_unknown = true,
            said if said.trim_start().starts_with("next: HAKMEM_WATCH='") => {
                misdeed.rule = said.split('\'').nth(1).map(str::to_owned);
            }
            said => {
                let rest = ["next: ", "or: "]
                    .iter()
                    .find_map(|begin| said.trim_start().strip_prefix(begin));
                let guard = rest.and_then(|rest| rest.strip_prefix("HAKMEM_GUARD="));
                if let Some((guard, _)) = guard.and_then(|guard| guard.split_once(' ')) {
                    misdeed.guard = Some(guard.to_owned());
                }
            }
        }
    }
    forget_finder(all.last_mut(), is_unknown);
    all
}

/// Who found it did not do it.
fn forget_finder(misdeed: Option<&mut Misdeed>, is_unknown: bool) {
    if let Some(misdeed) = misdeed.filter(|_| is_unknown) {
        misdeed.by = None;
    }
}

/// The number that a text begins with, `0x…`; 0 if there is none.
fn number(text: &str) -> u64 {
    let digits = text.strip_prefix("0x").unwrap_or_default();
    let end = digits.find(|c: char| !c.is_ascii_hexdigit());
    u64::from_str_radix(&digits[..end.unwrap_or(digits.len())], 16).unwrap_or(0)
}

/// The writes that a watch caught, in the order of time; the first of each place and word.
fn caught(trace: &Trace) -> Vec<Misdeed> {
    let mut seen = BTreeSet::new();
    let mut all = vec![];
    for event in rare(trace) {
        let record = &event.record;
        if record.kind() != Some(Kind::WatchHit)
            || !seen.insert((record.caller(), record.address()))
        {
            continue;
        }
        let old = event.payload.iter().take(8).rev();
        let old = old.fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let (mut frames, _) = frames(trace, record);
        frames.retain(|frame| *frame != 0);
        let mut misdeed = Misdeed {
            kind: CAUGHT.into(),
            sentence: format!(
                "8 bytes at {:#x} were written to in thread {}: {old:#x} -> {:#x}",
                record.address(),
                record.thread(),
                record.value()
            ),
            address: record.address(),
            by: (!frames.is_empty()).then_some(Stack {
                frames,
                is_instruction: true,
                time: record.time(),
            }),
            ..Misdeed::default()
        };
        let live = misdeed.find_owners(trace, record.time());
        let written = changed(record.address(), old, record.value());
        misdeed.is_into_live = live.is_some_and(|live| live.contains(&written));
        all.push(misdeed);
    }
    all
}

/// The events of the files that no flood of allocations pushes them out of.
pub fn rare(trace: &Trace) -> impl Iterator<Item = Event> {
    let files = trace
        .files()
        .iter()
        .enumerate()
        .filter(|(_, file)| !matches!(file.name(), FileName::Full(..) | FileName::Ring(_)));
    files.flat_map(|(index, _)| trace.records_of(index))
}

impl Misdeed {
    /// Who had the block at a time, by the trace's events. Says which bytes are somebody's then, if they are.
    fn find_owners(&mut self, trace: &Trace, time: u64) -> Option<Range<u64>> {
        let mut live = None;
        for event in trace.history(self.address).events {
            let record = &event.record;
            if record.time() > time {
                break;
            }
            let stack = || {
                let (frames, _) = frames(trace, record);
                Some(Stack {
                    frames,
                    is_instruction: false,
                    time: record.time(),
                })
            };
            match record.kind() {
                Some(Kind::Allocate | Kind::ResizeIn) => {
                    (self.allocated, self.freed) = (stack(), None);
                    live = Some(record.address()..record.address() + record.size());
                }
                Some(Kind::Free | Kind::RemoteFree | Kind::ResizeOut) => {
                    self.freed = stack();
                    live = None;
                }
                _ => {}
            }
        }
        live
    }
}

/// The last byte of a word that a write has changed; its first one where none is another.
fn changed(word: u64, old: u64, new: u64) -> u64 {
    word + u64::from(63 - (old ^ new | 1).leading_zeros()) / 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_split_them() {
        assert_eq!(shell_word("./a-b_1.c"), "./a-b_1.c");
        assert_eq!(shell_word("size=8 do=arm"), "'size=8 do=arm'");
        assert_eq!(shell_word("it's"), "'it'\\''s'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn the_last_byte_that_was_changed() {
        assert_eq!(changed(0x1000, 0xdede, 0xde00), 0x1000);
        assert_eq!(changed(0x1000, 0, 0x1_0000), 0x1002);
        assert_eq!(changed(0x1000, 0, u64::MAX), 0x1007);
        assert_eq!(changed(0x1000, 5, 5), 0x1000);
    }

    #[test]
    fn numbers_end_where_their_digits_do() {
        assert_eq!(number("0x10 of 8 bytes"), 16);
        assert_eq!(number("0xff"), 255);
        assert_eq!(number("10"), 0);
        assert_eq!(number(""), 0);
    }
}
