//! The files whose code is or was mapped: programs, libraries, the kernel's own.
//!
//! ```text
//! MODULES  [Module *] [Module *] [Module *] [null] …     append-only, by slot
//!               │          └──────► path, build id       in memory that is never unmapped
//! NEAREST  [Module *] …             by page of code, a cache in front of the list
//! ```
//!
//! A module gets here when the loader is asked for all ([`refresh`]: at the set-up, and from
//! places that are no hooks), or when an address in it is met ([`meet`]): then glibc's
//! `_dl_find_object` says what is mapped there without a lock. Nobody tells when a file is
//! unmapped: its module ends when a refresh does not see it any more, or when another file is
//! met in its place.
//!
//! 1. A slot is set once, and the slots below [`MODULES`]' first null are set.
//! 2. A module's description never changes; only its end is written, and taken back when the same
//!    file comes to the same place again.
//! 3. [`generation`] rises after each change of the above, so what was derived from the list is
//!    good as long as it is the same before and after.

use crate::sys::loader::{self, Object};
use crate::sys::memory;
use crate::sys::process;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

/// Most modules that are kept; what is loaded beyond is not known.
const MOST: usize = 4096;
/// Places in the cache.
const NEAR: usize = 1024;
/// Longest path that is kept, with what stands before it if it is relative.
const PATH_MAX: usize = 1024;

/// Set once, Release, and read Acquire: the module is complete then.
static MODULES: [AtomicPtr<Module>; MOST] = [const { AtomicPtr::new(ptr::null_mut()) }; MOST];
/// A module that is near the pages of a place. Release and Acquire, for the same reason; a stale
/// one is found by its bounds.
static NEAREST: [AtomicPtr<Module>; NEAR] = [const { AtomicPtr::new(ptr::null_mut()) }; NEAR];
/// Counts the changes. Release after a change, Acquire before the list is read.
static GENERATION: AtomicU32 = AtomicU32::new(0);
/// The rest of the memory for descriptions: the next address, and the end of its chunk in turn.
static ROOM: AtomicUsize = AtomicUsize::new(0);

/// A file that is or was mapped.
pub(crate) struct Module {
    /// Its absolute path, or a name that is none, as the kernel's own have.
    pub(crate) path: &'static [u8],
    /// What is added to the file's addresses (load bias).
    pub(crate) base: usize,
    /// The lowest address of its mapping, and the one behind the highest.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The GNU build id; empty if it has none.
    pub(crate) build_id: &'static [u8],
    /// Its table of unwind information; 0 if it has none.
    pub(crate) eh_frame_hdr: usize,
    /// The generation that ends it; 0 while it is mapped as far as is known. Relaxed: who asks
    /// has read the generation.
    unloaded: AtomicU32,
}

impl Module {
    /// Whether it is mapped, as far as is known.
    pub(crate) fn is_loaded(&self) -> bool {
        self.unloaded.load(Ordering::Relaxed) == 0
    }

    fn contains(&self, address: usize) -> bool {
        (self.start..self.end).contains(&address)
    }

    /// Whether the loader means the same file in the same place. Its two accounts of where that
    /// begins and ends may differ by less than a page.
    fn is(&self, object: &Object) -> bool {
        (self.base, self.eh_frame_hdr) == (object.bias, object.eh_frame_hdr)
            && self.start < object.end
            && object.start < self.end
            && self.build_id == object.build_id()
            && (object.name().is_empty() || self.path.ends_with(file_name(object.name())))
    }
}

/// What stands behind the last slash.
fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

/// Enters what is mapped now. Once, at the process's set-up.
pub(crate) fn set_up() {
    refresh();
}

/// Rises with each change of the list.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Acquire)
}

/// Calls `each` with every module there is or was, in the order in which they were seen.
pub(crate) fn each(mut each: impl FnMut(&'static Module)) {
    all().for_each(&mut each);
}

fn all() -> impl Iterator<Item = &'static Module> {
    let slots = MODULES.iter();
    slots.map_while(|slot| {
        // SAFETY: null, or a module that is complete and never unmapped.
        unsafe { slot.load(Ordering::Acquire).as_ref() }
    })
}

/// Brings the list up to date. Takes the loader's lock: not from a hook.
#[cold]
pub(crate) fn refresh() {
    let mut seen = [0u64; MOST / 64];
    loader::each(|object| {
        if let Some(index) = enter(object) {
            seen[index / 64] |= 1 << (index % 64);
        }
    });
    for (index, module) in all().enumerate() {
        if seen[index / 64] & 1 << (index % 64) == 0 && !is_there(module) {
            end(module);
        }
    }
}

/// Whether a module that [`refresh`] did not see is mapped all the same: it came meanwhile.
fn is_there(module: &Module) -> bool {
    loader::find(module.start).is_some_and(|object| module.is(&object))
}

/// The module that an address lies in. For hooks.
#[inline]
pub(crate) fn of(address: usize) -> Option<&'static Module> {
    let near = &NEAREST[(address >> memory::PAGE.ilog2()) % NEAR];
    // SAFETY: null, or a module that is complete and never unmapped.
    if let Some(module) = unsafe { near.load(Ordering::Acquire).as_ref() }
        && module.contains(address)
        && module.is_loaded()
    {
        return Some(module);
    }
    of_slow(address, near)
}

#[cold]
#[inline(never)]
fn of_slow(address: usize, near: &AtomicPtr<Module>) -> Option<&'static Module> {
    let module = all().find(|module| module.contains(address) && module.is_loaded())?;
    near.store(ptr::from_ref(module).cast_mut(), Ordering::Release);
    Some(module)
}

/// The module that an address lies in, entered if it was not known, and after a look whether it
/// is still the one that was. For hooks that meet an address for the first time: it calls glibc,
/// without a lock, and compares. Without `_dl_find_object` it is [`of`].
///
/// The address is to be one that runs, or has just run, code: a file that another thread unmaps in
/// the middle of this could not be read.
pub(crate) fn meet(address: usize) -> Option<&'static Module> {
    if !loader::finds() {
        return of(address);
    }
    let known = of(address);
    let Some(object) = loader::find(address) else {
        // A kernel's page or a generated function, or a file that is gone.
        if let Some(module) = known {
            end(module);
        }
        return None;
    };
    if let Some(module) = known
        && module.is(&object)
    {
        return known;
    }
    let index = enter(&object)?;
    // SAFETY: `enter` returns the index of a slot that is set; modules are never unmapped.
    unsafe { MODULES[index].load(Ordering::Acquire).as_ref() }
}

/// Meets the return addresses of a stack that waits: neighbours are mostly of one module, which cannot
/// be another one from one to the next.
pub(crate) fn meet_stack(frames: &[u64]) {
    let mut met: Option<&Module> = None;
    for &frame in frames {
        let address = frame as usize;
        if !met.is_some_and(|module| module.contains(address)) {
            met = meet(address);
        }
    }
}

/// The slot of the module that `object` is, which is entered if it is new; `None` without room.
fn enter(object: &Object) -> Option<usize> {
    let mut made: Option<NonNull<Module>> = None;
    for (index, slot) in MODULES.iter().enumerate() {
        // SAFETY: null, or a module that is complete and never unmapped.
        if let Some(module) = unsafe { slot.load(Ordering::Acquire).as_ref() } {
            if module.is(object) {
                if module.unloaded.swap(0, Ordering::Relaxed) != 0 {
                    end_others(index, module);
                    changed();
                }
                return Some(index);
            }
            continue;
        }
        let new = match made {
            Some(new) => new,
            None => *made.insert(describe(object)?),
        };
        let claim = slot.compare_exchange(
            ptr::null_mut(),
            new.as_ptr(),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        match claim {
            Ok(_) => {
                // SAFETY: made above, complete, and never unmapped.
                end_others(index, unsafe { new.as_ref() });
                changed();
                return Some(index);
            }
            // Another thread was here first, perhaps with the same: its memory stays unused.
            // SAFETY: as above, not null.
            Err(other) if unsafe { (*other).is(object) } => return Some(index),
            Err(_) => {}
        }
    }
    None
}

/// Ends the modules whose place `module` has taken.
fn end_others(index: usize, module: &Module) {
    for (at, other) in all().enumerate() {
        if at != index && other.start < module.end && module.start < other.end {
            end(other);
        }
    }
}

fn end(module: &Module) {
    let now = GENERATION.load(Ordering::Relaxed).wrapping_add(1).max(1);
    let ended = module
        .unloaded
        .compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    if ended.is_ok() {
        changed();
    }
}

fn changed() {
    GENERATION.fetch_add(1, Ordering::Release);
}

/// A module for what the loader describes; `None` without memory.
fn describe(object: &Object) -> Option<NonNull<Module>> {
    let mut buffer = [0; PATH_MAX];
    let name = object.name();
    let path = if name.is_empty() {
        let len = process::program(&mut buffer);
        &buffer[..len]
    } else if name[0] != b'/' && name.contains(&b'/') {
        let len = process::directory(&mut buffer);
        join(&mut buffer, len, name)
    } else {
        name
    };
    let module = Module {
        path: keep(path)?,
        base: object.bias,
        start: object.start,
        end: object.end,
        build_id: keep(object.build_id())?,
        eh_frame_hdr: object.eh_frame_hdr,
        unloaded: AtomicU32::new(0),
    };
    let place = room(size_of::<Module>())?.cast::<Module>();
    // SAFETY: memory of that size, aligned, that nobody else has.
    unsafe { place.write(module) };
    Some(place)
}

/// `directory/name` in the buffer, whose first `len` bytes are the directory; `name` alone where
/// that does not fit.
fn join<'a>(buffer: &'a mut [u8; PATH_MAX], len: usize, name: &'a [u8]) -> &'a [u8] {
    let name = name.strip_prefix(b"./").unwrap_or(name);
    let end = len + 1 + name.len();
    if len == 0 || end > buffer.len() {
        return name;
    }
    buffer[len] = b'/';
    buffer[len + 1..end].copy_from_slice(name);
    &buffer[..end]
}

/// A copy of `bytes` for good.
fn keep(bytes: &[u8]) -> Option<&'static [u8]> {
    if bytes.is_empty() {
        return Some(&[]);
    }
    let place = room(bytes.len())?;
    // SAFETY: memory of that length that nobody else has, and that is never unmapped.
    unsafe {
        place.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
        Some(core::slice::from_raw_parts(place.as_ptr(), bytes.len()))
    }
}

/// Zeroed memory for good, aligned to 16 bytes. Without a lock, for a hook may be interrupted by
/// another one; a chunk that two threads map at a time is used by one of them.
fn room(len: usize) -> Option<NonNull<u8>> {
    const CHUNK: usize = 64 << 10;
    const _: () = assert!(size_of::<Module>() + PATH_MAX < CHUNK / 4);
    let len = len.next_multiple_of(16);
    debug_assert!(len <= CHUNK);
    let mut at = ROOM.load(Ordering::Relaxed);
    loop {
        // A chunk starts on a multiple of its size, so an address on one is the end of another.
        let used = at % CHUNK;
        let fits = used != 0 && used + len <= CHUNK;
        let start = if fits {
            at
        } else {
            memory::map_zeroed(CHUNK, CHUNK)?
        };
        // A full chunk's last bytes stay unused, so that no end looks like a start.
        match ROOM.compare_exchange_weak(at, start + len, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return NonNull::new(start as *mut u8),
            Err(now) => {
                if !fits {
                    // SAFETY: mapped above, and nobody knows of it.
                    unsafe { memory::unmap(start, CHUNK) };
                }
                at = now;
            }
        }
    }
}
