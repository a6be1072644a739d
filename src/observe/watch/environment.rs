//! The rules of the environment, and what is wrong with those that are none.

use super::rule::Rule;
use super::{known, rules};
use crate::observe::report::Line;
use crate::observe::watch_error::WatchError;
use crate::options::Malformed;
use crate::options::rule_text::RuleText;

/// Puts a rule in force; its number.
pub(super) fn add(rule: &RuleText<'_>) -> Result<u32, WatchError> {
    if !known::set_up() {
        return Err(WatchError::NoMemory);
    }
    rules::add(Rule::new(rule)).map_err(|refusal| match refusal {
        rules::Refusal::Full => WatchError::TooMany,
        rules::Refusal::NoMemory => WatchError::NoMemory,
    })
}

/// Puts the rules of the environment in force, and says what is wrong with others.
pub(super) fn set_up([rules, addresses]: [Option<&[u8]>; 2]) {
    RuleText::each(rules.unwrap_or(&[]), |result| match result {
        Ok(rule) => say_if_refused(b"HAKMEM_WATCH", add(&rule)),
        Err(Malformed { at, accepted }) => {
            let text = rules.unwrap_or(&[]).get(at..).unwrap_or(&[]);
            complain(b"HAKMEM_WATCH", at, text, accepted);
        }
    });
    let mut at = 0;
    for address in addresses
        .into_iter()
        .flat_map(|list| list.split(|&byte| byte == b','))
    {
        match RuleText::of_address(address) {
            Ok(rules) => {
                for rule in &rules {
                    say_if_refused(b"HAKMEM_WATCH_ADDR", add(rule));
                }
            }
            Err(accepted) => complain(b"HAKMEM_WATCH_ADDR", at, address, accepted),
        }
        at += address.len() + 1;
    }
}

/// `hakmem: NAME: at N, "word" is not understood: …; the rule is ignored`.
fn complain(name: &[u8], at: usize, text: &[u8], accepted: &str) {
    const SHOWN: usize = 40;
    let end = text.iter().position(|&byte| byte == b' ' || byte == b';');
    let word = &text[..end.unwrap_or(text.len())];
    let mut line = Line::new();
    line.text(name)
        .text(b": at position ")
        .number(at + 1)
        .text(b", \"")
        .foreign(&word[..word.len().min(SHOWN)])
        .text(if word.len() > SHOWN { b"..." } else { b"" })
        .text(b"\" is not understood: ")
        .text(accepted.as_bytes())
        .text(b". The rule is ignored.")
        .write();
}

fn say_if_refused(name: &[u8], result: Result<u32, WatchError>) {
    let why: &[u8] = match result {
        Ok(_) => return,
        Err(WatchError::TooMany) => b"more than 32 rules",
        Err(_) => b"no memory for a rule",
    };
    Line::new()
        .text(name)
        .text(b": ")
        .text(why)
        .text(b". The rule is ignored.")
        .write();
}
