//! A Rust program on the allocator by its crate, which prints what it knows of its blocks, `live` or
//! `free` with address and size, and dies.

use std::hint::black_box;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;

#[global_allocator]
static HAKMEM: hakmem_alloc::Hakmem = hakmem_alloc::Hakmem;

static HELD: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

const SIZES: [usize; 8] = [16, 40, 200, 1500, 5000, 20_000, 100_000, 3 << 20];

fn made(count: usize) -> Vec<Vec<u8>> {
    let size = |index: usize| SIZES[index % if index < 64 { 8 } else { 6 }];
    (0..count)
        .map(|index| black_box(vec![7; size(index)]))
        .collect()
}

/// Frees every third one of sizes that nothing else here is asked for, and says so.
fn thin(blocks: Vec<Vec<u8>>, lines: &mut Vec<String>) -> Vec<Vec<u8>> {
    let (mut kept, mut index) = (Vec::with_capacity(blocks.len()), 0);
    for block in blocks {
        let line = format!("{:p} {}", block.as_ptr(), block.len());
        index += 1;
        if index % 3 == 0 && (200..=20_000).contains(&block.len()) {
            lines.push(format!("free {line}"));
        } else {
            lines.push(format!("live {line}"));
            kept.push(block);
        }
    }
    kept
}

fn main() {
    let (done, is_done) = channel();
    let mut lines = Vec::with_capacity(4000);
    HELD.lock().unwrap().reserve(4000);
    let own = made(1200);
    let other = thread::spawn(move || {
        let of_thread = made(600);
        done.send(of_thread).unwrap();
        thread::park();
    });
    let of_thread = is_done.recv().unwrap();
    let kept = thin(own, &mut lines);
    HELD.lock().unwrap().extend(kept);
    let kept = thin(of_thread, &mut lines);
    HELD.lock().unwrap().extend(kept);
    println!("{}", lines.join("\n"));
    black_box(&other);
    std::process::abort();
}
