//! The validator: what is wrong with an environment, and what is right.
//!
//! It reads any bytes, and neither allocates nor panics. Nothing of it is in a production
//! library: programs that check a configuration call it.

use super::contradiction::{self, Contradiction};
use super::misread::{Malformed, misread};
use super::nearest::{nearest, nearest_of};
use super::older::{OLDER, Older};
use super::parse::{self, Form};
use super::resolve::value_of;
use super::variable::{Builds, Field, Kind, Range, Variable};
use super::warning::Fault;
use super::{DEBUG, PRODUCTION};

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is as it should be.
    Ok,
    /// It has an effect, but hardly the one that was meant, or none.
    Warning,
    /// It is not honoured.
    Error,
}

/// One thing to say about an environment.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Finding<'a> {
    /// A variable with a value that counts as it is.
    Fine {
        /// The variable.
        variable: &'static Variable,
        /// Its value.
        value: &'a [u8],
    },
    /// A name that begins with `HAKMEM_` and that nobody reads.
    Unknown {
        /// The name.
        name: &'a [u8],
        /// What it was most likely meant to be.
        nearest: Option<&'static str>,
    },
    /// A value that is none of its variable's, so that it does not count.
    Malformed {
        /// The variable.
        variable: &'static Variable,
        /// Its value, or the part that is malformed.
        value: &'a [u8],
        /// The word that it was most likely meant to be.
        nearest: Option<&'static str>,
    },
    /// A text that is not understood, at least in part, which does not count then.
    Misread {
        /// The variable.
        variable: &'static Variable,
        /// Its value.
        value: &'a [u8],
        /// The word, and what is accepted.
        found: Malformed,
    },
    /// A number outside its variable's range, in whose place the nearest bound counts.
    OutOfRange {
        /// The variable.
        variable: &'static Variable,
        /// Its value, or the part that is out of range.
        value: &'a [u8],
        /// The range.
        range: Range,
    },
    /// A debug variable, and the build does not read it.
    Ignored {
        /// The variable.
        variable: &'static Variable,
    },
    /// The name of an earlier version, which does not count.
    Deprecated {
        /// The name, and what stands for it now.
        older: &'static Older,
    },
    /// A name that stands there twice, of which the first counts.
    Repeated {
        /// The variable.
        variable: &'static Variable,
        /// The value that does not count.
        value: &'a [u8],
    },
    /// Settings that work against one another.
    Contradiction(&'static Contradiction),
}

impl Finding<'_> {
    /// How bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::Fine { .. } => Severity::Ok,
            Self::Malformed { .. } | Self::Misread { .. } | Self::Deprecated { .. } => {
                Severity::Error
            }
            _ => Severity::Warning,
        }
    }
}

/// Checks the strings `NAME=value` of an environment for a build, and calls `tell` with each
/// finding: those of single strings in their order, then contradictions. Names that do not begin
/// with `HAKMEM_` are no business of it.
pub fn check<'a, E>(environ: E, build: Builds, tell: &mut dyn FnMut(&Finding<'a>))
where
    E: Iterator<Item = &'a [u8]> + Clone,
{
    let is_first = |name: &str, at: usize| {
        let mut before = environ.clone().take(at);
        value_of(&mut before, name).is_none()
    };
    for (at, entry) in environ.clone().enumerate() {
        let mut halves = entry.splitn(2, |&byte| byte == b'=');
        let (Some(name), Some(value)) = (halves.next(), halves.next()) else {
            continue;
        };
        if !name.starts_with(b"HAKMEM_") {
            continue;
        }
        let is_it = |row: &&Variable| row.name.as_bytes() == name;
        let row = PRODUCTION.iter().find(is_it);
        if let Some(variable) = row.or_else(|| DEBUG.iter().find(is_it)) {
            if !is_first(variable.name, at) {
                tell(&Finding::Repeated { variable, value });
            } else if variable.builds == Builds::Observed && build == Builds::Every {
                tell(&Finding::Ignored { variable });
            } else {
                self::value_in(variable, value, build, tell);
            }
        } else if let Some(older) = OLDER.iter().find(|older| older.name.as_bytes() == name) {
            tell(&Finding::Deprecated { older });
        } else if !is_of_the_tools(name) {
            tell(&Finding::Unknown {
                name,
                nearest: nearest(name),
            });
        }
    }
    let reading = parse::read(environ.clone(), &mut |_| {});
    contradiction::find(&reading, build, &mut |found| {
        tell(&Finding::Contradiction(found));
    });
}

/// Names that others than the allocator read: `hakmem run`, and the tests of the project.
fn is_of_the_tools(name: &[u8]) -> bool {
    name.starts_with(b"HAKMEM_RUN_") || name.starts_with(b"HAKMEM_TESTS_")
}

/// Checks a value of a variable in the build that has most to read.
pub(super) fn value<'a>(
    variable: &'static Variable,
    value: &'a [u8],
    tell: &mut dyn FnMut(&Finding<'a>),
) {
    self::value_in(variable, value, Builds::Observed, tell);
}

fn value_in<'a>(
    variable: &'static Variable,
    value: &'a [u8],
    build: Builds,
    tell: &mut dyn FnMut(&Finding<'a>),
) {
    let mut fine = true;
    let mut complain = |finding: Finding<'a>| {
        fine = false;
        tell(&finding);
    };
    match variable.kind {
        Kind::List(_) if value == b"0" => {}
        Kind::List(areas) => list(variable, areas, value, build, &mut complain),
        Kind::Fields(names) => fields(variable, names, value, &mut complain),
        Kind::Text | Kind::Address => {
            if let Some(found) = misread(variable.name, value) {
                complain(Finding::Misread {
                    variable,
                    value,
                    found,
                });
            }
        }
        Kind::Word(words) => number_or_word(variable, words, value, &mut complain),
        _ => number_or_word(variable, &[], value, &mut complain),
    }
    if fine {
        tell(&Finding::Fine { variable, value });
    }
}

/// Checks a list of areas.
fn list<'a>(
    variable: &'static Variable,
    areas: &'static [&'static str],
    value: &'a [u8],
    build: Builds,
    complain: &mut dyn FnMut(Finding<'a>),
) {
    let observed = match build {
        Builds::Observed => variable.observed_areas(),
        Builds::Every => &[],
    };
    for word in value.split(|&byte| byte == b',') {
        let mut known = areas.iter().chain(observed);
        if word != b"1" && !known.any(|area| area.as_bytes() == word) {
            complain(Finding::Malformed {
                variable,
                value: word,
                nearest: nearest_of(word, areas.iter().chain(observed).copied()),
            });
        }
    }
}

/// Checks numbers that have names.
fn fields<'a>(
    variable: &'static Variable,
    fields: &'static [Field],
    value: &'a [u8],
    complain: &mut dyn FnMut(Finding<'a>),
) {
    let names = fields.iter().map(|field| field.name.as_bytes());
    for part in value.split(|&byte| byte == b',') {
        match parse::field(names.clone(), part) {
            Ok((place, number)) if !fields[place].range.contains(number) => {
                complain(Finding::OutOfRange {
                    variable,
                    value: part,
                    range: fields[place].range,
                });
            }
            Ok(_) => {}
            Err(_) => complain(Finding::Malformed {
                variable,
                value: part,
                nearest: nearest_of(
                    part.split(|&byte| byte == b'=').next().unwrap_or(part),
                    fields.iter().map(|field| field.name),
                ),
            }),
        }
    }
}

/// Checks what is a number to the parser, also if words stand for numbers.
fn number_or_word<'a>(
    variable: &'static Variable,
    words: &'static [&'static str],
    value: &'a [u8],
    complain: &mut dyn FnMut(Finding<'a>),
) {
    let bytes = words.iter().map(|word| word.as_bytes());
    match (
        parse::number(Form::of(variable.kind), bytes, value),
        variable.range,
    ) {
        (Ok(number), Some(range)) if !range.contains(number) => {
            complain(Finding::OutOfRange {
                variable,
                value,
                range,
            });
        }
        (Ok(_), _) => {}
        // More than 32 bits hold is out of range as well, but what counts is the default.
        (Err((Fault::TooLarge | Fault::NotANumber, _)), _) => {
            complain(Finding::Malformed {
                variable,
                value,
                nearest: None,
            });
        }
        (Err(_), _) => complain(Finding::Malformed {
            variable,
            value,
            nearest: nearest_of(value, words.iter().copied()),
        }),
    }
}

impl Variable {
    /// The areas that this list has in builds with observers beside its own: those of the debug
    /// variables that it stands for.
    #[must_use]
    pub fn observed_areas(&self) -> &'static [&'static str] {
        match (self.kind, self.builds) {
            (Kind::List(_), Builds::Every) => super::observed::STATS_AREAS,
            _ => &[],
        }
    }
}
