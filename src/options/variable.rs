//! What is known of one environment variable.
//!
//! A [`Variable`] is a row of the tables in `table.rs`. Everything that has to
//! do with the environment is made from those rows: the parser, the page
//! `docs/CONFIGURATION.md` and whatever prints help or checks a configuration.

use super::Setting;
use super::parse::{self, Form};
use super::warning::Warning;

/// What a variable's value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `0` or `1`, nothing else.
    Switch,
    /// A decimal number without sign.
    Count,
    /// A decimal number of units of 2^20 bytes.
    Megabytes,
    /// A decimal number of seconds.
    Seconds,
    /// A decimal number of milliseconds.
    Milliseconds,
    /// A decimal number of hundredths.
    Percent,
    /// One of these words; its place among them is its number.
    Word(&'static [&'static str]),
    /// `0` for none, `1` for the usual ones, or these words with commas between. As a number, bit
    /// 0 stands for `1` and the next ones for the words.
    List(&'static [&'static str]),
    /// Numbers by these names, as `name=number` with commas between.
    Fields(&'static [Field]),
    /// An address in hexadecimal, with or without `0x`.
    Address,
    /// Any text.
    Text,
}

/// The smallest and the largest value of a variable, both allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The smallest value.
    pub min: u32,
    /// The largest value.
    pub max: u32,
}

impl Range {
    /// The range of a switch.
    pub const SWITCH: Range = Range { min: 0, max: 1 };

    /// The range of a number that has no bounds but those of its type.
    pub const UNBOUNDED: Range = Range {
        min: 0,
        max: u32::MAX,
    };

    /// Whether `value` is inside.
    pub const fn contains(self, value: u32) -> bool {
        self.min <= value && value <= self.max
    }

    /// `value` where it is inside, else the bound that is nearest to it.
    pub const fn nearest(self, value: u32) -> u32 {
        if value < self.min {
            self.min
        } else if value > self.max {
            self.max
        } else {
            value
        }
    }
}

/// One of the numbers in the value of a variable that has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Between what bounds it has to be.
    pub range: Range,
    /// What it does.
    pub text: &'static str,
    pub(super) setting: Setting,
}

/// Which builds of hakmem read a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builds {
    /// All of them, production included.
    Every,
    /// Those with observers; a production build does not contain its name.
    Observed,
}

/// One environment variable.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Variable {
    /// Its name, which begins with `HAKMEM_`.
    pub name: &'static str,
    /// What its value looks like.
    pub kind: Kind,
    /// Between what bounds a numeric value has to be; `None` where the value is
    /// no number (lists, addresses, text).
    pub range: Option<Range>,
    /// The value that is used while the variable is not set; `None` where there
    /// is no such value: a limit that does not exist, an address not watched.
    pub default: Option<u32>,
    /// Which builds read it.
    pub builds: Builds,
    /// The first version of hakmem that read it.
    pub since: &'static str,
    /// The variable to use in its place, where this one is to go away.
    pub deprecated_by: Option<&'static str>,
    /// What it does, in one or two sentences.
    pub text: &'static str,
    /// Where the parser puts the value; `None` for what the parser does not read.
    pub(super) setting: Option<Setting>,
}

impl Variable {
    /// The number to use where the variable has this value: the nearest in its range, or the
    /// default. `warn` is called where it is not the value itself.
    #[allow(dead_code, reason = "observers ask for it")]
    pub(crate) fn number(&self, value: &[u8], warn: &mut dyn FnMut(&Warning)) -> u32 {
        let words: &[&str] = match self.kind {
            Kind::Word(words) | Kind::List(words) => words,
            _ => &[],
        };
        let words = words.iter().map(|word| word.as_bytes());
        let form = (Form::of(self.kind), words);
        let limits = (self.range, self.default);
        parse::usable(self.name.as_bytes(), value, form, limits, warn)
            .or(self.default)
            .unwrap_or(0)
    }

    /// The number by which a C program asks for it (`enum hakmem_option`); `None` of a variable that
    /// is no number.
    pub const fn option(&self) -> Option<u32> {
        match self.setting {
            Some(setting) => Some(setting as u32),
            None => None,
        }
    }
}
