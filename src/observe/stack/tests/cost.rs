//! What a stack costs:
//!
//! ```sh
//! cargo test --release -p hakmem-alloc --features observed --lib -- --ignored what_a_stack --nocapture
//! ```

use super::*;
use crate::observe::modules;

/// Prints what a stack costs; not a test. The walks take turns, so that what slows the machine
/// slows all of them.
#[test]
#[ignore = "prints figures: --release, and alone"]
fn what_a_stack_costs() {
    use core::sync::atomic::Ordering;
    use std::println;
    use std::time::Instant;
    const ROUNDS: usize = 501;
    const DEPTHS: [usize; 5] = [1, 4, 16, 32, 64];
    let modes = [Mode::Off, Mode::FramePointers, Mode::Table, Mode::Exact];
    let measure = |caller: Caller, mode: Mode, depth: usize, times: usize| {
        MODE.store(mode as u8, Ordering::Relaxed);
        DEPTH.store(depth, Ordering::Relaxed);
        let local = Local::NEW;
        local.began();
        let mut room = [MaybeUninit::uninit(); FRAMES];
        assert_eq!(
            capture_into(&local, caller, &mut room).len(),
            if mode == Mode::Off { 1 } else { depth }
        );
        let start = Instant::now();
        for _ in 0..times {
            let caller = std::hint::black_box(caller);
            std::hint::black_box(capture_into(&local, caller, &mut room));
        }
        start.elapsed().as_nanos() as f64 / times as f64
    };
    // No walk along frame pointers can be faster: one load after the other.
    let bare = |caller: Caller, depth: usize| {
        let mut frames = [0usize; FRAMES];
        let start = Instant::now();
        for _ in 0..1000 {
            let mut fp = std::hint::black_box(caller).fp() as *const usize;
            for frame in &mut frames[..depth] {
                // SAFETY: a chain of frames that is longer.
                unsafe { (*frame, fp) = (*fp.add(1), *fp as *const usize) };
            }
            std::hint::black_box(&mut frames);
        }
        start.elapsed().as_nanos() as f64 / 1000.0
    };
    libraries()[0].visit(c"nested", 100, &mut |caller, theirs| {
        let rule = |pc: u64| {
            let pc = pc as usize - 1;
            modules::meet(pc).and_then(|module| unwind_table::rule(module, pc))
        };
        let start = Instant::now();
        for &pc in theirs.iter().cycle().take(10_000) {
            std::hint::black_box(rule(pc));
        }
        let each = start.elapsed().as_nanos() / 10_000;
        println!("a rule that is not there yet: {each} ns");
        let mut bares: Vec<f64> = (0..ROUNDS).map(|_| bare(caller, 15)).collect();
        bares.sort_by(f64::total_cmp);
        println!(
            "bare chain of 15: least {:.1} ns, median {:.1} ns",
            bares[0],
            bares[ROUNDS / 2]
        );
        let mut figures: Vec<Vec<f64>> = std::vec![Vec::new(); modes.len() * DEPTHS.len()];
        for _ in 0..ROUNDS {
            for (i, mode) in modes.into_iter().enumerate() {
                for (j, depth) in DEPTHS.into_iter().enumerate() {
                    let times = if mode == Mode::Exact { 20 } else { 1000 };
                    figures[i * DEPTHS.len() + j].push(measure(caller, mode, depth, times));
                }
            }
        }
        for (i, mode) in modes.into_iter().enumerate() {
            for (j, depth) in DEPTHS.into_iter().enumerate() {
                let all = &mut figures[i * DEPTHS.len() + j];
                all.sort_by(f64::total_cmp);
                let (least, median) = (all[0], all[all.len() / 2]);
                println!("{mode:?} {depth:2} frames: least {least:6.1} ns, median {median:6.1} ns");
            }
        }
    });
}
