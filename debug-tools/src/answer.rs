//! How an answer is wanted: the arguments that commands share.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use hakmem_trace_format::reader::{Clock, Trace};

/// How it is printed.
#[derive(Args, Clone, Debug, Default)]
pub struct Answer {
    /// Print JSON: an object, or one a line
    #[arg(long)]
    pub json: bool,

    /// Whether return addresses become functions' names, with file and line
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub symbols: When,

    /// Where separate debug information is, in place of /usr/lib/debug; may be given again
    #[arg(long, value_name = "DIR")]
    pub debug_dir: Vec<PathBuf>,
}

/// Whether something is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// Where it can be.
    #[default]
    Auto,
    /// Never.
    Off,
}

/// Which events count.
#[derive(Args, Clone, Debug, Default)]
pub struct Choice {
    /// Only what happened since then: 1.5s or 200ms after the start, -2s before the end
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = parse_moment)]
    pub since: Option<Moment>,

    /// Only this thread, by the kernel's number of it
    #[arg(long, value_name = "THREAD")]
    pub thread: Option<u32>,
}

/// The trace that belongs to a core file or process.
#[derive(Args, Clone, Debug, Default)]
pub struct Beside {
    /// The trace of a core file or process [default: found by its session's number, in the core
    /// file or beside it]
    #[arg(long, value_name = "DIR")]
    pub trace: Option<PathBuf>,
}

/// A point in time of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So many nanoseconds after the start.
    AfterStart(i64),
    /// So many nanoseconds before the last event.
    BeforeEnd(i64),
}

impl Moment {
    /// It in nanoseconds after the start.
    pub fn since_start(self, trace: &Trace) -> i64 {
        match self {
            Self::AfterStart(ns) => ns,
            Self::BeforeEnd(ns) => {
                let clock: &Clock = trace.clock();
                let last = trace
                    .surveys()
                    .into_iter()
                    .map(|(_, survey)| survey.last_time)
                    .max();
                clock.since_start(last.unwrap_or(0)).saturating_sub(ns)
            }
        }
    }
}

/// A duration as people write it.
pub fn parse_moment(text: &str) -> Result<Moment, String> {
    let (is_back, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let units = [
        ("ns", 1.0),
        ("us", 1e3),
        ("ms", 1e6),
        ("s", 1e9),
        ("m", 60e9),
        ("h", 3600e9),
    ];
    let unit = units
        .iter()
        .find_map(|(unit, ns)| Some((rest.strip_suffix(unit)?, *ns)));
    let (number, ns) = unit.unwrap_or((rest, 1e9));
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let value = if is_number {
        number.parse::<f64>().ok()
    } else {
        None
    };
    match value.map(|value| value * ns).filter(|ns| *ns < 9e18) {
        Some(ns) if is_back => Ok(Moment::BeforeEnd(ns as i64)),
        Some(ns) => Ok(Moment::AfterStart(ns as i64)),
        None => Err("write it as 1.5s or 200ms after the start, or -2s before the end".into()),
    }
}

/// An address as people write it.
pub fn parse_address(text: &str) -> Result<u64, String> {
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

/// What a command ends with: 3 if something of the source is missing, else 1 if it found something
/// wrong, else 0.
pub fn status(has_findings: bool, is_truncated: bool) -> ExitCode {
    match (is_truncated, has_findings) {
        (true, _) => ExitCode::from(3),
        (false, true) => ExitCode::from(1),
        (false, false) => ExitCode::SUCCESS,
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
    fn moments_are_read() {
        assert_eq!(parse_moment("1.5s"), Ok(Moment::AfterStart(1_500_000_000)));
        assert_eq!(parse_moment("2"), Ok(Moment::AfterStart(2_000_000_000)));
        assert_eq!(parse_moment("-200ms"), Ok(Moment::BeforeEnd(200_000_000)));
        for wrong in ["", "s", "--1", "1x", "1e3s", "inf", "99999999999h"] {
            assert!(parse_moment(wrong).is_err(), "{wrong}");
        }
    }
}
