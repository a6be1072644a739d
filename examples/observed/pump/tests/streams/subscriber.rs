//! A subscriber that keeps what it is told.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use hakmem_alloc::pump::{Drained, Pump};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};

use super::{CLASS, block};

/// An event, as its fields say.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Seen {
    pub(super) message: String,
    pub(super) fields: HashMap<&'static str, String>,
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let value = format!("{value:?}");
        if field.name() == "message" {
            self.message = value;
        } else {
            self.fields.insert(field.name(), value);
        }
    }
}

impl Seen {
    pub(super) fn is(&self, message: &str, class: &str) -> bool {
        self.message == message && self.fields.get("class").is_some_and(|it| it == class)
    }

    pub(super) fn number(&self, field: &str) -> usize {
        self.fields[field].parse().expect("a number")
    }
}

/// A subscriber that keeps the allocator's events: it allocates, frees and locks in each.
struct Keeper {
    seen: Arc<Mutex<Vec<Seen>>>,
    level: Level,
    also: Box<dyn Fn() + Send + Sync>,
}

impl Subscriber for Keeper {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "hakmem" && *metadata.level() <= self.level
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut seen = Seen::default();
        event.record(&mut seen);
        // More blocks of the size that the test counts.
        drop(block());
        self.seen.lock().expect("no panic").push(seen);
        (self.also)();
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Drains with a subscriber that keeps what comes, and does what `also` does for each event.
pub(super) fn events_and(
    pump: &Pump,
    also: impl Fn() + Send + Sync + 'static,
) -> (Drained, Vec<Seen>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keeper = Keeper {
        seen: Arc::clone(&seen),
        level: Level::TRACE,
        also: Box::new(also),
    };
    let drained = tracing::subscriber::with_default(keeper, || pump.drain());
    (
        drained,
        std::mem::take(&mut *seen.lock().expect("no panic")),
    )
}

pub(super) fn events(pump: &Pump) -> (Drained, Vec<Seen>) {
    events_and(pump, || ())
}

pub(super) fn count(seen: &[Seen], message: &str) -> usize {
    seen.iter().filter(|event| event.is(message, CLASS)).count()
}
