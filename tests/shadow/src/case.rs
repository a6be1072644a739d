//! A case: operations, one after the other, on a heap that is empty before and after.

use crate::operation::Operation;
use crate::shadow::Shadow;
use arbitrary::{Arbitrary, Result, Unstructured};
use std::sync::{Mutex, PoisonError};

/// A sequence of operations.
#[derive(Clone, Debug)]
pub struct Case(pub Vec<Operation>);

impl Case {
    /// Runs it; panics where hakmem does not do what it must. Cases of one process run one
    /// after the other, since each looks at the heap as a whole.
    pub fn run(&self) {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shadow = Shadow::default();
        for &operation in &self.0 {
            shadow.apply(operation);
        }
        shadow.finish();
    }
}

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let mut operations = Vec::new();
        while !input.is_empty() {
            operations.push(input.arbitrary()?);
        }
        Ok(Case(operations))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{Request, Size};

    /// Splitmix64: bytes that depend on the seed alone.
    fn bytes(seed: u64, count: usize) -> Vec<u8> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 56
        };
        (0..count).map(|_| next() as u8).collect()
    }

    fn run_seeds(seeds: std::ops::Range<u64>, count: usize) {
        for seed in seeds {
            let bytes = bytes(seed, count);
            let case = Case::arbitrary(&mut Unstructured::new(&bytes)).expect("always enough");
            // Shown when it fails, and enough to run the one again.
            println!("seed {seed}, {count} bytes, {} operations", case.0.len());
            case.run();
        }
    }

    #[test]
    fn many_short_cases() {
        run_seeds(0..400, 200);
    }

    #[test]
    fn some_long_cases() {
        run_seeds(1000..1010, 10_000);
    }

    #[test]
    fn every_operation_is_drawn() {
        let bytes = bytes(1, 20_000);
        let case = Case::arbitrary(&mut Unstructured::new(&bytes)).expect("always enough");
        let drawn: std::collections::HashSet<_> =
            case.0.iter().map(std::mem::discriminant).collect();
        assert_eq!(drawn.len(), 9);
    }

    /// Each size around a bound, at each alignment, grown and shrunk over it.
    #[test]
    fn around_every_power_of_two() {
        let mut operations = Vec::new();
        for shift in 4..=21 {
            for align in [1, 16, 64, 4096, 65536] {
                for size in [(1 << shift) - 1, 1 << shift, (1 << shift) + 1] {
                    let request = Request {
                        size: Size(size),
                        align,
                    };
                    operations.extend([
                        Operation::Allocate {
                            by: 0,
                            slot: 0,
                            request,
                            zeroed: true,
                        },
                        resize(0, size * 2 + 1),
                        resize(1, size),
                        resize(2, size / 2),
                        Operation::Walk,
                        Operation::Free { by: 1, slot: 0 },
                    ]);
                }
            }
        }
        Case(operations).run();
    }

    #[test]
    fn what_cannot_be_served_leaves_the_block() {
        let request = Request {
            size: Size(1000),
            align: 16,
        };
        let absurd = isize::MAX as usize - 64;
        Case(vec![
            Operation::Allocate {
                by: 0,
                slot: 0,
                request,
                zeroed: false,
            },
            resize(0, absurd),
            resize(1, absurd),
            Operation::Walk,
        ])
        .run();
    }

    fn resize(by: u8, size: usize) -> Operation {
        Operation::Resize {
            by,
            slot: 0,
            size: Size(size),
        }
    }
}
