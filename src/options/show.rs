//! A variable's values in words: for manuals, help and reports. Nothing of it is in a production
//! library.

use core::fmt::{self, Display, Formatter};

use super::variable::{Kind, Range, Variable};

/// The values that a variable may have; see [`Variable::values`].
struct Values(Variable);

/// A value of a variable; see [`Variable::shown`].
struct Shown {
    variable: Variable,
    number: Option<u32>,
}

impl Variable {
    /// The values that it may have, as the manual shows them.
    #[must_use]
    pub fn values(&self) -> impl Display + use<> {
        Values(*self)
    }

    /// The number `number` as a value of it; `None` where it has none.
    #[must_use]
    pub fn shown(&self, number: Option<u32>) -> impl Display + use<> {
        Shown {
            variable: *self,
            number,
        }
    }

    /// Its unit behind a number, with a space before it, or nothing.
    #[must_use]
    pub const fn unit(&self) -> &'static str {
        match self.kind {
            Kind::Megabytes => " MB",
            Kind::Seconds => " s",
            Kind::Milliseconds => " ms",
            Kind::Percent => " %",
            _ => "",
        }
    }
}

fn words<'a>(
    f: &mut Formatter<'_>,
    first: &str,
    words: impl Iterator<Item = &'a str>,
) -> fmt::Result {
    f.write_str(first)?;
    for (place, word) in words.enumerate() {
        let comma = if place > 0 || !first.is_empty() {
            ", "
        } else {
            ""
        };
        write!(f, "{comma}{word}")?;
    }
    Ok(())
}

impl Display for Values {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let unit = self.0.unit();
        match (self.0.kind, self.0.range) {
            (Kind::Switch, _) => f.write_str("0, 1"),
            (Kind::Word(known), _) => words(f, "", known.iter().copied()),
            (Kind::List(areas), _) => words(f, "0, 1", areas.iter().copied()),
            (Kind::Fields(fields), _) => {
                for (place, field) in fields.iter().enumerate() {
                    let comma = if place > 0 { ", " } else { "" };
                    let Range { min, max } = field.range;
                    write!(f, "{comma}{}={min}-{max}", field.name)?;
                }
                Ok(())
            }
            (_, Some(Range::UNBOUNDED)) => write!(f, "0 or more{unit}"),
            (_, Some(Range { min, max })) => write!(f, "{min}-{max}{unit}"),
            (Kind::Address, None) => f.write_str("address"),
            (_, None) => f.write_str("text"),
        }
    }
}

impl Display for Shown {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(number) = self.number else {
            return f.write_str(match self.variable.kind {
                Kind::Address | Kind::Text | Kind::Word(_) | Kind::Fields(_) => "none",
                _ => "no limit",
            });
        };
        match self.variable.kind {
            Kind::Word(known) => match known.get(number as usize) {
                Some(word) => f.write_str(word),
                None => write!(f, "{number}"),
            },
            Kind::List(_) if number == 0 => f.write_str("0"),
            Kind::List(areas) => {
                let first = if number & 1 == 1 { "1" } else { "" };
                let named = areas.iter().enumerate();
                let named = named.filter(|(place, _)| number >> (place + 1) & 1 == 1);
                let mut comma = first;
                f.write_str(first)?;
                for (_, area) in named {
                    let between = if comma.is_empty() { "" } else { "," };
                    write!(f, "{between}{area}")?;
                    comma = ",";
                }
                Ok(())
            }
            _ => write!(f, "{number}"),
        }
    }
}
