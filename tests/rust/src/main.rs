//! A Rust program that watches itself: sets rules, frees, and writes to what it has freed. What
//! a test has to find by its line is marked by a comment in capitals at its end.

use hakmem_alloc::Hakmem;
use hakmem_alloc::debug::{self, WatchError, WatchId};
use std::hint::black_box;
use std::thread;

#[global_allocator]
static HAKMEM: Hakmem = Hakmem;

#[derive(Default)]
#[repr(C)]
struct Item {
    #[expect(dead_code, reason = "it is written alone")]
    first: u64,
    _second: [u64; 8],
}

#[inline(never)]
fn make_item() -> Box<Item> {
    black_box(Box::default())
}

#[inline(never)]
fn make_list() -> Vec<u64> {
    let mut list = Vec::new();
    for number in 0..100 {
        list.push(black_box(number));
    }
    list
}

#[inline(never)]
fn write_late(item: *mut Item, value: u64) {
    // SAFETY: there is none: this is the mistake that a watch is to find. The block is held
    // back by the watch, so that the memory is nobody's.
    unsafe {
        item.write_volatile(Item {
            first: value,
            ..Item::default()
        })
    }; // THE WRITE
}

fn errors() {
    let refusal = |rule| debug::watch(rule).expect_err("a refusal");
    let WatchError::Malformed { at, accepted, .. } = refusal("size=1 colour=red") else {
        panic!("not malformed");
    };
    assert_eq!(at, 7);
    assert!(accepted.contains("addr, size, class"), "{accepted}");
    assert!(refusal("size=").to_string().contains("byte 0"));
    let watch = debug::watch("size=1").expect("a watch");
    assert_eq!(debug::unwatch(watch), Ok(()));
    assert_eq!(debug::unwatch(watch), Err(WatchError::NoSuchWatch));
    let number = watch.number() + 1;
    let next = debug::watch("size=1").expect("a watch");
    assert_eq!(next, WatchId::from_number(number));
    debug::unwatch(next).expect("it is there");
}

fn main() {
    errors();
    let watch = debug::watch("site=make_item on=free do=arm words=0").expect("a watch");
    let lists = debug::watch("site=make_list on=alloc,realloc,free do=log").expect("a watch");
    drop(black_box(make_list()));
    let item = Box::into_raw(make_item());
    // SAFETY: it comes from a box.
    drop(unsafe { Box::from_raw(item) });
    let address = item as usize;
    thread::spawn(move || write_late(address as *mut Item, 42))
        .join()
        .expect("the thread");
    debug::unwatch(watch).expect("it is there");
    debug::unwatch(lists).expect("it is there");
    drop(black_box(make_list()));
    println!("end");
}
