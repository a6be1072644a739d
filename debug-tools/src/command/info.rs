//! `hakmem info`: what a source is: whose, of which version, how complete.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hakmem_trace_format::reader::{Survey, Trace};
use hakmem_trace_format::{End, Total};
use serde_json::Value;

use super::joined;
use crate::answer::{self, Answer, Beside};
use crate::event::Seconds;
use crate::failure::{Failure, say};
use crate::heap::Heap;
use crate::image::Image;
use crate::output::{self, Output};
use crate::printable::Printable;
use crate::signals;
use crate::source::Source;

/// Tell what a trace, core file or process is
///
/// Versions, program and arguments, threads, how many events are kept, overwritten, lost or torn, why it
/// ended; of a core file or process whether there is a heap in it, and which trace belongs to it.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem info trace/
  hakmem info core

Exit status: 0, or 2 if the source cannot be read or the command line is wrong, or 3 if a part of the \
source is missing and the rest was used.")]
pub struct Info {
    /// A trace directory, a core file, or pid:N
    #[arg(value_name = "SOURCE")]
    source: PathBuf,

    #[command(flatten)]
    answer: Answer,

    #[command(flatten)]
    beside: Beside,
}

/// Names and values, in order.
type Facts = Vec<(&'static str, Value)>;

impl Info {
    /// Prints it.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let source = Source::open(&self.source)?;
        let mut facts = vec![];
        match &source {
            Source::Trace(trace) => of_trace(trace, &mut facts),
            Source::Image(image) => self.of_image(image, &mut facts)?,
        }
        let mut output = Output::new();
        if self.answer.json {
            let object: serde_json::Map<String, Value> = facts
                .into_iter()
                .map(|(name, value)| (name.replace(' ', "_"), value))
                .collect();
            output.json(&object.into())?;
        } else {
            for (name, value) in facts {
                let text = match &value {
                    Value::String(text) => Printable(text).to_string(),
                    Value::Null => "not known".into(),
                    Value::Array(list) => list
                        .iter()
                        .map(|item| item.as_str().map_or(item.to_string(), str::to_owned))
                        .collect::<Vec<_>>()
                        .join(" "),
                    value => value.to_string(),
                };
                output.line(format_args!("{name:<18} {text}"))?;
            }
        }
        output.end()?;
        Ok(answer::status(false, source.is_truncated()))
    }

    fn of_image(&self, image: &Image, facts: &mut Facts) -> Result<(), Failure> {
        let kind = if image.is_process {
            "process"
        } else {
            "core file"
        };
        facts.push(("source", kind.into()));
        facts.push((
            "program",
            image.exe.as_ref().map(|exe| exe.to_string_lossy()).into(),
        ));
        facts.push(("command line", image.command_line.clone().into()));
        facts.push(("process", image.pid.into()));
        facts.push(("threads", image.threads.len().into()));
        facts.push(("segments", image.memory.segments().len().into()));
        if let Some(signal) = image.signal {
            facts.push((
                "ended by",
                signals::describe(signal.number, signal.code, Some(signal.address)).into(),
            ));
        }
        let heap = match Heap::open(image) {
            Ok(heap) => heap,
            Err(failure) => {
                say(format_args!("{failure}"));
                facts.push(("heap", "none".into()));
                return Ok(());
            }
        };
        self.of_heap(image, &heap, facts)
    }

    fn of_heap(&self, image: &Image, heap: &Heap<'_>, facts: &mut Facts) -> Result<(), Failure> {
        facts.push(("hakmem version", heap.root.version().into()));
        let build = if heap.layout.session.is_some() {
            "observed, records"
        } else {
            "release, or records nothing"
        };
        facts.push(("build", build.into()));
        facts.push(("root structure", output::address(heap.root.address)));
        facts.push(("superslabs", heap.superslabs.len().into()));
        facts.push(("slabs", heap.slabs.len().into()));
        facts.push(("caches", heap.caches.len().into()));
        let options: Vec<Value> = heap
            .root
            .named()
            .filter(|(name, _)| name.starts_with("HAKMEM_"))
            .map(|(name, value)| format!("{name}={value}").into())
            .collect();
        let trace = joined::with_image(image, Some(heap), &self.beside)?;
        facts.push((
            "trace",
            trace
                .as_ref()
                .map(|trace| trace.directory().to_string_lossy().into_owned())
                .into(),
        ));
        if let Some(trace) = &trace {
            facts.push(("session", trace.session().id().into()));
        }
        facts.push(("options", options.into()));
        Ok(())
    }
}

fn of_trace(trace: &Trace, facts: &mut Facts) {
    let session = trace.session();
    let header = session.header();
    let text = |os: &std::ffi::OsStr| os.to_string_lossy().into_owned();
    facts.push(("source", "trace".into()));
    facts.push(("program", text(session.exe().as_os_str()).into()));
    let arguments: Vec<String> = session
        .arguments()
        .iter()
        .map(|argument| text(argument))
        .collect();
    facts.push(("command line", arguments.join(" ").into()));
    facts.push(("process", header.pid.into()));
    facts.push(("session", session.id().into()));
    if header.parent_session != [0; 2] {
        let [low, high] = header.parent_session;
        facts.push((
            "forked from",
            format!(
                "session {high:016x}{low:016x} of process {}",
                header.parent_pid
            )
            .into(),
        ));
    }
    facts.push((
        "format",
        format!("{}.{}", header.major, header.minor).into(),
    ));
    facts.push(("hakmem version", session.hakmem_version().into()));
    facts.push(("features", session.features().into()));
    facts.push(("mode", session.mode().map(|mode| mode.name()).into()));
    facts.push((
        "stacks",
        session.stacks_mode().map(|mode| mode.name()).into(),
    ));
    facts.push((
        "clock",
        session.clock_kind().map(|clock| clock.name()).into(),
    ));
    facts.push(("started", date(header.start_realtime).into()));
    facts.push(("ended", end(trace).into()));
    of_records(trace, facts);
}

/// What it has of events.
fn of_records(trace: &Trace, facts: &mut Facts) {
    let totals = &trace.session().header().totals;
    let mut sum = Survey::default();
    let (mut overwritten, mut rings) = (0, 0);
    for (_, survey) in trace.surveys() {
        rings += 1;
        sum.whole += survey.whole;
        sum.unfinished += survey.unfinished;
        sum.torn += survey.torn;
        sum.last_time = sum.last_time.max(survey.last_time);
        overwritten += survey.overwritten();
    }
    facts.push((
        "last event",
        Seconds(trace.clock().since_start(sum.last_time))
            .to_string()
            .trim()
            .into(),
    ));
    facts.push(("threads", totals[Total::Threads as usize].into()));
    facts.push(("files of records", rings.into()));
    facts.push(("events kept", sum.whole.into()));
    facts.push(("overwritten", overwritten.into()));
    facts.push(("lost", totals[Total::Lost as usize].into()));
    facts.push(("unfinished", sum.unfinished.into()));
    facts.push(("torn", sum.torn.into()));
    facts.push(("faults", totals[Total::Faults as usize].into()));
    facts.push(("files mapped", trace.modules().len().into()));
}

/// Why it ended, in words.
pub fn end(trace: &Trace) -> String {
    let header = trace.session().header();
    match trace.session().end() {
        Some((End::Running, _)) if trace.crash().is_some_and(|page| page.signal != 0) => {
            let page = trace
                .crash()
                .map(|page| (page.signal, page.code, page.fault_address));
            let (signal, code, address) = page.unwrap_or_default();
            format!("by {}", signals::describe(signal, code, Some(address)))
        }
        Some((End::Running, _)) if trace.crash().is_some() => "hakmem found a fault".into(),
        Some((End::Running, _)) if runs(header.pid, &header.boot_id) => "no: it still runs".into(),
        Some((End::Running, _)) => {
            "it was killed, or ran another program in its place, or the system failed".into()
        }
        Some((End::Exited, status)) => format!("it exited with status {status}"),
        Some((End::Signalled, signal)) => format!("by {}", signals::name(signal)),
        Some((End::Replaced, _)) => "another program took its place".into(),
        Some((End::Forked, child)) => {
            format!("it forked: process {child} has a session of its own")
        }
        _ => format!("in a way that this version does not know ({})", header.end),
    }
}

/// Whether a process of this system still runs.
pub fn runs(pid: u32, boot_id: &[u8; 16]) -> bool {
    let here = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = here.chars().filter(char::is_ascii_hexdigit).collect();
    let of_trace: String = boot_id.iter().map(|byte| format!("{byte:02x}")).collect();
    digits == of_trace && std::path::Path::new(&format!("/proc/{pid}")).exists()
}

/// A date from ns since 1970, in UTC.
fn date(ns: u64) -> String {
    let seconds = ns / 1_000_000_000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March: then the leap day is the last one.
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right() {
        assert_eq!(date(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(date(951_782_400_000_000_000), "2000-02-29 00:00:00 UTC");
        assert_eq!(date(1_795_651_199_000_000_000), "2026-11-25 23:59:59 UTC");
    }
}
