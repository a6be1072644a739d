//! CWE: 401
//! Kinds: leak
//! Found: leaks
//!
//! Nodes own one another by Rc in a cycle.

use hakmem_corpus::{scrub, wrong};
use std::cell::RefCell;
use std::rc::Rc;

struct Node {
    next: RefCell<Option<Rc<Node>>>,
    weight: u64,
}

#[inline(never)]
fn cycle(weight: u64) -> u64 {
    let node = || {
        Rc::new(Node {
            next: RefCell::new(None),
            weight,
        })
    };
    let (first, second) = (node(), node());
    *first.next.borrow_mut() = Some(Rc::clone(&second));
    *second.next.borrow_mut() = Some(Rc::clone(&first));
    if !wrong() {
        first.next.borrow_mut().take();
    }
    first.weight + second.weight
}

fn main() {
    let total: u64 = (0..15).map(cycle).sum();
    scrub();
    println!("{total}");
}
