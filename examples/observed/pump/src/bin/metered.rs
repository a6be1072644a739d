//! What the allocator does, for Prometheus to collect:
//!
//! ```text
//! cargo run --bin metered 127.0.0.1:9000 &
//! curl http://127.0.0.1:9000/metrics
//! ```
//!
//! Each line on standard input makes it allocate and free some more; at the end of input it ends.

use hakmem_alloc::Hakmem;
use hakmem_alloc::pump::Pump;
use metrics_exporter_prometheus::PrometheusBuilder;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

#[global_allocator]
static HAKMEM: Hakmem = Hakmem;

/// Buffers that are allocated each time, those of them that stay, and their bytes: of a size that
/// nothing else in this program has.
const BUFFERS: usize = 100;
const KEPT: usize = 40;
const BYTES: usize = 20_000;

fn main() -> Result<(), Box<dyn Error>> {
    let address: SocketAddr = match std::env::args().nth(1) {
        Some(argument) => argument.parse()?,
        None => ([127, 0, 0, 1], 9000).into(),
    };
    PrometheusBuilder::new()
        .with_http_listener(address)
        .install()?;
    let pump = Pump::spawn(Duration::from_millis(10))?;

    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut buffers: Vec<Vec<u8>> = (0..BUFFERS).map(|_| Vec::with_capacity(BYTES)).collect();
        kept.extend(buffers.drain(..KEPT));
        drop(buffers);
        // What this thread has done can be collected from here on.
        pump.drain();
        println!("{} buffers are kept", kept.len());
        if std::io::stdin().read_line(&mut String::new())? == 0 {
            break;
        }
    }
    eprintln!("{:?}", pump.stop());
    Ok(())
}
