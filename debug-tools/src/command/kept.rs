//! What a checked build keeps of a block, as lines and as JSON.

use hakmem_trace_format::Api;
use serde_json::{Value, json};

use crate::event::{named, stack_json};
use crate::heap::{Doing, Guard, Heap, Moment, Record, verify};
use crate::output;
use crate::symbols::Symbols;

/// The record of a block, and where the pattern has to stand.
pub struct Kept<'h> {
    /// The heap.
    pub heap: &'h Heap<'h>,
    /// The record.
    pub record: Record,
    /// Around the block, or in it.
    pub guards: Vec<Guard>,
}

impl Kept<'_> {
    /// Lines with their names.
    pub fn lines(&self, symbols: &mut Symbols<'_>) -> Vec<(&'static str, String)> {
        let record = &self.record;
        if record.doing == Doing::New {
            return vec![];
        }
        if record.doing == Doing::Untouched {
            let guards = self.guards.iter().filter(|guard| guard.len > 0);
            return guards
                .map(|guard| (guard.part, self.whole(guard)))
                .collect();
        }
        if record.doing == Doing::Overwritten {
            let what = format!(
                "OVERWRITTEN at {:#x}; {} bytes at most",
                record.address, record.size
            );
            return vec![("asked", what)];
        }
        let mut asked = format!(
            "{} bytes by {}, aligned to {}",
            record.size,
            api(record.api),
            1_u64.checked_shl(record.align_log2.into()).unwrap_or(0),
        );
        // Lives are not counted everywhere.
        if record.life > 0 {
            asked += &format!("; life {} of its place", record.life);
        }
        let mut lines = vec![("asked", asked)];
        lines.extend(
            self.moment(&record.allocated, "", symbols)
                .map(|l| ("allocated", l)),
        );
        if record.doing != Doing::Live {
            let by = format!("by {}", api(record.freed_by));
            let moment = self.moment(&record.freed, &format!(" {by}"), symbols);
            lines.push(("freed", moment.unwrap_or(by)));
        }
        for guard in self.guards.iter().filter(|guard| guard.len > 0) {
            lines.push((guard.part, self.whole(guard)));
        }
        lines
    }

    /// Whether a guard is as it has to be.
    fn whole(&self, guard: &Guard) -> String {
        match self.heap.damage(guard) {
            None => format!("{} bytes of the pattern, whole", guard.len),
            Some(damage) => {
                let evidence = verify::evidence(guard, &damage);
                format!("DAMAGED at {:#x}: {evidence}", damage.first)
            }
        }
    }

    fn moment(&self, moment: &Moment, by: &str, symbols: &mut Symbols<'_>) -> Option<String> {
        let frames = self.heap.noted_stack(moment.stack);
        if moment.thread == 0 && frames.is_empty() {
            return None;
        }
        let mut names = vec![];
        for frame in frames {
            let functions = symbols.functions(frame, 0);
            names.extend(functions.iter().map(|function| named(function, true)));
        }
        Some(format!(
            "thread {}{by}  {}",
            moment.thread,
            names.join(" < ")
        ))
    }

    /// The same as JSON.
    pub fn json(&self, symbols: &mut Symbols<'_>) -> Value {
        let record = &self.record;
        let mut moment = |moment: &Moment, function: u8| {
            let frames = self.heap.noted_stack(moment.stack);
            json!({
                "thread": moment.thread,
                "api": api(function),
                "stack": stack_json(symbols, &frames, false, 0),
            })
        };
        let guards = self.guards.iter().filter(|guard| guard.len > 0);
        let guards: Vec<Value> = guards
            .map(|guard| {
                let damage = self.heap.damage(guard);
                json!({
                    "part": guard.part,
                    "address": output::address(guard.start),
                    "bytes": guard.len,
                    "is_whole": damage.is_none(),
                    "first": damage.map(|damage| output::address(damage.first)),
                    "last": damage.map(|damage| output::address(damage.last)),
                })
            })
            .collect();
        json!({
            "state": record.doing.words(),
            "size": record.size,
            "alignment": 1_u64.checked_shl(record.align_log2.into()),
            "life": record.life,
            "allocated": moment(&record.allocated, record.api),
            "freed": (record.doing != Doing::Live).then(|| moment(&record.freed, record.freed_by)),
            "pattern": guards,
        })
    }
}

fn api(number: u8) -> &'static str {
    Api::from_code(number).map_or("a function that is not known", Api::name)
}
