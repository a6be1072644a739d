//! What the allocator does, as lines of `tracing-subscriber`:
//!
//! ```text
//! RUST_LOG=hakmem=debug cargo run --bin traced
//! RUST_LOG=hakmem=trace cargo run --bin traced
//! ```

use hakmem_alloc::Hakmem;
use hakmem_alloc::pump::Pump;
use std::error::Error;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static HAKMEM: Hakmem = Hakmem;

/// Buffers, and their bytes: of a size that nothing else in this program has.
const BUFFERS: usize = 100;
const BYTES: usize = 20_000;

fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .with_ansi(false)
        .with_writer(std::io::stdout)
        .init();
    let pump = Pump::spawn(Duration::from_millis(10))?;

    let mut here: Vec<Vec<u8>> = (0..BUFFERS).map(|_| Vec::with_capacity(BYTES)).collect();
    let there = here.split_off(BUFFERS / 2);
    drop(here);
    // Another thread frees the other half.
    std::thread::spawn(move || drop(there))
        .join()
        .expect("it only frees");

    eprintln!("{:?}", pump.stop());
    Ok(())
}
