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
//! 4. A preset counts for the variables that do not stand there.

use super::preset;
use super::production::PRODUCTION;
use super::variable::{Kind, Range, Variable};
use super::warning::{Fault, Warning};
use super::{Options, Setting};

/// How a value is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Switch,
    Number,
    Word,
    List,
    Fields,
    /// By somebody else.
    Text,
}

impl Form {
    pub(super) const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Switch => Self::Switch,
            Kind::Word(_) => Self::Word,
            Kind::List(_) => Self::List,
            Kind::Fields(_) => Self::Fields,
            Kind::Address | Kind::Text => Self::Text,
            Kind::Count | Kind::Megabytes | Kind::Seconds | Kind::Milliseconds | Kind::Percent => {
                Self::Number
            }
        }
    }
}

/// What parsing needs of a [`Variable`]: all but the words about it. No row has an address
/// in it, so that the dynamic loader has nothing to write into the table.
#[derive(Clone, Copy)]
struct Row {
    /// The name, and how much of the array it is.
    letters: [u8; Row::LONGEST],
    len: usize,
    form: Form,
    range: Option<Range>,
    default: Option<u32>,
    setting: Option<Setting>,
    /// Where its words begin and end in [`WORDS`], and its fields in [`FIELDS`].
    words: (usize, usize),
    fields: (usize, usize),
}

/// The production table without its texts, which this keeps out of the binary.
static ROWS: [Row; PRODUCTION.len()] = {
    let mut rows = [Row::of(&PRODUCTION[0], (0, 0), (0, 0)); PRODUCTION.len()];
    let (mut word, mut field) = (0, 0);
    let mut i = 0;
    while i < rows.len() {
        let variable = &PRODUCTION[i];
        let (words, fields) = (words_len(variable), fields_of(variable).len());
        rows[i] = Row::of(variable, (word, word + words), (field, field + fields));
        word += words;
        field += fields;
        i += 1;
    }
    rows
};

/// The words of all rows, a comma before each.
static WORDS: [u8; sum(false)] = {
    let mut letters = [0; sum(false)];
    let (mut at, mut i) = (0, 0);
    while i < PRODUCTION.len() {
        let mut w = 0;
        while w < words_count(&PRODUCTION[i]) {
            let word = word_of(&PRODUCTION[i], w).as_bytes();
            letters[at] = b',';
            letters
                .split_at_mut(at + 1)
                .1
                .split_at_mut(word.len())
                .0
                .copy_from_slice(word);
            at += 1 + word.len();
            w += 1;
        }
        i += 1;
    }
    letters
};

/// The fields of all rows.
static FIELDS: [(Setting, Range); sum(true)] = {
    let mut all = [(Setting::Profile, Range::SWITCH); sum(true)];
    let (mut at, mut i) = (0, 0);
    while i < PRODUCTION.len() {
        let fields = fields_of(&PRODUCTION[i]);
        let mut f = 0;
        while f < fields.len() {
            all[at] = (fields[f].setting, fields[f].range);
            at += 1;
            f += 1;
        }
        i += 1;
    }
    all
};

/// How many fields, or letters of words, all rows have.
const fn sum(fields: bool) -> usize {
    let (mut sum, mut i) = (0, 0);
    while i < PRODUCTION.len() {
        sum += if fields {
            fields_of(&PRODUCTION[i]).len()
        } else {
            words_len(&PRODUCTION[i])
        };
        i += 1;
    }
    sum
}

const fn fields_of(variable: &Variable) -> &'static [super::Field] {
    match variable.kind {
        Kind::Fields(fields) => fields,
        _ => &[],
    }
}

const fn words_count(variable: &Variable) -> usize {
    match variable.kind {
        Kind::Word(words) | Kind::List(words) => words.len(),
        Kind::Fields(fields) => fields.len(),
        _ => 0,
    }
}

const fn word_of(variable: &Variable, index: usize) -> &'static str {
    match variable.kind {
        Kind::Word(words) | Kind::List(words) => words[index],
        Kind::Fields(fields) => fields[index].name,
        _ => "",
    }
}

/// Letters of a row's words, with a comma for each.
const fn words_len(variable: &Variable) -> usize {
    let (mut len, mut i) = (0, 0);
    while i < words_count(variable) {
        len += 1 + word_of(variable, i).len();
        i += 1;
    }
    len
}

// Which rows have been seen is noted in 64 bits.
const _: () = assert!(PRODUCTION.len() <= 64);

impl Row {
    const LONGEST: usize = 40;

    const fn of(variable: &Variable, words: (usize, usize), fields: (usize, usize)) -> Self {
        let name = variable.name.as_bytes();
        let mut letters = [0; Self::LONGEST];
        letters.split_at_mut(name.len()).0.copy_from_slice(name);
        Self {
            letters,
            len: name.len(),
            form: Form::of(variable.kind),
            range: variable.range,
            default: variable.default,
            setting: variable.setting,
            words,
            fields,
        }
    }

    fn name(&self) -> &[u8] {
        self.letters.get(..self.len).unwrap_or(&[])
    }

    fn words(&self) -> impl Iterator<Item = &'static [u8]> + Clone {
        let words = WORDS.get(self.words.0..self.words.1).unwrap_or(&[]);
        // Nothing stands before the first comma.
        words.split(|&byte| byte == b',').skip(1)
    }
}

/// Every production variable that is a number, and its setting.
pub(super) fn settings() -> impl Iterator<Item = (&'static str, Setting)> {
    ROWS.iter().filter_map(|row| {
        let name = core::str::from_utf8(row.name()).unwrap_or("");
        Some((name, row.setting?))
    })
}

/// The number that `value` stands for, which may be outside the variable's range; else what is
/// wrong, and what is left of it.
pub(super) fn number<'w>(
    form: Form,
    words: impl Iterator<Item = &'w [u8]> + Clone,
    value: &[u8],
) -> Result<u32, (Fault, Option<u32>)> {
    match form {
        Form::Switch => match value {
            b"0" => Ok(0),
            b"1" => Ok(1),
            _ => Err((Fault::NotASwitch, None)),
        },
        Form::Word => match words.clone().position(|word| word == value) {
            Some(place) => Ok(place as u32),
            None => Err((Fault::NotAWord, None)),
        },
        Form::List => list(value, words).map_err(|known| (Fault::NotAList, Some(known))),
        _ => decimal(value).map_err(|fault| (fault, None)),
    }
}

/// The number to use where the variable `name` has this value; `None` where it cannot be used
/// at all. `warn` is called for a value that cannot be used as it is.
pub(super) fn usable<'w>(
    name: &'static [u8],
    value: &[u8],
    (form, words): (Form, impl Iterator<Item = &'w [u8]> + Clone),
    (range, default): (Option<Range>, Option<u32>),
    warn: &mut dyn FnMut(&Warning),
) -> Option<u32> {
    match (number(form, words, value), range) {
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
        (Err((fault, rest)), _) => {
            warn(&Warning::new(name, value, fault, default));
            rest
        }
    }
}

/// What an environment says: the options, and for each row of [`PRODUCTION`] by a bit whether it
/// stands there, and whether the preset sets it.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    pub(super) options: Options,
    pub(super) set: u64,
    pub(super) preset: u64,
    /// An arena's largest reservation was below its first one.
    pub(super) arena_is_raised: bool,
}

/// Reads the strings `NAME=value` of an environment; `warn` is called for each
/// value that cannot be used as it is.
pub(super) fn read<'a>(
    environ: impl Iterator<Item = &'a [u8]>,
    warn: &mut dyn FnMut(&Warning),
) -> Reading {
    let mut reading = Reading {
        options: Options::DEFAULT,
        set: 0,
        preset: 0,
        arena_is_raised: false,
    };
    for entry in environ {
        if entry.starts_with(b"HAKMEM_") {
            assign(&mut reading, entry, warn);
        }
    }
    apply_preset(&mut reading);
    reading.arena_is_raised = reading.options.settle();
    reading
}

/// Stores what one string of the environment says.
#[inline(never)]
fn assign(reading: &mut Reading, entry: &[u8], warn: &mut dyn FnMut(&Warning)) {
    let mut halves = entry.splitn(2, |&byte| byte == b'=');
    let (Some(name), Some(value)) = (halves.next(), halves.next()) else {
        return;
    };
    let Some((i, row)) = ROWS.iter().enumerate().find(|(_, row)| row.name() == name) else {
        return;
    };
    let bit = 1u64 << (i & 63);
    if reading.set & bit != 0 {
        return;
    }
    reading.set |= bit;
    match (row.form, row.setting) {
        (Form::Fields, _) => assign_fields(&mut reading.options, row, value, warn),
        (form, Some(setting)) => {
            let limits = (row.range, row.default);
            if let Some(number) = usable(row.name(), value, (form, row.words()), limits, warn) {
                reading.options.set(setting, number);
            }
        }
        _ => {}
    }
}

/// Stores what a value of the form `name=number,name=number` says.
fn assign_fields(
    options: &mut Options,
    row: &'static Row,
    value: &[u8],
    warn: &mut dyn FnMut(&Warning),
) {
    for word in value.split(|&byte| byte == b',') {
        match field(row.words(), word) {
            Ok((place, number)) => {
                if let Some(&(setting, range)) = FIELDS.get(row.fields.0 + place) {
                    let nearest = range.nearest(number);
                    if nearest != number {
                        let fault = Fault::Outside(range);
                        warn(&Warning::new(row.name(), word, fault, Some(nearest)));
                    }
                    options.set(setting, nearest);
                }
            }
            Err(fault) => warn(&Warning::new(row.name(), word, fault, None)),
        }
    }
}

/// Which of the fields `words` a text `name=number` is, and the number.
pub(super) fn field<'w>(
    mut words: impl Iterator<Item = &'w [u8]>,
    text: &[u8],
) -> Result<(usize, u32), Fault> {
    let mut halves = text.splitn(2, |&byte| byte == b'=');
    let (Some(name), Some(number)) = (halves.next(), halves.next()) else {
        return Err(Fault::NotAField);
    };
    let place = words
        .position(|word| word == name)
        .ok_or(Fault::NotAField)?;
    Ok((place, decimal(number)?))
}

/// Sets what the preset says of variables that do not stand in the environment.
fn apply_preset(reading: &mut Reading) {
    let preset = reading.options.profile.map(|place| place as usize);
    let Some(settings) = preset.and_then(|place| preset::SETTINGS.get(place)) else {
        return;
    };
    for &(setting, value) in settings.iter().flatten() {
        let row = ROWS.iter().position(|row| row.setting == Some(setting));
        let bit = 1u64 << (row.unwrap_or(0) & 63);
        if reading.set & bit == 0 {
            reading.options.set(setting, value);
            reading.preset |= bit;
        }
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

/// 0, or bit 0 for 1, or a bit for each of the `areas` that stand there with commas between. An
/// error has those that are known.
pub(super) fn list<'w>(
    value: &[u8],
    areas: impl Iterator<Item = &'w [u8]> + Clone,
) -> Result<u32, u32> {
    if value == b"0" {
        return Ok(0);
    }
    let (mut bits, mut all_known) = (0, true);
    for word in value.split(|&byte| byte == b',') {
        match areas.clone().position(|area| area == word) {
            _ if word == b"1" => bits |= 1,
            Some(place) => bits |= 2u32.wrapping_shl(place as u32),
            None => all_known = false,
        }
    }
    if all_known { Ok(bits) } else { Err(bits) }
}
