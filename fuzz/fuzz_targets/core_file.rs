//! The readers of core files and heaps, on a small core file that is changed and cut short.
//!
//! Input: changes of six bytes each (four of an offset, the mask that is XORed, one to spare), and in the
//! last four bytes where the file is cut; where the input is an ELF file itself, it is taken as it is.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use hakmem_debug_tools::heap::Heap;
use hakmem_debug_tools::image::Image;
use libfuzzer_sys::fuzz_target;

#[path = "../../debug-tools/tests/after_crash/small_core.rs"]
mod small_core;

fuzz_target!(|input: &[u8]| {
    static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
    let whole = WHOLE.get_or_init(small_core::small_core);
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |n: usize, byte| n << 8 | *byte as usize)
    };
    let mut bytes = whole.clone();
    if input.starts_with(b"\x7fELF") {
        bytes = input.to_vec();
    } else if let Some((changes, cut)) = input.split_last_chunk::<4>() {
        for change in changes.chunks_exact(6) {
            let at = number(&change[..4]) % bytes.len();
            bytes[at] ^= change[4];
        }
        // Most inputs leave the file whole.
        if cut[0] & 7 == 0 {
            bytes.truncate(number(cut) % (bytes.len() + 1));
        }
    }
    let path = PathBuf::from(format!("/dev/shm/hakmem-fuzz-core.{}", std::process::id()));
    fs::write(&path, bytes).expect("a file for the input");
    if let Ok(image) = Image::of_core(&path)
        && let Ok(heap) = Heap::open(&image)
    {
        heap.verify();
        heap.reach();
        heap.references(0x4000_0000, 0x4000_0040);
        heap.for_each_live(|block| drop(heap.noted_stack(block.stack)));
        for thread in &image.threads {
            image.stack(thread);
        }
        for address in [
            0,
            0x10_0000,
            0x4000_0008,
            0x4000_1fff,
            0x5000_2060,
            u64::MAX,
        ] {
            heap.place(address);
            heap.nearest(address);
        }
    }
    let _ = fs::remove_file(&path);
});
