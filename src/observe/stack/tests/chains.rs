//! Frames made up, whole and broken.

use super::*;
use crate::sys::memory::{self, PAGE};

const CODE: usize = 0x5555_0000_0000;

/// Frames as a chain of functions with frame pointers leaves them, lowest first, four words each,
/// on this thread's stack.
#[repr(C, align(16))]
struct Chain<const N: usize>([[usize; 4]; N]);

impl<const N: usize> Chain<N> {
    /// `frame[i][0]` points to `frame[i + 1]`, the last is null.
    fn link(&mut self) {
        for i in 0..N {
            let above = self.0.get(i + 1).map_or(0, |frame| frame.as_ptr() as usize);
            self.0[i][..2].copy_from_slice(&[above, CODE + i]);
        }
    }

    fn address(&self, i: usize) -> usize {
        self.0[i].as_ptr() as usize
    }
}

/// The walk from a function that was called with the frame pointer `fp`, the stack pointer at
/// `sp`.
fn walked(fp: usize, sp: usize) -> Vec<u64> {
    let local = Local::NEW;
    local.began();
    walked_by(&local, fp, sp)
}

fn walked_by(local: &Local, fp: usize, sp: usize) -> Vec<u64> {
    let mut room = [MaybeUninit::uninit(); FRAMES];
    let from = Registers { pc: CODE, sp, fp };
    local.bounds.around(sp);
    let count = frame_pointers::walk(&local.bounds, from, &mut room, FRAMES);
    // SAFETY: the walk says how many it has written.
    unsafe { room[..count].assume_init_ref() }.to_vec()
}

fn codes(of: impl IntoIterator<Item = usize>) -> Vec<u64> {
    std::iter::once(CODE)
        .chain(of)
        .map(|pc| pc as u64)
        .collect()
}

#[test]
fn a_chain_is_followed() {
    let mut chain = Chain([[0; 4]; 8]);
    chain.link();
    assert_eq!(
        walked(chain.address(0), chain.address(0)),
        codes(CODE..CODE + 8)
    );
    // A function without a frame pointer is left out.
    assert_eq!(
        walked(chain.address(3), chain.address(0)),
        codes(CODE + 3..CODE + 8)
    );
}

#[test]
fn the_first_is_the_caller_s_exactly() {
    let frame = [0usize, CODE + 7];
    // SAFETY: a frame, as the head of caller.rs draws it.
    let caller = unsafe { Caller::new(frame.as_ptr(), Api::Malloc) };
    let mut frames = [0; FRAMES];
    let local = Local::NEW;
    assert_eq!(capture(&local, caller, &mut frames), 1);
    assert_eq!(frames[0] as usize, CODE + 7);
}

#[test]
fn a_broken_chain_ends_the_walk() {
    let mut chain = Chain([[0; 4]; 8]);
    let hole = memory::reserve(PAGE, PAGE).expect("a page");
    let (first, third) = (0, 3);
    for wrong in [
        0,
        1,
        8,
        usize::MAX,
        usize::MAX - 7,
        1 << 47,
        0x8000_0000_0000_0000,
        hole,
        hole + 8,
        CODE,
    ] {
        chain.link();
        chain.0[third][0] = wrong;
        assert_eq!(
            walked(chain.address(first), chain.address(first)),
            codes(CODE..CODE + 4),
            "{wrong:#x}"
        );
        assert_eq!(walked(wrong, chain.address(first)), codes([]), "{wrong:#x}");
    }
    // To itself, downwards, and not aligned.
    for wrong in [chain.address(3), chain.address(1), chain.address(5) + 1] {
        chain.link();
        chain.0[third][0] = wrong;
        assert_eq!(
            walked(chain.address(0), chain.address(0)),
            codes(CODE..CODE + 4)
        );
    }
    // Return addresses that are none.
    for wrong in [0, 1, 4096, 1 << 47, usize::MAX] {
        chain.link();
        chain.0[third][1] = wrong;
        assert_eq!(
            walked(chain.address(0), chain.address(0)),
            codes(CODE..CODE + 3)
        );
    }
}

#[test]
fn a_stack_of_one_s_own_is_walked_to_its_end() {
    const PAGES: usize = 4;
    let map = memory::reserve((PAGES + 2) * PAGE, PAGE).expect("pages");
    let stack = map + PAGE;
    // SAFETY: reserved above; a hole stays on both sides.
    assert!(unsafe { memory::commit(stack, PAGES * PAGE) });
    let words = stack as *mut usize;
    let at = |index: usize| stack + index * 1024;
    let frames = PAGES * 4;
    for i in 0..frames {
        // SAFETY: inside of the pages.
        unsafe {
            *words.add(i * 128) = at(i + 1);
            *words.add(i * 128 + 1) = CODE + i;
        }
    }
    let local = Local::NEW;
    for _ in 0..3 {
        assert_eq!(walked_by(&local, at(0), at(0)), codes(CODE..CODE + frames));
    }
    // From there back to the thread's own stack.
    let mut chain = Chain([[0; 4]; 2]);
    chain.link();
    // SAFETY: as above.
    unsafe { *words.add(2 * 128) = chain.address(0) };
    let expected = codes((CODE..CODE + 3).chain(CODE..CODE + 2));
    assert_eq!(walked_by(&local, at(0), at(0)), expected);
    assert_eq!(
        walked_by(&local, chain.address(0), chain.address(0)),
        codes(CODE..CODE + 2)
    );
    // SAFETY: nobody uses the pages any more.
    unsafe { memory::unmap(map, (PAGES + 2) * PAGE) };
    // What was known of it is not believed.
    assert_eq!(walked_by(&local, at(0), at(0)), codes([]));
}

#[test]
fn bounds_are_those_of_the_thread() {
    for _ in 0..4 {
        let thread = std::thread::spawn(|| {
            let local = Local::NEW;
            local.began();
            let here = 0usize;
            let sp = &raw const here as usize & !15;
            let own = local.bounds.around(sp).expect("its own stack");
            assert!(own.contains(sp) && own.contains(own.hi - 8));
            // Deeper, and much deeper.
            for down in [PAGE, 64 * PAGE] {
                let own = local.bounds.around(sp - down).expect("its own stack");
                assert!(own.contains(sp - down));
            }
            // Off its lower end.
            assert!(local.bounds.around(sp - (16 << 20)).is_none());
            own.hi
        });
        thread.join().expect("it ends well");
    }
}

#[test]
fn deep_recursion_is_walked_from_its_inner_end() {
    fn descend(depth: usize, above: usize, local: &Local) {
        let mut chain = Chain([[0; 4]; 32]);
        chain.link();
        chain.0[31][0] = above;
        let count = walked_by(local, chain.address(0), chain.address(0)).len();
        assert_eq!(count, FRAMES.min(1 + 32 * (DEEP + 1 - depth)));
        if depth > 0 {
            descend(depth - 1, chain.address(0), local);
        }
    }
    const DEEP: usize = 2000;
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(|| {
        let local = Local::NEW;
        local.began();
        descend(DEEP, 0, &local);
    });
    thread.expect("a thread").join().expect("it ends well");
}
