//! What a program sees of the streams, with subscribers and recorders that could do harm: they
//! allocate, lock, drain, panic, fork.
//!
//! Events are the whole process's, so each test has a process of its own, and looks at blocks of
//! a size that nothing else in it has.

use hakmem_alloc::Hakmem;
use hakmem_alloc::pump::{Drained, Pump};
use metrics::{Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder};
use metrics::{SharedString, Unit};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::hint::black_box;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};

#[global_allocator]
static HAKMEM: Hakmem = Hakmem;

/// The size that the tests ask for, and that of the class that serves it.
const BYTES: usize = 20_000;
const CLASS: &str = "20480";

/// Set when dropped, so that threads that look at it end also when a test fails.
#[derive(Default)]
struct Done(AtomicBool);

impl Done {
    fn is(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Says so when dropped.
struct Says<'a>(&'a Done);

impl Drop for Says<'_> {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Events that a stream holds.
const RECORDS: usize = 8192;

/// Runs a test in a process of its own; says whether this is that process.
fn is_alone(test: &str) -> bool {
    const ALONE: &str = "HAKMEM_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let output = Command::new(std::env::current_exe().expect("this test"))
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(ALONE, "1")
        .output()
        .expect("it runs once more");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    assert!(text.contains("1 passed"), "{text}");
    print!("{errors}");
    false
}

fn block() -> Vec<u8> {
    black_box(Vec::with_capacity(BYTES))
}

/// An event, as its fields say.
#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    message: String,
    fields: HashMap<&'static str, String>,
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
    fn is(&self, message: &str, class: &str) -> bool {
        self.message == message && self.fields.get("class").is_some_and(|it| it == class)
    }

    fn number(&self, field: &str) -> usize {
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
fn events_and(pump: &Pump, also: impl Fn() + Send + Sync + 'static) -> (Drained, Vec<Seen>) {
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

fn events(pump: &Pump) -> (Drained, Vec<Seen>) {
    events_and(pump, || ())
}

fn count(seen: &[Seen], message: &str) -> usize {
    seen.iter().filter(|event| event.is(message, CLASS)).count()
}

/// A pump that wants every event, with nothing left in its streams.
fn pump() -> Pump {
    let pump = Pump::new();
    events(&pump);
    pump
}

/// A recorder under one lock, which allocates while it holds it.
#[derive(Clone, Default)]
struct Locked(Arc<Mutex<HashMap<String, u64>>>);

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

    fn get(&self, name: &str) -> u64 {
        self.0
            .lock()
            .expect("no panic")
            .get(name)
            .copied()
            .unwrap_or(0)
    }

    fn of_class(&self, what: &str) -> u64 {
        self.get(&format!("hakmem_{what}_total {CLASS}"))
    }

    /// The sum over all labels.
    fn total(&self, name: &str) -> u64 {
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
fn drain_into(pump: &Pump, recorder: &Locked) -> Drained {
    metrics::with_local_recorder(recorder, || pump.drain())
}

#[test]
fn a_subscriber_that_allocates_does_not_feed_itself() {
    if !is_alone("a_subscriber_that_allocates_does_not_feed_itself") {
        return;
    }
    let pump = pump();
    for _ in 0..10 {
        drop(block());
    }
    let (drained, seen) = events(&pump);
    assert_eq!(count(&seen, "allocated"), 10);
    assert_eq!(count(&seen, "freed"), 10);
    assert_eq!(drained.events, seen.len() as u64);
    // A block and a free in each event, and more for the fields.
    assert!(drained.skipped > 2 * drained.events, "{drained:?}");
    // What was skipped comes neither later nor at all.
    let (_, seen) = events(&pump);
    assert_eq!(count(&seen, "allocated"), 0);
}

#[test]
fn a_recorder_that_locks_does_not_lock_itself_out() {
    if !is_alone("a_recorder_that_locks_does_not_lock_itself_out") {
        return;
    }
    let pump = pump();
    let recorder = Locked::default();
    drain_into(&pump, &recorder);
    let before = recorder.of_class("class_allocations");
    // Another thread allocates under the recorder's lock, as a scrape does.
    let done = Done::default();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let mut blocks = 0;
            while !done.is() {
                let all = recorder.0.lock().expect("no panic");
                drop(block());
                blocks += 1;
                drop(all);
            }
            blocks
        });
        let says = Says(&done);
        for _ in 0..100 {
            drop(block());
            drain_into(&pump, &recorder);
        }
        drop(says);
        let blocks = 100 + other.join().expect("no panic");
        drain_into(&pump, &recorder);
        assert_eq!(recorder.of_class("class_allocations") - before, blocks);
        assert_eq!(
            recorder.of_class("class_frees"),
            recorder.of_class("class_allocations")
        );
    });
    assert_eq!(recorder.total("hakmem_events_lost_total"), 0);
}

#[test]
fn metrics_are_what_the_program_did() {
    if !is_alone("metrics_are_what_the_program_did") {
        return;
    }
    let pump = pump();
    let recorder = Locked::default();
    let before = Locked::default();
    drain_into(&pump, &before);
    let held: Vec<Vec<u8>> = (0..200).map(|_| block()).collect();
    let large = black_box(vec![1u8; 4 << 20]);
    drain_into(&pump, &recorder);
    let grown = 200 * 20_480 + (4 << 20);
    let allocated = recorder.get("hakmem_allocated_bytes");
    let requested = recorder.get("hakmem_requested_bytes");
    let live = recorder.get("hakmem_live_bytes") - before.get("hakmem_live_bytes");
    // Beside the list of blocks, what the large one is rounded up by.
    assert!((grown..grown + 16_384).contains(&allocated), "{allocated}");
    assert!((grown..grown + 16_384).contains(&live), "{live}");
    assert!(
        (200 * 20_000..allocated).contains(&requested),
        "{requested}"
    );
    assert!(recorder.get("hakmem_mapped_bytes") >= recorder.get("hakmem_live_bytes"));
    assert!(recorder.get("hakmem_resident_bytes") >= 4 << 20);
    assert!(recorder.get("hakmem_metadata_bytes") > 0);
    assert_eq!(recorder.of_class("class_allocations"), 200);
    assert_eq!(recorder.get("hakmem_allocations_total mid"), 200);
    assert_eq!(recorder.get("hakmem_allocations_total large"), 1);
    assert_eq!(recorder.get("hakmem_class_allocations_total large"), 1);
    assert_eq!(recorder.of_class("class_frees"), 0);
    assert!(recorder.of_class("cache_refills") > 0);
    assert!(recorder.get("hakmem_slabs_opened_total") > 0);
    drop((held, large));
    drain_into(&pump, &recorder);
    assert_eq!(recorder.of_class("class_frees"), 200);
    let freed = recorder.get("hakmem_freed_bytes");
    assert!((grown..grown + 16_384).contains(&freed), "{freed}");
    // More than the front holds came back at once.
    assert!(recorder.of_class("cache_drains") > 0);
    assert_eq!(
        recorder.total("hakmem_allocations_total"),
        recorder.total("hakmem_class_allocations_total")
    );
    assert_eq!(
        recorder.get("hakmem_frees_total"),
        recorder.total("hakmem_class_frees_total")
    );
}

#[test]
fn resizes_in_place_keep_the_bytes_right() {
    if !is_alone("resizes_in_place_keep_the_bytes_right") {
        return;
    }
    let pump = pump();
    let recorder = Locked::default();
    let mut large: Vec<u8> = black_box(Vec::with_capacity(4 << 20));
    for megabytes in [5, 6, 8, 12] {
        large.reserve_exact(megabytes << 20);
        black_box(&mut large);
    }
    large.shrink_to(6 << 20);
    drop(black_box(large));
    let (_, seen) = events(&pump);
    let resized: Vec<&Seen> = seen.iter().filter(|e| e.is("resized", "large")).collect();
    assert!(!resized.is_empty(), "{seen:?}");
    assert!(resized.iter().any(|event| event.number("size") == 6 << 20));

    let mut large: Vec<u8> = black_box(Vec::with_capacity(4 << 20));
    large.reserve_exact(12 << 20);
    large.shrink_to(6 << 20);
    drop(black_box(large));
    drain_into(&pump, &recorder);
    assert!(recorder.get("hakmem_resizes_total") > 0);
    let [allocated, freed] =
        ["allocated", "freed"].map(|it| recorder.get(&format!("hakmem_{it}_bytes")));
    assert!(allocated.abs_diff(freed) < 8192, "{allocated} {freed}");
}

#[test]
fn order_and_losses() {
    if !is_alone("order_and_losses") {
        return;
    }
    let pump = pump();
    let recorder = Locked::default();
    let mut before = Drained::default();
    metrics::with_local_recorder(&Locked::default(), || before = events(&pump).0);
    // Sizes tell the order; the blocks are let go at once.
    const BLOCKS: usize = RECORDS * 2;
    for number in 0..BLOCKS {
        drop(black_box(Vec::<u8>::with_capacity(40_000 + number)));
    }
    let (drained, seen) = metrics::with_local_recorder(&recorder, || events(&pump));
    let sizes: Vec<usize> = seen
        .iter()
        .filter(|event| event.message == "allocated" && event.number("size") >= 40_000)
        .map(|event| event.number("size"))
        .collect();
    assert!(sizes.windows(2).all(|two| two[0] + 1 == two[1]));
    assert_eq!(sizes.first(), Some(&40_000));
    // The oldest stay; what finds the stream full is lost and counted, also for the metrics.
    assert!(drained.events >= RECORDS as u64);
    assert_eq!(
        recorder.get("hakmem_class_allocations_total large"),
        BLOCKS as u64
    );
    assert_eq!(
        recorder.get("hakmem_class_frees_total large"),
        BLOCKS as u64
    );
    let told = [
        "hakmem_allocations_total",
        "hakmem_frees_total",
        "hakmem_resizes_total",
        "hakmem_cache_refills_total",
        "hakmem_cache_drains_total",
        "hakmem_remote_frees_total",
        "hakmem_slabs_opened_total",
        "hakmem_slabs_closed_total",
    ];
    assert_eq!(recorder.get("hakmem_remote_collected_total"), 0);
    let happened: u64 = told.iter().map(|name| recorder.total(name)).sum();
    assert_eq!(drained.events + drained.lost, happened);
    assert_eq!(recorder.get("hakmem_events_lost_total full"), drained.lost);
    let lost = seen.iter().filter(|event| event.message == "events lost");
    assert_eq!(
        lost.map(|event| event.number("lost") as u64).sum::<u64>(),
        drained.lost
    );
}

#[test]
fn only_what_is_wanted_is_streamed() {
    if !is_alone("only_what_is_wanted_is_streamed") {
        return;
    }
    let pump = pump();
    let recorder = Locked::default();
    // No subscriber: from this drain on, hooks count alone.
    drain_into(&pump, &recorder);
    for _ in 0..RECORDS * 2 {
        drop(block());
    }
    let drained = drain_into(&pump, &recorder);
    // But for what the test harness has done while the subscriber was asked.
    assert!(drained.events < 10 && drained.lost == 0, "{drained:?}");
    assert_eq!(recorder.of_class("class_allocations"), 2 * RECORDS as u64);
    // One that wants them is asked when it drains.
    assert_eq!(count(&events(&pump).1, "allocated"), 0);
    drop(block());
    assert_eq!(count(&events(&pump).1, "allocated"), 1);
}

#[test]
fn nothing_is_lost_to_threads_that_begin_or_were_there() {
    if !is_alone("nothing_is_lost_to_threads_that_begin_or_were_there") {
        return;
    }
    let go = AtomicBool::new(false);
    let work = || (0..100).for_each(|_| drop(block()));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            drop(block());
            while !go.load(Ordering::Acquire) {
                std::thread::park();
            }
            work();
        });
        // It has its cache.
        std::thread::sleep(Duration::from_millis(20));
        let pump = pump();
        go.store(true, Ordering::Release);
        waiting.thread().unpark();
        let began: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        for thread in began.into_iter().chain([waiting]) {
            thread.join().expect("no panic");
        }
        let (drained, seen) = events(&pump);
        assert_eq!(drained.lost, 0);
        assert_eq!(count(&seen, "allocated"), 500);
        assert_eq!(count(&seen, "freed"), 500);
        let threads: std::collections::HashSet<_> = seen
            .iter()
            .filter(|event| event.is("allocated", CLASS))
            .map(|event| event.fields["thread"].clone())
            .collect();
        assert_eq!(threads.len(), 5);
    });
}

fn mapped_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("this process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number.and_then(|n| n.parse().ok()).expect("a number")
}

#[test]
fn threads_that_end_are_drained_and_their_streams_used_again() {
    if !is_alone("threads_that_end_are_drained_and_their_streams_used_again") {
        return;
    }
    let pump = pump();
    let round = || {
        std::thread::spawn(|| drop(block()))
            .join()
            .expect("no panic");
        let (drained, seen) = events(&pump);
        assert_eq!(drained.lost, 0);
        assert_eq!(count(&seen, "allocated"), 1);
        assert_eq!(count(&seen, "freed"), 1);
    };
    (0..20).for_each(|_| round());
    let before = mapped_kib();
    (0..200).for_each(|_| round());
    // A stream has 256 KiB and more.
    let grown = mapped_kib().saturating_sub(before);
    assert!(grown < 20 * 256, "{grown} KiB");
}

#[test]
fn what_draining_allocates_is_left_out_wherever_it_is_freed() {
    if !is_alone("what_draining_allocates_is_left_out_wherever_it_is_freed") {
        return;
    }
    let pump = pump();
    // A subscriber that hands what it makes to a thread that frees it.
    let (sender, receiver) = std::sync::mpsc::channel::<Vec<u8>>();
    let other = std::thread::spawn(move || {
        for written in receiver {
            drop(written);
        }
    });
    let sender = Mutex::new(Some(sender));
    (0..100).for_each(|_| drop(block()));
    let (_, seen) = events_and(&pump, move || {
        let sender = sender.lock().expect("no panic");
        sender
            .as_ref()
            .expect("open")
            .send(block())
            .expect("it receives");
    });
    assert_eq!(count(&seen, "freed"), 100);
    other.join().expect("no panic");
    let (drained, seen) = events(&pump);
    assert_eq!((count(&seen, "allocated"), count(&seen, "freed")), (0, 0));
    assert!(drained.skipped >= 100);
    // The blocks are the program's again.
    let blocks: Vec<Vec<u8>> = (0..200).map(|_| block()).collect();
    drop(blocks);
    let (_, seen) = events(&pump);
    assert_eq!(
        (count(&seen, "allocated"), count(&seen, "freed")),
        (200, 200)
    );
}

/// Rounds in which the system calls the destructors of a thread's keys.
const ROUNDS: usize = 4;
static KEY: AtomicU64 = AtomicU64::new(0);

/// Allocates and frees in each round: in the last one the thread has given up its cache.
unsafe extern "C" fn ends(round: *mut libc::c_void) {
    drop(block());
    let next = round.wrapping_byte_add(1);
    let key = KEY.load(Ordering::Relaxed) as libc::pthread_key_t;
    // SAFETY: the key was made, and its values are numbers.
    unsafe { libc::pthread_setspecific(key, next) };
}

#[test]
fn what_comes_after_a_thread_s_cache_is_lost_and_counted() {
    if !is_alone("what_comes_after_a_thread_s_cache_is_lost_and_counted") {
        return;
    }
    let pump = pump();
    let recorder = Locked::default();
    drain_into(&pump, &Locked::default());
    // Made after the allocator's, and so called after it.
    let mut key = 0;
    // SAFETY: `key` is a valid place.
    let result = unsafe { libc::pthread_key_create(&raw mut key, Some(ends)) };
    assert_eq!(result, 0);
    KEY.store(u64::from(key), Ordering::Relaxed);
    let thread = std::thread::spawn(move || {
        // SAFETY: the key was made; any value but null has the destructor called.
        unsafe { libc::pthread_setspecific(key, std::ptr::dangling()) };
    });
    thread.join().expect("no panic");
    drain_into(&pump, &recorder);
    assert_eq!(recorder.of_class("class_allocations"), ROUNDS as u64 - 1);
    assert_eq!(recorder.of_class("class_frees"), ROUNDS as u64 - 1);
    assert_eq!(recorder.get("hakmem_events_lost_total no_cache"), 2);
    assert_eq!(recorder.total("hakmem_events_lost_total"), 2);
}

#[test]
fn a_subscriber_may_drain() {
    if !is_alone("a_subscriber_may_drain") {
        return;
    }
    let pump = Arc::new(pump());
    (0..5).for_each(|_| drop(block()));
    let again = Arc::clone(&pump);
    let (_, seen) = events_and(&pump, move || {
        assert_eq!(again.drain(), Drained::default());
    });
    assert_eq!(count(&seen, "allocated"), 5);
}

#[test]
fn a_subscriber_that_panics_does_not_keep_the_drain() {
    if !is_alone("a_subscriber_that_panics_does_not_keep_the_drain") {
        return;
    }
    let pump = pump();
    drop(block());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        events_and(&pump, || {
            std::panic::resume_unwind(Box::new("the subscriber's"))
        })
    }));
    assert!(panicked.is_err());
    events(&pump);
    drop(block());
    let other = std::thread::scope(|scope| scope.spawn(|| events(&pump)).join());
    assert_eq!(count(&other.expect("no panic").1, "allocated"), 1);
}

#[test]
fn many_may_drain() {
    if !is_alone("many_may_drain") {
        return;
    }
    let pump = pump();
    let allocated = AtomicU64::new(0);
    let seen = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    drop(block());
                    allocated.fetch_add(1, Ordering::Relaxed);
                    let (drained, events) = events(&pump);
                    assert_eq!(drained.lost, 0);
                    seen.fetch_add(count(&events, "allocated") as u64, Ordering::Relaxed);
                }
            });
        }
    });
    let rest = count(&events(&pump).1, "allocated") as u64;
    assert_eq!(seen.into_inner() + rest, allocated.into_inner());
}

#[test]
fn off_when_there_is_no_pump() {
    if !is_alone("off_when_there_is_no_pump") {
        return;
    }
    // Blocks that a drain has allocated, and that the program has later, while there is no pump.
    let pump = pump();
    (0..10).for_each(|_| drop(block()));
    let of_drain = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&of_drain);
    events_and(&pump, move || kept.lock().expect("no panic").push(block()));
    drop(pump);
    let of_drain = std::mem::take(&mut *of_drain.lock().expect("no panic"));
    assert!(of_drain.len() >= 20);
    drop(of_drain);
    let blocks: Vec<Vec<u8>> = (0..100).map(|_| block()).collect();
    let pump = Pump::new();
    let recorder = Locked::default();
    drain_into(&pump, &recorder);
    assert_eq!(recorder.of_class("class_allocations"), 0);
    assert_eq!(recorder.of_class("class_frees"), 0);
    drop(blocks);
    drain_into(&pump, &recorder);
    assert_eq!(recorder.of_class("class_frees"), 100);
}

#[test]
fn a_thread_drains_until_it_is_stopped() {
    if !is_alone("a_thread_drains_until_it_is_stopped") {
        return;
    }
    drop(pump());
    let running = Pump::spawn(Duration::from_millis(1)).expect("a thread");
    (0..100).for_each(|_| drop(block()));
    let first = running.stop();
    // Nothing listens globally: events of before the first drain alone have passed.
    assert_eq!(first.lost, 0);
    // A dropped one stops as well, without waiting for its interval.
    drop(Pump::spawn(Duration::from_secs(3600)).expect("a thread"));
}

/// A recorder that keeps what it is told of names: kind and unit.
#[derive(Default)]
struct Named(Mutex<BTreeMap<String, (&'static str, String)>>);

impl Named {
    fn note(&self, name: KeyName, kind: &'static str, unit: Option<Unit>) {
        let unit = unit.expect("a unit").as_str().to_owned();
        let mut all = self.0.lock().expect("no panic");
        all.insert(name.as_str().to_owned(), (kind, unit));
    }
}

impl Recorder for Named {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.note(name, "counter", unit);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.note(name, "gauge", unit);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.note(name, "histogram", unit);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        assert_eq!(self.0.lock().expect("no panic")[key.name()].0, "counter");
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        assert_eq!(self.0.lock().expect("no panic")[key.name()].0, "gauge");
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("there is none");
    }
}

#[test]
fn the_page_has_every_metric() {
    if !is_alone("the_page_has_every_metric") {
        return;
    }
    const PAGE: &str = include_str!("../../../../docs/OBSERVABILITY.md");
    let named = Named::default();
    let pump = pump();
    metrics::with_local_recorder(&named, || pump.drain());
    let row = |line: &'static str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", name, kind @ ("counter" | "gauge"), unit, _, _, ""] = cells[..] else {
            return None;
        };
        Some((name.trim_matches('`').to_owned(), (kind, unit.to_owned())))
    };
    let page: BTreeMap<_, _> = PAGE.lines().filter_map(row).collect();
    assert_eq!(page, named.0.into_inner().expect("no panic"));
}

/// Runs `child` in a fork; says whether it returned true.
fn in_child(child: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child does what the test does, and leaves by `_exit`; the test harness's other
    // threads wait.
    match unsafe { libc::fork() } {
        0 => {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
            // SAFETY: nothing of the parent's is to be run.
            unsafe { libc::_exit(i32::from(!matches!(result, Ok(true)))) }
        }
        child => {
            let mut status = 0;
            // SAFETY: `status` is a valid place.
            let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
            waited == child && libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
        }
    }
}

#[test]
fn a_child_has_streams_of_its_own() {
    if !is_alone("a_child_has_streams_of_its_own") {
        return;
    }
    let pump = pump();
    let recorder = Locked::default();
    // What waits at the fork is the parent's, of this thread and of others.
    (0..7).for_each(|_| drop(block()));
    let done = Done::default();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.is() {
                drop(black_box(Vec::<u8>::with_capacity(100)));
            }
        });
        let says = Says(&done);
        // Forks come while that thread is inside of its stream.
        for _ in 0..20 {
            let is_right = in_child(|| {
                (0..3).for_each(|_| drop(block()));
                std::thread::spawn(|| drop(block()))
                    .join()
                    .expect("no panic");
                let (_, seen) = metrics::with_local_recorder(&recorder, || events(&pump));
                let own = std::process::id().to_string();
                let threads = seen
                    .iter()
                    .filter(|event| event.is("allocated", CLASS) && event.fields["thread"] == own);
                assert_eq!(threads.count(), 3, "{seen:?}");
                assert_eq!(count(&seen, "allocated"), 4, "{seen:?}");
                assert_eq!(recorder.of_class("class_allocations"), 4);
                let all = recorder.0.lock().expect("no panic");
                assert!(
                    all.iter().all(|(key, n)| !key.contains("lost") || *n == 0),
                    "{all:?}"
                );
                true
            });
            assert!(is_right);
        }
        drop(says);
    });
    let (_, seen) = events(&pump);
    let mine = seen
        .iter()
        .filter(|event| event.is("allocated", CLASS))
        .count();
    assert_eq!(mine, 7);
}

#[test]
fn a_child_may_stop_the_parent_s_pump_and_spawn_its_own() {
    if !is_alone("a_child_may_stop_the_parent_s_pump_and_spawn_its_own") {
        return;
    }
    let running = Cell::new(Some(
        Pump::spawn(Duration::from_micros(100)).expect("a thread"),
    ));
    for _ in 0..20 {
        // The parent's thread drains or not, as it happens.
        let is_right = in_child(|| {
            running.take().expect("made above").stop();
            let own = Pump::spawn(Duration::from_millis(1)).expect("a thread");
            drop(block());
            own.stop();
            true
        });
        assert!(is_right);
    }
    running.take().expect("made above").stop();
}

/// Blocks that the handler below has allocated and freed.
static HANDLED: AtomicU64 = AtomicU64::new(0);

extern "C" fn handler(_: libc::c_int) {
    drop(block());
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn signal_handlers_are_counted_or_lost() {
    const BLOCKS: u64 = 200_000;
    if !is_alone("signal_handlers_are_counted_or_lost") {
        return;
    }
    let pump = pump();
    let recorder = Locked::default();
    drain_into(&pump, &Locked::default());
    let action = handler as extern "C" fn(libc::c_int);
    // SAFETY: the handler allocates, frees and counts.
    unsafe { libc::signal(libc::SIGUSR1, action as libc::sighandler_t) };
    // SAFETY: no preconditions.
    let here = unsafe { libc::pthread_self() };
    let done = Done::default();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.is() {
                // SAFETY: that thread waits for this one.
                unsafe { libc::pthread_kill(here, libc::SIGUSR1) };
                for _ in 0..200 {
                    std::hint::spin_loop();
                }
            }
        });
        let says = Says(&done);
        for _ in 0..BLOCKS {
            drop(block());
        }
        drop(says);
    });
    let drained = drain_into(&pump, &recorder);
    let handled = HANDLED.load(Ordering::Relaxed);
    assert!(handled > 0);
    let counted = recorder.of_class("class_allocations") + recorder.of_class("class_frees");
    let full = recorder.get("hakmem_events_lost_total full");
    let kept_out = recorder.get("hakmem_events_lost_total interrupted")
        + recorder.get("hakmem_events_lost_total no_cache");
    assert_eq!(drained.lost, full + kept_out);
    eprintln!("{handled} signals, {counted} counted, {kept_out} kept out, {full} no room");
    assert_eq!(counted + kept_out, 2 * (BLOCKS + handled));
}
