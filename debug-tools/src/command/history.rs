//! `hakmem history`: what happened to an address, from a trace.
//!
//! ```text
//! Trace::history ── the records of every block that the address was in
//! Symbols        ── names for their return addresses
//! line, json     ── one line an event on standard output
//! ```
//!
//! Where nothing is known of the address, standard error has the nearest blocks, and the exit status
//! is 1.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hakmem_trace_format::reader::{Event, NoStack, Trace};
use hakmem_trace_format::{Flags, Kind, Record};
use serde_json::{Value, json};

use crate::failure::{Failure, Status, say};
use crate::printable::Printable;
use crate::symbols::{Function, Symbols};

/// The most notes about a trace's files that are said.
const NOTES: usize = 10;

/// Tell what happened to an address
///
/// Looks through a trace for every block that the address was ever in, and prints one line for each
/// event: the time since the start, the thread, what happened and through which function, the size
/// in bytes, the block's address and where in it the address is, which life of the place it is, and
/// the functions that were running, innermost first.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem history trace/ 0x7f12a4001040
  hakmem history --lines --thread 4711 trace/ 0x7f12a4001040
  hakmem history --json trace/ 139718112546880 | jq .kind

With --json each line is an object.

Exit status: 0 if something happened to the address, 1 if nothing is known of it, 2 if the trace
cannot be read or the command line is wrong.")]
pub struct History {
    /// The session directory, where the file `session` is
    #[arg(value_name = "DIR")]
    directory: PathBuf,

    /// The address: hexadecimal with 0x in front, or decimal
    #[arg(value_name = "ADDR", value_parser = parse_address)]
    address: u64,

    /// Print an object for each event, one a line
    #[arg(long)]
    json: bool,

    /// Print the events of this thread alone (the kernel's number of it)
    #[arg(long, value_name = "THREAD")]
    thread: Option<u32>,

    /// Print return addresses in place of functions' names
    #[arg(long)]
    no_symbols: bool,

    /// Print file and line behind each function's name
    #[arg(long)]
    lines: bool,
}

/// An address as people write it.
fn parse_address(text: &str) -> Result<u64, String> {
    let (digits, radix) = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    // from_str_radix would take a sign.
    let plain = digits.bytes().all(|b| b.is_ascii_hexdigit());
    let number = plain.then(|| u64::from_str_radix(digits, radix).ok());
    number.flatten().ok_or_else(|| {
        let hexadecimal = radix == 10 && plain && !digits.is_empty();
        if hexadecimal && digits.bytes().any(|b| b.is_ascii_alphabetic()) {
            format!("write hexadecimal with 0x in front: 0x{digits}")
        } else {
            "write it as 0x7f12a4001040, or as a decimal number below 2^64".into()
        }
    })
}

impl History {
    /// Prints the events.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let trace = Trace::open(&self.directory).map_err(|error| {
            Failure::new(Status::Usage, error.what, error.why, error.next).at(&error.place)
        })?;
        for note in trace.notes().iter().take(NOTES) {
            say(format_args!(
                "hakmem: note: {}",
                Printable(&note.to_string())
            ));
        }
        if let Some(more) = trace
            .notes()
            .len()
            .checked_sub(NOTES)
            .filter(|more| *more > 0)
        {
            say(format_args!("hakmem: note: {more} more of these"));
        }
        if !trace.clock().is_calibrated() {
            say(format_args!(
                "hakmem: note: the trace does not say how long a tick is; times are ticks"
            ));
        }
        let history = trace.history(self.address);
        if history.torn > 0 {
            say(format_args!(
                "hakmem: note: {} records that may be about it are torn and left out",
                history.torn
            ));
        }
        let of_thread = |event: &&Event| self.thread.is_none_or(|t| event.record.thread() == t);
        let events: Vec<&Event> = history.events.iter().filter(of_thread).collect();
        if events.is_empty() {
            self.say_unknown(&trace, history.events.len());
            return Ok(ExitCode::from(1));
        }
        match self.print(&trace, &events) {
            // Who read the output has enough of it.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            Err(error) => Err(Failure::new(
                Status::Usage,
                "cannot write the events",
                error.to_string(),
                "look at where standard output goes",
            )),
            Ok(()) => Ok(ExitCode::SUCCESS),
        }
    }

    fn print(&self, trace: &Trace, events: &[&Event]) -> io::Result<()> {
        let stdout = io::stdout();
        let colours = stdout.is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|value| value != "dumb");
        let mut symbols = Symbols::new(trace, !self.no_symbols);
        let mut output = BufWriter::new(stdout.lock());
        for event in events {
            let text = if self.json {
                self.json(trace, &mut symbols, event).to_string()
            } else {
                self.line(trace, &mut symbols, event, colours)
            };
            writeln!(output, "{text}")?;
        }
        output.flush()
    }

    /// Where in the block of a record the address is. None if it is not in it.
    fn offset(&self, record: &Record) -> Option<u64> {
        self.address.checked_sub(record.address())
    }

    fn line(&self, trace: &Trace, symbols: &mut Symbols, event: &Event, colours: bool) -> String {
        let record = &event.record;
        let kind = kind_name(record);
        let (on, off) = match record.kind() {
            _ if !colours => ("", ""),
            Some(Kind::Allocate | Kind::ResizeIn) => ("\x1b[32m", "\x1b[0m"),
            Some(Kind::Free | Kind::RemoteFree | Kind::ResizeOut) => ("\x1b[33m", "\x1b[0m"),
            Some(Kind::Fault | Kind::WatchHit) => ("\x1b[1;31m", "\x1b[0m"),
            _ => ("\x1b[1m", "\x1b[0m"),
        };
        let since = Seconds(trace.clock().since_start(record.time()));
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
        let stack = self.stack(trace, symbols, record);
        format!(
            "{since}  thread {}  {on}{kind:<12}{off} {api:<14} {:>8} bytes  {place}{life}{more}  {stack}",
            record.thread(),
            record.size(),
        )
    }

    /// The functions that were running.
    fn stack(&self, trace: &Trace, symbols: &mut Symbols, record: &Record) -> String {
        let (frames, missing) = frames(trace, record);
        let mut names: Vec<String> = vec![];
        for frame in frames {
            let functions = symbols.functions(frame, record.time());
            names.extend(functions.iter().map(|function| self.function(function)));
        }
        if let Some(missing) = missing {
            names.push(format!("({missing})"));
        }
        names.join(" < ")
    }

    fn function(&self, function: &Function) -> String {
        let name = Printable(&function.name).to_string();
        match &function.source {
            Some((file, line)) if self.lines => {
                format!("{name} ({}:{line})", Printable(&file.to_string_lossy()))
            }
            _ => name,
        }
    }

    fn json(&self, trace: &Trace, symbols: &mut Symbols, event: &Event) -> Value {
        let record = &event.record;
        let (frames, missing) = frames(trace, record);
        let stack: Vec<Value> = frames
            .iter()
            .flat_map(|frame| {
                let functions = symbols.functions(*frame, record.time());
                functions
                    .iter()
                    .map(|f| function_json(*frame, f))
                    .collect::<Vec<_>>()
            })
            .collect();
        let address = |address: u64| Value::from(format!("{address:#x}"));
        let file = trace.files().get(event.file);
        json!({
            "time_ns": trace.clock().since_start(record.time()),
            "thread": record.thread(),
            "kind": kind_name(record),
            "api": record.api().map(|api| api.name()),
            "size": record.size(),
            "address": address(record.address()),
            "offset": self.offset(record),
            "alignment": 1_u64.checked_shl(record.align_log2() as u32),
            "class": record.class(),
            "generation": record.generation(),
            "value": address(record.value()),
            "flags": record.flags().0,
            "caller": address(record.caller()),
            "stack": stack,
            "stack_missing": missing.map(|missing| missing.to_string()),
            "payload": String::from_utf8_lossy(&event.payload),
            "file": file.map(|file| file.name().to_string()),
            "seq": record.seq(),
        })
    }

    /// Says that there is nothing, and what is near.
    fn say_unknown(&self, trace: &Trace, of_others: usize) {
        let address = self.address;
        if let (Some(thread), 1..) = (self.thread, of_others) {
            say(format_args!(
                "hakmem: thread {thread} did nothing to {address:#x}, but other threads did: \
                 {of_others} events\n  next:  leave out --thread"
            ));
            return;
        }
        say(format_args!("hakmem: nothing is known of {address:#x}"));
        let nearest = trace.nearest(address);
        let mut known = false;
        for (event, side) in [(nearest.below, "below"), (nearest.above, "above")] {
            let Some(Event { record, .. }) = event else {
                continue;
            };
            known = true;
            let since = Seconds(trace.clock().since_start(record.time()));
            say(format_args!(
                "  nearest {side}: {:#x}, {} bytes, {} bytes away; {} by thread {} at {}",
                record.address(),
                record.size(),
                record.address().abs_diff(address),
                kind_name(&record),
                record.thread(),
                since.to_string().trim_start(),
            ));
        }
        let next = if known {
            "try one of these addresses"
        } else {
            "the trace has no blocks: look whether the program ran on the observed library"
        };
        say(format_args!("  next:  {next}"));
    }
}

fn kind_name(record: &Record) -> String {
    let code = record.kind_code();
    record
        .kind()
        .map_or_else(|| format!("kind-{code}"), |kind| kind.name().to_owned())
}

/// The return addresses of a record. Of one without a stack it is the caller, and why.
fn frames(trace: &Trace, record: &Record) -> (Vec<u64>, Option<NoStack>) {
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

fn function_json(frame: u64, function: &Function) -> Value {
    json!({
        "pc": format!("{frame:#x}"),
        "function": function.name,
        "module": function.module.as_ref().map(|module| module.to_string_lossy()),
        "file": function.source.as_ref().map(|(file, _)| file.to_string_lossy()),
        "line": function.source.as_ref().map(|(_, line)| line),
    })
}

/// Nanoseconds, printed as seconds with a sign.
struct Seconds(i64);

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
    fn addresses_are_read() {
        assert_eq!(parse_address("0x10"), Ok(16));
        assert_eq!(parse_address("0XfF"), Ok(255));
        assert_eq!(parse_address("10"), Ok(10));
        for wrong in [
            "",
            "0x",
            "-1",
            "+1",
            "x",
            "0x+1",
            "0x10000000000000000",
            "1 ",
        ] {
            assert!(parse_address(wrong).is_err(), "{wrong}");
        }
        let said = parse_address("7f12").unwrap_err();
        assert!(said.contains("0x7f12"), "{said}");
    }

    #[test]
    fn seconds_have_nine_digits() {
        assert_eq!(Seconds(1_500_000_001).to_string(), "  +1.500000001 s");
        assert_eq!(Seconds(-1).to_string(), "  -0.000000001 s");
        assert_eq!(Seconds(i64::MIN).to_string(), "-9223372036.854775808 s");
    }
}
