//! A recorder that keeps what it is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use hakmem_alloc::pump::{Drained, Pump};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString,
    Unit,
};

use super::{CLASS, block};

/// A recorder under one lock, which allocates while it holds it.
#[derive(Clone, Default)]
pub(super) struct Locked(pub(super) Arc<Mutex<HashMap<String, u64>>>);

struct Entry(Locked, String);

impl Entry {
    fn change(&self, change: impl FnOnce(&mut u64)) {
        let mut all = self.0.0.lock().expect("no panic");
        drop(block());
        change(all.entry(self.1.clone()).or_default());
    }
}

impl CounterFn for Entry {
    fn increment(&self, value: u64) {
        self.change(|sum| *sum += value);
    }

    fn absolute(&self, value: u64) {
        self.change(|sum| *sum = value);
    }
}

impl GaugeFn for Entry {
    fn increment(&self, _: f64) {
        unreachable!("gauges are set");
    }

    fn decrement(&self, _: f64) {
        unreachable!("gauges are set");
    }

    fn set(&self, value: f64) {
        self.change(|now| *now = value as u64);
    }
}

impl Locked {
    fn entry(&self, key: &Key) -> Arc<Entry> {
        let labels = key.labels().map(|label| format!(" {}", label.value()));
        let name = key.name().to_owned() + &labels.collect::<String>();
        Arc::new(Entry(self.clone(), name))
    }

    pub(super) fn get(&self, name: &str) -> u64 {
        self.0
            .lock()
            .expect("no panic")
            .get(name)
            .copied()
            .unwrap_or(0)
    }

    pub(super) fn of_class(&self, what: &str) -> u64 {
        self.get(&format!("hakmem_{what}_total {CLASS}"))
    }

    /// The sum over all labels.
    pub(super) fn total(&self, name: &str) -> u64 {
        let all = self.0.lock().expect("no panic");
        let named = all
            .iter()
            .filter(|(key, _)| key.split(' ').next() == Some(name));
        named.map(|(_, value)| value).sum()
    }
}

impl Recorder for Locked {
    fn describe_counter(&self, _: KeyName, unit: Option<Unit>, text: SharedString) {
        assert!(unit.is_some() && !text.is_empty());
    }

    fn describe_gauge(&self, _: KeyName, unit: Option<Unit>, text: SharedString) {
        assert!(unit.is_some() && !text.is_empty());
    }

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.entry(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.entry(key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// Drains with the recorder.
pub(super) fn drain_into(pump: &Pump, recorder: &Locked) -> Drained {
    metrics::with_local_recorder(recorder, || pump.drain())
}
