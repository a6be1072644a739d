//! A pipeline of threads with channels between them, on hakmem: lines are made by some
//! threads, parsed by others and summed up by one, so that each block is freed by a thread that
//! did not allocate it.
//!
//! ```text
//! 2 makers ── lines ──► 2 parsers ── numbers ──► 1 collector
//! ```

use crossbeam_channel::{Receiver, Sender, bounded};
use hakmem_examples::Served;
use std::sync::mpsc;
use std::thread;

#[global_allocator]
static HAKMEM: hakmem_alloc::Hakmem = hakmem_alloc::Hakmem;

const MAKERS: u64 = 2;
const LINES: u64 = 50_000;
const NUMBERS: u64 = 8;

fn main() {
    let served = Served::since_now();
    let (lines_to, lines) = bounded(256);
    let (numbers_to, numbers) = mpsc::sync_channel(256);
    let (count, sum) = thread::scope(|scope| {
        for maker in 0..MAKERS {
            let lines_to = lines_to.clone();
            scope.spawn(move || make(maker, &lines_to));
        }
        for _ in 0..2 {
            let (lines, numbers_to) = (lines.clone(), numbers_to.clone());
            scope.spawn(move || parse(&lines, &numbers_to));
        }
        // The ends of this thread: the pipeline stops when the last is gone.
        drop((lines_to, lines, numbers_to));
        scope
            .spawn(move || collect(&numbers))
            .join()
            .expect("it does not panic")
    });

    let all = MAKERS * LINES;
    assert_eq!(count, all);
    assert_eq!(sum, (0..all).sum::<u64>() * NUMBERS);
    // Nearly a line and a vector of numbers each: what is left when a thread ends may get
    // another owner before it is freed.
    let crossed = served.crossed(all * 19 / 10);
    println!("{count} lines, their sum is {sum}; {crossed} blocks freed by another thread");
}

fn make(maker: u64, lines: &Sender<String>) {
    for number in maker * LINES..(maker + 1) * LINES {
        let words = vec![number.to_string(); NUMBERS as usize];
        lines.send(words.join(" ")).expect("the parsers wait");
    }
}

fn parse(lines: &Receiver<String>, numbers: &mpsc::SyncSender<Vec<u64>>) {
    for line in lines {
        let parsed = line.split(' ').map(|word| word.parse().expect("a number"));
        numbers.send(parsed.collect()).expect("the collector waits");
    }
}

fn collect(numbers: &mpsc::Receiver<Vec<u64>>) -> (u64, u64) {
    numbers.iter().fold((0, 0), |(count, sum), numbers| {
        (count + 1, sum + numbers.iter().sum::<u64>())
    })
}
