//! What the pump costs the program, in nanoseconds for each allocation with its free:
//!
//! ```text
//! cargo build --release --bin cost && cp target/release/cost /tmp/cost-with
//! cargo build --release --bin cost --no-default-features && cp target/release/cost /tmp/cost-without
//! for round in $(seq 9); do /tmp/cost-without; /tmp/cost-with; done
//! ```
//!
//! Each line is a case and the fastest of its turns. `drained` is for an event, with a subscriber that
//! formats and writes nowhere; `drain` and `drain_256` are for a drain without events, of an empty
//! heap and of one with 256 MiB in blocks of 1 KiB.

use hakmem_alloc::Hakmem;
use std::hint::black_box;
use std::time::Instant;

#[global_allocator]
static HAKMEM: Hakmem = Hakmem;

const PAIRS: u32 = 100_000;
const TURNS: usize = 40;

/// Nanoseconds for a pair.
fn pairs() -> f64 {
    let start = Instant::now();
    for _ in 0..PAIRS {
        drop(black_box(Box::new(black_box([0u64; 8]))));
    }
    start.elapsed().as_nanos() as f64 / f64::from(PAIRS)
}

fn fastest(mut turn: impl FnMut() -> f64) -> f64 {
    (0..TURNS).map(|_| turn()).fold(f64::INFINITY, f64::min)
}

#[cfg(not(feature = "pump"))]
fn main() {
    println!("without {:.2}", fastest(pairs));
}

#[cfg(feature = "pump")]
fn main() {
    use hakmem_alloc::pump::Pump;
    use tracing::level_filters::LevelFilter;

    println!("off {:.2}", fastest(pairs));

    let pump = Pump::new();
    pump.drain();
    // Nobody wants events: hooks count alone.
    println!("counted {:.2}", fastest(pairs));

    let drain = || {
        let start = Instant::now();
        pump.drain();
        start.elapsed().as_nanos() as f64
    };
    println!("drain {:.0}", fastest(drain));
    let heap: Vec<Box<[u8; 1024]>> = (0..256 << 10).map(|_| Box::new([1; 1024])).collect();
    println!("drain_256 {:.0}", fastest(drain));
    drop(heap);

    let everything = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(std::io::sink)
        .finish();
    tracing::subscriber::with_default(everything, || {
        pump.drain();
        // As many as a stream has room for, and drained outside of what is measured.
        const ROOM: u32 = 4000;
        let (mut drained, mut draining) = (0, std::time::Duration::ZERO);
        let streamed = fastest(|| {
            let start = Instant::now();
            for _ in 0..ROOM {
                drop(black_box(Box::new(black_box([0u64; 8]))));
            }
            let nanoseconds = start.elapsed().as_nanos() as f64 / f64::from(ROOM);
            let start = Instant::now();
            drained += pump.drain().events;
            draining += start.elapsed();
            nanoseconds
        });
        println!("streamed {streamed:.2}");
        println!("drained {:.2}", draining.as_nanos() as f64 / drained as f64);
        // Nobody drains any more.
        println!("full {:.2}", fastest(pairs));
    });
    drop(pump);
    println!("dropped {:.2}", fastest(pairs));
}
