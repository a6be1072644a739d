//! From the environment's bytes to [`Options`].
//!
//! This runs inside the first allocation of a process. Nothing here allocates,
//! panics or formats; what is wrong with a value is handed to the caller as a
//! [`Warning`].
//!
//! 1. Of a name that stands there twice the first counts, as for `getenv`, also
//!    where its value is refused.
//! 2. What is stored is inside the variable's range, whatever the environment says.
//! 3. A name that is not in the table is left alone.

use super::Options;
use super::setting::Setting;
use super::table::PRODUCTION;
use super::variable::{Kind, Range, Variable};
use super::warning::{Fault, Warning};

/// What parsing needs of a [`Variable`]: all but the words about it. No row has an address
/// in it, so that the dynamic loader has nothing to write into the table.
#[derive(Clone, Copy)]
struct Row {
    /// The name, and how much of the array it is.
    letters: [u8; Row::LONGEST],
    len: usize,
    kind: Kind,
    range: Option<Range>,
    default: Option<u32>,
    setting: Setting,
}

/// The production table without its texts, which this keeps out of the binary.
static ROWS: [Row; PRODUCTION.len()] = {
    let mut rows = [Row::of(&PRODUCTION[0]); PRODUCTION.len()];
    let mut i = 0;
    while i < rows.len() {
        rows[i] = Row::of(&PRODUCTION[i]);
        i += 1;
    }
    rows
};

/// Every production variable's name and setting.
pub(super) fn settings() -> impl Iterator<Item = (&'static str, Setting)> {
    ROWS.iter()
        .map(|row| (core::str::from_utf8(row.name()).unwrap_or(""), row.setting))
}

// Which rows have been seen is noted in 64 bits.
const _: () = assert!(PRODUCTION.len() <= 64);

impl Row {
    const LONGEST: usize = 40;

    const fn of(variable: &Variable) -> Self {
        let name = variable.name.as_bytes();
        let mut letters = [0; Self::LONGEST];
        letters.split_at_mut(name.len()).0.copy_from_slice(name);
        Self {
            letters,
            len: name.len(),
            kind: variable.kind,
            range: variable.range,
            default: variable.default,
            setting: match variable.setting {
                Some(setting) => setting,
                None => panic!("a production variable without a setting"),
            },
        }
    }

    fn name(&self) -> &[u8] {
        self.letters.get(..self.len).unwrap_or(&[])
    }
}

/// The number that `value` stands for, which may be outside the variable's range.
fn number(kind: Kind, value: &[u8]) -> Result<u32, Fault> {
    match kind {
        Kind::Switch => match value {
            b"0" => Ok(0),
            b"1" => Ok(1),
            _ => Err(Fault::NotASwitch),
        },
        Kind::List(areas) => list(value, areas),
        _ => decimal(value),
    }
}

/// The number to use where the variable `name` has this value; `None` where it cannot be used
/// at all. `warn` is called for a value that cannot be used as it is.
pub(super) fn usable(
    name: &'static [u8],
    value: &[u8],
    (kind, range, default): (Kind, Option<Range>, Option<u32>),
    warn: &mut dyn FnMut(&Warning),
) -> Option<u32> {
    match (number(kind, value), range) {
        (Ok(number), Some(range)) if !range.contains(number) => {
            let nearest = range.nearest(number);
            warn(&Warning::new(
                name,
                value,
                Fault::Outside(range),
                Some(nearest),
            ));
            Some(nearest)
        }
        (Ok(number), _) => Some(number),
        (Err(fault), _) => {
            warn(&Warning::new(name, value, fault, default));
            None
        }
    }
}

/// Reads the strings `NAME=value` of an environment; `warn` is called for each
/// value that cannot be used as it is.
pub(super) fn read<'a>(
    environ: impl Iterator<Item = &'a [u8]>,
    warn: &mut dyn FnMut(&Warning),
) -> Options {
    let mut options = Options::DEFAULT;
    let mut seen = 0u64;
    for entry in environ {
        if entry.starts_with(b"HAKMEM_") {
            assign(&mut options, &mut seen, entry, warn);
        }
    }
    options.settle();
    options
}

/// Stores what one string of the environment says.
#[inline(never)]
fn assign(options: &mut Options, seen: &mut u64, entry: &[u8], warn: &mut dyn FnMut(&Warning)) {
    let mut halves = entry.splitn(2, |&byte| byte == b'=');
    let (Some(name), Some(value)) = (halves.next(), halves.next()) else {
        return;
    };
    let Some((i, row)) = ROWS.iter().enumerate().find(|(_, row)| row.name() == name) else {
        return;
    };
    let bit = 1u64 << (i & 63);
    if *seen & bit != 0 {
        return;
    }
    *seen |= bit;

    let what = (row.kind, row.range, row.default);
    if let Some(number) = usable(row.name(), value, what, warn) {
        options.set(row.setting, number);
    }
}

/// A number of decimal digits alone.
pub(super) fn decimal(value: &[u8]) -> Result<u32, Fault> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Fault::NotANumber);
    }
    value
        .iter()
        .try_fold(0u32, |number, digit| {
            number.checked_mul(10)?.checked_add(u32::from(digit & 15))
        })
        .ok_or(Fault::TooLarge)
}

/// 0 or 1, or 1 for a list of `areas` with commas between.
pub(super) fn list(value: &[u8], areas: &[&str]) -> Result<u32, Fault> {
    let known = |word: &[u8]| areas.iter().any(|area| area.as_bytes() == word);
    match value {
        b"0" => Ok(0),
        b"1" => Ok(1),
        _ if value.split(|&byte| byte == b',').all(known) => Ok(1),
        _ => Err(Fault::NotAList),
    }
}
