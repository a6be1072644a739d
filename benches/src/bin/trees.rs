//! Trees: binary trees of small nodes, built and dropped.
//!
//! After Boehm's GCBench and the binary-trees program of the benchmarks game: one tree
//! lives through the run while many smaller ones come and go. Nodes are boxes, so this
//! also is Rust's own way to malloc. An operation is one node.

use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::report::{Outcome, Report};

const PROGRAM: Program = Program {
    name: "trees",
    about: "Builds and drops binary trees of small nodes.",
    parameters: &[
        Parameter::new("depth", "of the tree that lives on", 18, 4, 28),
        Parameter::new(
            "rounds",
            "how often the set of short-lived trees is built",
            2,
            1,
            1 << 32,
        ),
    ],
};

/// The smallest depth of a short-lived tree.
const SHALLOWEST: u64 = 4;

struct Node {
    left: Option<Box<Node>>,
    right: Option<Box<Node>>,
}

fn main() {
    Report::run(&PROGRAM, |[depth, rounds]| trees(depth, rounds));
}

fn trees(depth: u64, rounds: u64) -> Outcome {
    let mut outcome = Outcome::default();
    let long_lived = Node::build(depth);
    for _ in 0..rounds {
        // The deeper the trees the fewer, so that each depth builds as many nodes.
        for shallow in (SHALLOWEST..=depth).step_by(2) {
            for _ in 0..1u64 << (depth - shallow) {
                outcome.checksum += Node::build(shallow).count();
            }
        }
    }
    outcome.checksum += long_lived.count();
    outcome.operations = outcome.checksum;
    outcome.mallocs = outcome.checksum;
    outcome
}

impl Node {
    /// A full tree with `2^(depth + 1) - 1` nodes.
    fn build(depth: u64) -> Box<Self> {
        let below = || (depth > 0).then(|| Self::build(depth - 1));
        let left = below();
        let right = below();
        Box::new(Self { left, right })
    }

    fn count(&self) -> u64 {
        let below = |node: &Option<Box<Self>>| node.as_ref().map_or(0, |node| node.count());
        1 + below(&self.left) + below(&self.right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_nodes_follows_from_the_depth() {
        assert_eq!(Node::build(3).count(), 15);
        // The long-lived one, and in the round one of depth 4.
        assert_eq!(trees(4, 1).operations, 31 + 31);
        // Depth 4 four times and depth 6 once.
        assert_eq!(trees(6, 1).mallocs, 127 + 4 * 31 + 127);
    }
}
