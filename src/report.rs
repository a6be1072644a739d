//! Statistics as they are printed: when, what of them, and where.
//!
//! ```text
//! HAKMEM_STATS            which areas
//! HAKMEM_STATS_FILE       appended to; standard error if not set
//! at exit                 always
//! HAKMEM_STATS_SIGNAL     when the signal comes; by the next slow path, if it came in the middle
//!                         of a change
//! HAKMEM_STATS_EVERY_SEC  by the first slow path after so many seconds
//! ```
//!
//! What learning has learnt is printed here too.
//!
//! A slow path asks [`poll`], which looks at one word while nothing is wanted.

use crate::config;
use crate::options;
use crate::stats::{self, Areas};
use crate::sys::append::Append;
use crate::sys::{clock, environment, once_signal, process, stderr};
use crate::thread_cache::ThreadCache;
use crate::thread_cache::front::{Front, Quiet};
use crate::tuning;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Something may be due: printing every so often, or at once, or the end of learning.
const EVERY: u32 = 1;
const NOW: u32 = 2;
const FREEZE: u32 = 4;
static WANTED: AtomicU32 = AtomicU32::new(0);
/// When the next printing is due, milliseconds.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// The file's name, as the environment had it at the start: a program may overwrite that.
struct Name {
    bytes: UnsafeCell<[u8; Name::LONGEST]>,
    /// Written after `bytes`, Release; 0 for no file.
    len: AtomicUsize,
}

// SAFETY: `bytes` is written once, by the set-up, before `len` says that there are any.
unsafe impl Sync for Name {}

static FILE: Name = Name {
    bytes: UnsafeCell::new([0; Name::LONGEST]),
    len: AtomicUsize::new(0),
};

impl Name {
    const LONGEST: usize = 1024;

    fn set(&self, name: &[u8]) {
        if name.len() >= Self::LONGEST {
            stderr::write(b"hakmem: HAKMEM_STATS_FILE is too long a name; it is ignored\n");
            return;
        }
        // SAFETY: the set-up runs once, and nobody reads before `len` is set.
        let bytes = unsafe { &mut *self.bytes.get() };
        bytes[..name.len()].copy_from_slice(name);
        self.len.store(name.len(), Ordering::Release);
    }

    fn get(&self) -> &[u8] {
        let len = self.len.load(Ordering::Acquire);
        // SAFETY: written before `len`, and not any more.
        unsafe { &(&*self.bytes.get())[..len] }
    }
}

/// Sees to it that all is printed that the options want. Called once, by the set-up.
pub(crate) fn set_up() {
    let options = config::get();
    let is_learning = options.alloc_learn || options.mem_learn;
    let prints_learnt = is_learning && options.learn_print == Some(1);
    if options.stats == 0 && !prints_learnt && options.learn_freeze_sec.is_none() {
        return;
    }
    // Some programs close it before they end.
    stderr::keep();
    // SAFETY: this runs in one of the process's first allocations, as `config`'s reading does.
    if let Some(mut variables) = unsafe { environment::variables() } {
        let name = options::STATS_FILE.as_bytes();
        let found = variables.find_map(|entry| entry.strip_prefix(name)?.strip_prefix(b"="));
        FILE.set(found.unwrap_or(b""));
    }
    let mut wanted = 0;
    if options.stats != 0 && options.stats_every_sec > 0 {
        wanted |= EVERY;
        set_next(clock::now_ms());
    }
    if is_learning && options.learn_freeze_sec.is_some_and(|seconds| seconds > 0) {
        wanted |= FREEZE;
    }
    WANTED.fetch_or(wanted, Ordering::Relaxed);
    if options.stats != 0 && options.stats_signal != 0 {
        once_signal::handle(options.stats_signal as i32, signalled);
    }
    process::at_exit(exits);
}

fn set_next(now: u64) {
    let every = u64::from(config::get().stats_every_sec) * 1000;
    NEXT.store(now + every, Ordering::Relaxed);
}

extern "C" fn exits() {
    let options = config::get();
    if options.stats != 0 {
        print();
    }
    if (options.alloc_learn || options.mem_learn) && options.learn_print == Some(1) {
        print_learnt();
    }
}

/// The signal has come, to this thread. No lock of ours is held by it unless it is busy.
extern "C" fn signalled(_: i32) {
    if Front::current().is_busy() {
        WANTED.fetch_or(NOW, Ordering::Relaxed);
    } else {
        print();
    }
}

/// Prints what has come due. Called on slow paths, without locks, in no change.
#[inline(always)]
pub(crate) fn poll() {
    if WANTED.load(Ordering::Relaxed) != 0 {
        poll_slow();
    }
}

#[cold]
#[inline(never)]
fn poll_slow() {
    if Front::current().is_busy() {
        return;
    }
    if WANTED.fetch_and(!NOW, Ordering::Relaxed) & NOW != 0 {
        print();
    }
    let wanted = WANTED.load(Ordering::Relaxed);
    if wanted & EVERY != 0 {
        let (now, next) = (clock::now_ms(), NEXT.load(Ordering::Relaxed));
        let after = now + u64::from(config::get().stats_every_sec) * 1000;
        let mine = now >= next
            && NEXT
                .compare_exchange(next, after, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if mine {
            print();
        }
    }
    if wanted & FREEZE != 0 && tuning::is_time_up() {
        freeze();
    }
}

/// Ends learning, and prints what was learnt; says whether there was something to end.
pub(crate) fn freeze() -> bool {
    WANTED.fetch_and(!FREEZE, Ordering::Relaxed);
    let options = config::get();
    let ends = (options.alloc_learn || options.mem_learn) && tuning::freeze();
    if ends {
        print_learnt();
    }
    ends
}

/// Prints the statistics that the options name to where they say.
fn print() {
    let _quiet = Quiet::begin();
    let areas = Areas::of(config::get().stats);
    to_lines(|sink| {
        if areas.json() {
            stats::statistics().write_json(sink);
            sink(b"\n");
        } else {
            stats::statistics().write_areas(areas, sink);
        }
    });
}

/// Prints what was learnt as variables to set, in one line.
fn print_learnt() {
    let _quiet = Quiet::begin();
    let options = config::get();
    to_lines(|sink| {
        sink(b"hakmem: learnt:");
        let mut say = |name: &str, number: u32| {
            let mut out = stats::Text(&mut *sink);
            out.text(" ")
                .text(name)
                .text("=")
                .number(u64::from(number), 0);
        };
        if options.alloc_learn {
            let (hot, capacity, batch) = ThreadCache::learnt();
            say("HAKMEM_TINY_SFC_HOT_CLASSES", hot.clamp(1, 16));
            say("HAKMEM_TINY_SFC_CAPACITY", capacity.clamp(32, 512));
            say("HAKMEM_TINY_TLS_REFILL", batch.clamp(4, 256));
        }
        if options.mem_learn {
            let (delay, stock, huge) = tuning::learnt();
            say("HAKMEM_PURGE_DELAY_MS", delay);
            say("HAKMEM_STOCK_MB", stock);
            say("HAKMEM_HUGE_PAGES", u32::from(huge));
        }
        sink(b"\n");
    });
}

/// Calls `write` with a sink for its text, which goes to the file or to standard error, a line a
/// write, so that other writers' lines come between and not within; long ones in pieces.
fn to_lines(write: impl FnOnce(&mut dyn FnMut(&[u8]))) {
    let file = open();
    let mut line = [0u8; 1024];
    let mut len = 0;
    write(&mut |piece| {
        for &byte in piece {
            line[len] = byte;
            len += 1;
            if byte == b'\n' || len == line.len() {
                match &file {
                    Some(file) => file.write(&line[..len]),
                    None => stderr::write(&line[..len]),
                }
                len = 0;
            }
        }
    });
}

/// The file, if there is to be one and it can be had.
fn open() -> Option<Append> {
    let name = FILE.get();
    if name.is_empty() {
        return None;
    }
    // Room for the process's number, and the zero byte.
    let mut path = [0u8; Name::LONGEST + 32];
    let mut len = 0;
    let mut rest = name;
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%' && after.first() == Some(&b'p') && len < Name::LONGEST {
            len += digits(process::id(), &mut path[len..]);
            rest = &after[1..];
        } else {
            *path.get_mut(len)? = byte;
            len += 1;
            rest = after;
        }
    }
    let path = core::ffi::CStr::from_bytes_until_nul(&path).ok()?;
    let file = Append::open(path);
    if file.is_none() {
        stderr::write(b"hakmem: the file that HAKMEM_STATS_FILE names cannot be opened\n");
    }
    file
}

/// Writes a number in decimal; how many bytes it takes.
fn digits(number: u32, into: &mut [u8]) -> usize {
    let mut len = 0;
    stats::Text(&mut |piece| {
        for &byte in piece {
            if let Some(place) = into.get_mut(len) {
                *place = byte;
                len += 1;
            }
        }
    })
    .number(u64::from(number), 0);
    len
}
