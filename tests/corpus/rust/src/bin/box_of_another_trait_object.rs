//! CWE: 762
//! Kinds: size-mismatch
//! Found: default
//!
//! Puts a pointer behind the table of another type's trait, and drops the object by that.

use hakmem_corpus::{seen, wrong};

trait Shape {
    fn corners(&self) -> u64;
}

struct Square([u64; 4]);
struct Polygon([u64; 90]);

impl Shape for Square {
    fn corners(&self) -> u64 {
        self.0[0]
    }
}

impl Shape for Polygon {
    fn corners(&self) -> u64 {
        self.0[89]
    }
}

fn main() {
    let polygon = seen(Box::into_raw(Box::new(Polygon([90; 90]))));
    // SAFETY: none: it is no square.
    let shape: Box<dyn Shape> = unsafe {
        if wrong() {
            Box::from_raw(polygon.cast::<Square>())
        } else {
            Box::from_raw(polygon)
        }
    };
    println!("{}", shape.corners());
}
