//! Standard output, for the answer: buffered, and no failure where who reads it has had enough.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use comfy_table::{CellAlignment, Table, presets};
use serde_json::Value;

use crate::failure::{Failure, Status};

/// Where the answer goes.
pub struct Output {
    out: BufWriter<StdoutLock<'static>>,
    is_closed: bool,
}

impl Output {
    /// Standard output.
    pub fn new() -> Self {
        Self {
            out: BufWriter::new(io::stdout().lock()),
            is_closed: false,
        }
    }

    /// Whether colours may be used.
    pub fn has_colours() -> bool {
        io::stdout().is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|value| value != "dumb")
    }

    /// Writes a line.
    pub fn line(&mut self, line: impl std::fmt::Display) -> Result<(), Failure> {
        let written = writeln!(self.out, "{line}");
        self.judge(written)
    }

    /// Writes a value on a line of its own.
    pub fn json(&mut self, value: &Value) -> Result<(), Failure> {
        self.line(value)
    }

    /// Writes what has been collected. To be called at the end.
    pub fn end(mut self) -> Result<(), Failure> {
        self.flush()
    }

    /// Writes what has been collected so far.
    pub fn flush(&mut self) -> Result<(), Failure> {
        let written = self.out.flush();
        self.judge(written)
    }

    /// Whether nobody reads it any more.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    fn judge(&mut self, written: io::Result<()>) -> Result<(), Failure> {
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            Err(error) => Err(Failure::new(
                Status::Usage,
                "cannot write the answer",
                error.to_string(),
                "look at where standard output goes",
            )),
            Ok(()) => Ok(()),
        }
    }
}

/// A table without lines, whose columns have these heads; those that begin with `>` go to the right.
pub fn table(heads: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(heads.iter().map(|head| head.trim_start_matches('>')));
    for (index, head) in heads.iter().enumerate() {
        if let Some(column) = table.column_mut(index) {
            column.set_padding((0, 2));
            if head.starts_with('>') {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table
}

/// The lines of a table, without blanks at their ends.
pub fn lines(table: &Table) -> Vec<String> {
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// Bytes as people read them.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}

/// So many of something: `1 block`, `2 blocks`.
pub fn count(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// An address in JSON: text, as numbers of that size lose digits in many readers.
pub fn address(address: u64) -> Value {
    Value::from(format!("{address:#x}"))
}
