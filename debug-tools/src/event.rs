//! An event of a trace, as a line or as JSON.

use hakmem_trace_format::reader::{Event, NoStack, Trace};
use hakmem_trace_format::{Flags, Kind, Record};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::image::Frame;
use crate::output;
use crate::printable::Printable;
use crate::symbols::{Function, Symbols};

/// How the events of a trace are printed.
pub struct EventPrinter<'t> {
    /// The trace.
    pub trace: &'t Trace,
    /// Names for return addresses.
    pub symbols: Symbols<'t>,
    /// Whether file and line stand behind each function's name.
    pub lines: bool,
    /// Whether kinds are coloured.
    pub colours: bool,
    /// The address that was asked for, if one was.
    pub address: Option<u64>,
}

impl<'t> EventPrinter<'t> {
    /// One for lines beside other things that are said: with files and lines, without colours.
    pub fn plain(trace: &'t Trace, answer: &Answer, address: Option<u64>) -> Self {
        Self {
            trace,
            symbols: Symbols::new(trace, answer),
            lines: true,
            colours: false,
            address,
        }
    }
}

impl EventPrinter<'_> {
    /// Where in the block of a record the address is. None if it is not in it.
    fn offset(&self, record: &Record) -> Option<u64> {
        self.address?.checked_sub(record.address())
    }

    /// An event as a line.
    pub fn line(&mut self, event: &Event) -> String {
        let record = &event.record;
        let kind = kind_name(record);
        let (on, off) = match record.kind() {
            _ if !self.colours => ("", ""),
            Some(Kind::Allocate | Kind::ResizeIn) => ("\x1b[32m", "\x1b[0m"),
            Some(Kind::Free | Kind::RemoteFree | Kind::ResizeOut) => ("\x1b[33m", "\x1b[0m"),
            Some(Kind::Fault | Kind::WatchHit) => ("\x1b[1;31m", "\x1b[0m"),
            _ => ("\x1b[1m", "\x1b[0m"),
        };
        let since = Seconds(self.trace.clock().since_start(record.time()));
        let api = record.api().map_or("?", |api| api.name());
        let place = match self.offset(record) {
            None | Some(0) => format!("{:#x}", record.address()),
            Some(offset) if offset >= record.size() && record.size() > 0 => {
                let behind = offset - record.size();
                format!(
                    "{:#x} +{offset} ({behind} behind its end)",
                    record.address()
                )
            }
            Some(offset) => format!("{:#x} +{offset}", record.address()),
        };
        let life = match record.generation() {
            0 => String::new(),
            generation => format!("  life {generation}"),
        };
        let more = more(event).map_or(String::new(), |more| format!("  {more}"));
        let stack = self.stack(record);
        format!(
            "{since}  thread {}  {on}{kind:<12}{off} {api:<14} {:>8} bytes  {place}{life}{more}  {stack}",
            record.thread(),
            record.size(),
        )
    }

    /// The functions that were running, innermost first.
    pub fn stack(&mut self, record: &Record) -> String {
        let (frames, missing) = frames(self.trace, record);
        let mut names: Vec<String> = vec![];
        for (index, frame) in frames.into_iter().enumerate() {
            let functions = match index {
                0 if is_at_instruction(record) => {
                    self.symbols.functions_at_instruction(frame, record.time())
                }
                _ => self.symbols.functions(frame, record.time()),
            };
            names.extend(functions.iter().map(|function| named(function, self.lines)));
        }
        if let Some(missing) = missing {
            names.push(format!("({missing})"));
        }
        names.join(" < ")
    }

    /// An event as JSON.
    pub fn json(&mut self, event: &Event) -> Value {
        let record = &event.record;
        let (frames, missing) = frames(self.trace, record);
        let first = is_at_instruction(record);
        let stack = stack_json(&mut self.symbols, &frames, first, record.time());
        let file = self.trace.files().get(event.file);
        json!({
            "time_ns": self.trace.clock().since_start(record.time()),
            "thread": record.thread(),
            "kind": kind_name(record),
            "api": record.api().map(|api| api.name()),
            "size": record.size(),
            "address": output::address(record.address()),
            "offset": self.offset(record),
            "alignment": 1_u64.checked_shl(record.align_log2() as u32),
            "class": record.class(),
            "generation": record.generation(),
            "value": output::address(record.value()),
            "flags": record.flags().0,
            "caller": output::address(record.caller()),
            "stack": stack,
            "stack_missing": missing.map(|missing| missing.to_string()),
            "payload": String::from_utf8_lossy(&event.payload),
            "file": file.map(|file| file.name().to_string()),
            "seq": record.seq(),
        })
    }
}

/// Whether the first frame of a record is the instruction itself, and not behind a call.
fn is_at_instruction(record: &Record) -> bool {
    matches!(record.kind(), Some(Kind::WatchHit | Kind::Fault))
}

/// Return addresses with their functions, as JSON. The first may be the instruction itself.
pub fn stack_json(
    symbols: &mut Symbols<'_>,
    frames: &[u64],
    is_instruction: bool,
    time: u64,
) -> Value {
    let mut stack = vec![];
    for (index, frame) in frames.iter().enumerate() {
        let functions = match index {
            0 if is_instruction => symbols.functions_at_instruction(*frame, time),
            _ => symbols.functions(*frame, time),
        };
        stack.extend(
            functions
                .iter()
                .map(|function| function_json(*frame, function)),
        );
    }
    Value::from(stack)
}

/// The frames of a stack with their functions, as JSON.
pub fn frames_json(symbols: &mut Symbols<'_>, frames: &[Frame], time: u64) -> Value {
    let mut stack = vec![];
    for frame in frames {
        let functions = symbols.functions_of(frame, time);
        let named = functions
            .iter()
            .map(|function| function_json(frame.pc, function));
        stack.extend(named);
    }
    Value::from(stack)
}

/// A function's name, and where it is wanted file and line.
pub fn named(function: &Function, with_line: bool) -> String {
    let name = Printable(&function.name).to_string();
    match &function.source {
        Some((file, line)) if with_line => {
            format!("{name} ({}:{line})", Printable(&file.to_string_lossy()))
        }
        _ => name,
    }
}

/// The name of a record's kind.
pub fn kind_name(record: &Record) -> String {
    let code = record.kind_code();
    record
        .kind()
        .map_or_else(|| format!("kind-{code}"), |kind| kind.name().to_owned())
}

/// The return addresses of a record. Of one without a stack it is the caller, and why.
pub fn frames(trace: &Trace, record: &Record) -> (Vec<u64>, Option<NoStack>) {
    match trace.stack(record.stack()) {
        Ok(frames) => (frames, None),
        Err(missing) => {
            let caller = Some(record.caller()).filter(|caller| *caller != 0);
            let said = Some(missing).filter(|m| *m != NoStack::NotKept || caller.is_none());
            (caller.into_iter().collect(), said)
        }
    }
}

/// What else there is to say, by kind.
fn more(event: &Event) -> Option<String> {
    let record = &event.record;
    let text = || Printable(&String::from_utf8_lossy(&event.payload)).to_string();
    let number = |bytes: &[u8]| {
        let all = bytes.iter().take(8).rev();
        all.fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    match record.kind()? {
        Kind::ResizeOut => Some(format!("to {:#x}", record.value())),
        Kind::ResizeIn if record.flags().has(Flags::IN_PLACE) => Some("in place".into()),
        Kind::ResizeIn => Some(format!("from {:#x}", record.value())),
        Kind::WatchHit if event.payload.is_empty() => Some(format!("now {:#x}", record.value())),
        Kind::WatchHit => {
            let old = number(&event.payload);
            Some(format!("was {old:#x}, now {:#x}", record.value()))
        }
        Kind::Mark | Kind::Fault if !event.payload.is_empty() => Some(format!("\"{}\"", text())),
        _ => None,
    }
}

/// A function as JSON.
pub fn function_json(frame: u64, function: &Function) -> Value {
    json!({
        "pc": output::address(frame),
        "function": function.name,
        "module": function.module.as_ref().map(|module| module.to_string_lossy()),
        "file": function.source.as_ref().map(|(file, _)| file.to_string_lossy()),
        "line": function.source.as_ref().map(|(_, line)| line),
    })
}

/// Nanoseconds, printed as seconds with a sign.
pub struct Seconds(pub i64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (sign, ns) = (if self.0 < 0 { '-' } else { '+' }, self.0.unsigned_abs());
        let text = format!("{sign}{}.{:09} s", ns / 1_000_000_000, ns % 1_000_000_000);
        write!(f, "{text:>16}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_nine_digits() {
        assert_eq!(Seconds(1_500_000_001).to_string(), "  +1.500000001 s");
        assert_eq!(Seconds(-1).to_string(), "  -0.000000001 s");
        assert_eq!(Seconds(i64::MIN).to_string(), "-9223372036.854775808 s");
    }
}
