//! Holds ten blocks, and asks for the state from which this thread allocates.

#[global_allocator]
static HAKMEM: hakmem_alloc::Hakmem = hakmem_alloc::Hakmem;

fn main() {
    let blocks: Vec<Box<[u8; 1000]>> = (0..10).map(|_| Box::new([1; 1000])).collect();
    hakmem_alloc::debug::dump();
    assert!(blocks.iter().all(|block| block[999] == 1));
}
