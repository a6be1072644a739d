//! Producer and consumer: one thread allocates, another frees.
//!
//! Each pair of threads has a bounded queue of batches. The consumer reads each block
//! before it frees it. An operation is one block that crosses over.

use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::block::Block;
use hakmem_benches::prng::Prng;
use hakmem_benches::report::{Outcome, Report};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

const PROGRAM: Program = Program {
    name: "producer_consumer",
    about: "Blocks of 64 to 1000 bytes are allocated by one thread and freed by another.",
    parameters: &[
        Parameter::new("pairs", "of threads", 1, 1, 1024),
        Parameter::new("blocks", "by each pair", 5_000_000, 1, 1 << 40),
        Parameter::new("batch", "blocks handed over at a time", 100, 1, 1 << 20),
        Parameter::new("queue", "batches that may wait", 16, 1, 1 << 20),
        Parameter::seed(),
    ],
};

/// The smallest and the largest block, in bytes.
const SIZES: (u64, u64) = (64, 1000);

fn main() {
    Report::run(&PROGRAM, |[pairs, blocks, batch, queue, seed]| {
        producer_consumer(pairs, blocks, batch, queue, seed)
    });
}

fn producer_consumer(pairs: u64, blocks: u64, batch: u64, queue: u64, seed: u64) -> Outcome {
    let mut total = Outcome::default();
    thread::scope(|scope| {
        let running: Vec<_> = (0..pairs)
            .map(|pair| {
                let (sender, receiver) = sync_channel(queue as usize);
                let prng = Prng::stream(seed, pair);
                let producer = scope.spawn(move || produce(blocks, batch, prng, &sender));
                let consumer = scope.spawn(move || consume(&receiver));
                (producer, consumer)
            })
            .collect();
        for (producer, consumer) in running {
            let mut outcome = producer.join().expect("producers do not panic");
            let received = consumer.join().expect("consumers do not panic");
            outcome.checksum ^= received.rotate_left(32);
            total.join(outcome);
        }
    });
    total
}

fn produce(blocks: u64, batch: u64, mut prng: Prng, sender: &SyncSender<Vec<Block>>) -> Outcome {
    let mut outcome = Outcome::default();
    while outcome.operations < blocks {
        let count = batch.min(blocks - outcome.operations);
        let mut full = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let size = prng.between(SIZES.0, SIZES.1);
            full.push(Block::new(size as usize, size as u8));
            outcome.allocated(size);
        }
        outcome.operations += count;
        sender.send(full).expect("the consumer reads to the end");
    }
    outcome
}

/// The sum of what was read, when the producer is gone.
fn consume(receiver: &Receiver<Vec<Block>>) -> u64 {
    let mut sum = 0;
    for batch in receiver {
        for block in batch {
            sum += u64::from(block.mark());
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_do_the_same_whatever_the_schedule() {
        let first = producer_consumer(2, 1000, 7, 2, 42);
        assert_eq!(first, producer_consumer(2, 1000, 7, 2, 42));
        assert_ne!(
            first.checksum,
            producer_consumer(2, 1000, 7, 2, 43).checksum
        );
    }

    #[test]
    fn every_block_crosses_over() {
        let outcome = producer_consumer(2, 1001, 100, 1, 1);
        assert_eq!((outcome.operations, outcome.mallocs), (2002, 2002));
    }
}
