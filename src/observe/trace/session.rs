//! A session: its directory, its files, and what all threads share of them.
//!
//! ```text
//! 0 none ──make──► 1 being made ──► 2 there
//!        ◄──fork── ◄─────fork────────┘
//! ```
//!
//! 1. It lies in memory that reads as zero in a forked child: there it is none until the child's
//!    first record, and what the child records goes to files of its own.
//! 2. Its fields are written by who makes it, before `state` says that it is there.
//! 3. The files stay mapped. In a child's session, memory of the child alone takes the place of
//!    what the parent had mapped.

use super::clock;
use super::core_file;
use super::description::{boot_id, describe_heap, describe_program, random_id};
use super::directory::{allocate_and_map, claim, make_file, name_of};
use super::module_file::{self, Noted};
use super::path::Path;
use super::plan::Plan;
use super::shared_ring::SharedRing;
use crate::observe::{own_memory, stack};
use crate::sys::file::{self, Refusal};
use crate::sys::memory::{self, PAGE};
use crate::sys::process;
use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use hakmem_trace_format::{
    Api, CalibrationPoint, CrashPage, FileName, Kind, ModuleHeader, Plain, Record, RingHeader,
    RingKind, SESSION_BYTES, SessionHeader, SessionPage, StackTable, StacksMode, Total,
};

const NONE: u32 = 0;
const MAKING: u32 = 1;
const THERE: u32 = 2;

/// Files that a session has but for its threads' rings, and so mappings.
const FILES: usize = 7;
const SHARED_FILES: [FileName; FILES] = [
    FileName::Session,
    FileName::Stacks,
    FileName::Modules,
    FileName::Crash,
    FileName::Rare(0),
    FileName::Rare(1),
    FileName::Ring(0),
];
/// The most bytes of the table of stacks of a forked child: there may be many, and few live long.
const CHILDS_STACKS_BYTES: u64 = 1 << 20;
/// Slots of a ring of rare events.
const RARE_SLOTS: u64 = 4096;
/// Slots of the ring of threads without a cache.
const APART_SLOTS: u64 = 1024;
/// Files that can be noted in `modules`.
pub(super) const MODULES: u64 = 1024;

/// See the head of this file. All bytes zero: none.
pub(super) struct Session {
    /// Released when the fields are written; read Acquire.
    state: AtomicU32,
    /// Rings made. Relaxed: it gives out numbers.
    rings: AtomicU32,
    /// Bytes of segments. Relaxed: a sum.
    pub(super) segment_bytes: AtomicU64,
    id: Cell<[u64; 2]>,
    pid: Cell<u32>,
    is_filed: Cell<bool>,
    directory: UnsafeCell<Path>,
    page: Cell<Option<SessionPage>>,
    stacks: Cell<Option<StackTable>>,
    pub(super) modules: Cell<Option<NonNull<u8>>>,
    pub(super) crash: Cell<Option<NonNull<u8>>>,
    pub(super) noted: Noted,
    /// Threads, marks, files, faults.
    pub(super) rare: SharedRing,
    /// Slabs opened and closed.
    pub(super) slabs: SharedRing,
    /// What threads do that have no cache.
    pub(super) apart: SharedRing,
}

/// The session's place, mapped once; null until the set-up. Released when mapped; read Acquire.
static SESSION: AtomicPtr<Session> = AtomicPtr::new(ptr::null_mut());

/// What a child finds of its parent's session: the number, and the mappings. Written by who makes
/// a session, read by who makes the child's. Relaxed: a fork orders them.
static LAST_ID: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
static LAST_PID: AtomicU32 = AtomicU32::new(0);
static MAPPINGS: [[AtomicU64; 2]; FILES] = [const { [const { AtomicU64::new(0) }; 2] }; FILES];

/// Where the number of this process's session stands, for readers of a core file; zero before
/// there is one, and in a forked child its parent's until it has its own.
pub(super) fn id_address() -> usize {
    (&raw const LAST_ID).addr()
}

/// The kernel wipes such memory in a forked child. Written once, at the set-up; Relaxed.
static WIPES: AtomicBool = AtomicBool::new(false);

struct PlanCell(UnsafeCell<MaybeUninit<Plan>>);

// SAFETY: written in `set_up`, before `SESSION` is; read after.
unsafe impl Sync for PlanCell {}

static PLAN: PlanCell = PlanCell(UnsafeCell::new(MaybeUninit::uninit()));

/// Makes the place for sessions; false without memory. Called once.
pub(super) fn set_up(plan: Plan) -> bool {
    let bytes = size_of::<Session>().next_multiple_of(PAGE);
    let Some(place) = own_memory::map(bytes) else {
        return false;
    };
    // SAFETY: mapped just now. Where the kernel does not know it, `forked` wipes.
    let wipes = unsafe { memory::wipe_on_fork(place, bytes) };
    WIPES.store(wipes, Ordering::Relaxed);
    // SAFETY: nobody reads it before `SESSION` is set.
    unsafe { (*PLAN.0.get()).write(plan) };
    SESSION.store(place as *mut Session, Ordering::Release);
    true
}

/// What the variables say. Called after [`set_up`].
pub(super) fn plan() -> &'static Plan {
    debug_assert!(!SESSION.load(Ordering::Relaxed).is_null());
    // SAFETY: written in `set_up`, and not any more.
    unsafe { (*PLAN.0.get()).assume_init_ref() }
}

fn place() -> Option<&'static Session> {
    // SAFETY: null, or a mapping of that size for good, of which zero bytes are valid.
    unsafe { SESSION.load(Ordering::Acquire).as_ref() }
}

/// The session, if there is one.
#[inline]
pub(super) fn get() -> Option<&'static Session> {
    place().filter(|session| session.state.load(Ordering::Acquire) == THERE)
}

/// The session, made if there is none. `None` if somebody else makes it just now.
pub(super) fn get_or_make() -> Option<Result<&'static Session, Refusal>> {
    let session = place()?;
    match session
        .state
        .compare_exchange(NONE, MAKING, Ordering::Acquire, Ordering::Acquire)
    {
        Ok(_) => Some(
            session
                .make()
                .map(|()| session)
                .inspect_err(|_| session.unmake()),
        ),
        Err(THERE) => Some(Ok(session)),
        Err(_) => None,
    }
}

/// Forgets the parent's session in a forked child, where the kernel has not; says whether it
/// had to.
pub(super) fn forget() -> bool {
    let Some(session) = place().filter(|_| !WIPES.load(Ordering::Relaxed)) else {
        return false;
    };
    let place = ptr::from_ref(session).cast_mut().cast::<u8>();
    // SAFETY: the child has one thread, which is here; zero bytes are valid.
    unsafe { place.write_bytes(0, size_of::<Session>()) };
    true
}

impl Session {
    pub(super) fn id(&self) -> [u64; 2] {
        self.id.get()
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid.get()
    }

    /// The mapped file `session`.
    pub(super) fn page(&self) -> Option<SessionPage> {
        self.page.get()
    }

    pub(super) fn stacks(&self) -> Option<StackTable> {
        self.stacks.get()
    }

    /// The directory's path; empty if there are no files.
    pub(super) fn directory(&self) -> &Path {
        // SAFETY: written before the session is there (2).
        unsafe { &*self.directory.get() }
    }

    /// Adds to a total.
    pub(super) fn add(&self, total: Total, more: u64) {
        if let Some(page) = self.page.get() {
            page.add_total(total, more);
        }
    }

    /// A number for one more ring.
    pub(super) fn number_a_ring(&self) -> u32 {
        self.rings.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes a file of the session and maps it.
    pub(super) fn make_file(&self, name: FileName, bytes: u64) -> Result<NonNull<u8>, Refusal> {
        if !self.is_filed.get() {
            return make_file(None, name, bytes);
        }
        let directory = file::open_directory(self.directory().as_c_str()?)?;
        make_file(Some(&directory), name, bytes)
    }

    /// Makes the file of a ring: its header, and its slots in memory.
    pub(super) fn make_ring(
        &self,
        kind: RingKind,
        number: u32,
        slots: u64,
    ) -> Result<NonNull<u8>, Refusal> {
        let name = match kind {
            RingKind::Rare => FileName::Rare(number),
            _ => FileName::Ring(number),
        };
        let bytes = RingHeader::file_bytes(slots);
        let file = self.make_file(name, bytes)?;
        // SAFETY: mapped just now, and reads as zero.
        unsafe {
            memory::populate(file.as_ptr() as usize, bytes as usize);
            RingHeader::create(file, kind, self.id(), self.pid(), number, slots);
        }
        Ok(file)
    }

    #[cold]
    fn make(&self) -> Result<(), Refusal> {
        let plan = plan();
        let parent_id = LAST_ID.each_ref().map(|word| word.load(Ordering::Relaxed));
        let is_child = parent_id != [0; 2];
        for (address, len) in forget_mappings() {
            // SAFETY: the parent's, which nobody in this process relies on (3).
            unsafe { memory::cover(address, len) };
        }
        let first = clock::point();
        let (pid, parent_pid, user) = process::ids();
        self.pid.set(pid);
        self.id.set(random_id());
        let file = self.make_session_file(plan, is_child)?;
        // SAFETY: mapped just now, and reads as zero.
        let header = unsafe { SessionHeader::create(file, self.id()) };
        header.parent_session = parent_id;
        header.boot_id = boot_id();
        header.pid = pid;
        header.parent_pid = parent_pid;
        header.uid = user;
        describe(header, plan, first);
        // SAFETY: the header was written above, and stays mapped.
        let page = unsafe { SessionPage::at(file) };
        self.page.set(Some(page));
        self.make_shared(plan, is_child)?;
        let (second, rate) = clock::measure(first);
        page.set_ticks_per_second(rate);
        page.add_calibration(second);
        for (place, word) in LAST_ID.iter().zip(self.id()) {
            place.store(word, Ordering::Relaxed);
        }
        let parent = LAST_PID.swap(pid, Ordering::Relaxed);
        if is_child {
            let record = Record::new(Kind::Forked, Api::Unknown, clock::now(), 0);
            self.rare
                .put(record.with_value(u64::from(parent)).with_thread(pid));
        }
        self.state.store(THERE, Ordering::Release);
        module_file::update(self);
        Ok(())
    }

    /// The file of the session's header: in a directory if one is asked for, else in memory alone.
    fn make_session_file(&self, plan: &Plan, is_child: bool) -> Result<NonNull<u8>, Refusal> {
        let bytes = SESSION_BYTES as u64;
        let file = match &plan.template {
            None => make_file(None, FileName::Session, bytes)?,
            Some(template) => {
                let (path, directory, session) = claim(template, self.pid(), is_child)?;
                // SAFETY: nobody reads it before the session is there.
                unsafe { *self.directory.get() = path };
                self.is_filed.set(true);
                core_file::include();
                allocate_and_map(&directory, &session, FileName::Session, bytes)?
            }
        };
        note_mapping(0, file, bytes);
        Ok(file)
    }

    /// Takes away what was made of a session that cannot be.
    #[cold]
    fn unmake(&self) {
        for (address, len) in forget_mappings() {
            // SAFETY: made by this thread just now; without a session nobody uses it.
            unsafe { memory::unmap(address, len) };
        }
        let Ok(path) = self.directory().as_c_str() else {
            return;
        };
        let Ok(directory) = file::open_directory(path) else {
            return;
        };
        if self.is_filed.get() {
            for name in SHARED_FILES {
                let mut buffer = [0; 32];
                directory.remove(name_of(name, &mut buffer));
            }
        }
    }

    /// The files that all threads share.
    fn make_shared(&self, plan: &Plan, is_child: bool) -> Result<(), Refusal> {
        let stacks_bytes = match is_child {
            true => plan.stacks_bytes.min(CHILDS_STACKS_BYTES),
            false => plan.stacks_bytes,
        };
        let index_slots = (stacks_bytes / 32).next_power_of_two();
        let log_words = stacks_bytes / 8;
        let bytes = StackTable::file_bytes(index_slots, log_words);
        let file = self.make_file(FileName::Stacks, bytes)?;
        note_mapping(1, file, bytes);
        // SAFETY: mapped just now, and reads as zero.
        let table = unsafe { StackTable::create(file, self.id(), index_slots, log_words) };
        self.stacks.set(table);
        let bytes = ModuleHeader::file_bytes(MODULES);
        let file = self.make_file(FileName::Modules, bytes)?;
        note_mapping(2, file, bytes);
        // SAFETY: mapped just now.
        unsafe { ModuleHeader::new(self.id()).write(file) };
        self.modules.set(Some(file));
        let bytes = size_of::<CrashPage>() as u64;
        let file = self.make_file(FileName::Crash, bytes)?;
        note_mapping(3, file, bytes);
        // SAFETY: mapped just now, and reads as zero.
        unsafe { CrashPage::create(file, self.id()) };
        self.crash.set(Some(file));
        let shared = [
            (&self.rare, RingKind::Rare, 0, RARE_SLOTS),
            (&self.slabs, RingKind::Rare, 1, RARE_SLOTS),
            (
                &self.apart,
                RingKind::Ring,
                self.number_a_ring(),
                APART_SLOTS,
            ),
        ];
        for (index, (ring, kind, number, slots)) in (4..).zip(shared) {
            let file = self.make_ring(kind, number, slots)?;
            note_mapping(index, file, RingHeader::file_bytes(slots));
            ring.set(file, slots);
        }
        Ok(())
    }
}

/// Writes what the session has, when it began, and of which program.
fn describe(header: &mut SessionHeader, plan: &Plan, first: CalibrationPoint) {
    header.page_bytes = PAGE as u32;
    header.clock = clock::kind().code();
    header.start_ticks = first.ticks;
    header.start_monotonic = first.monotonic;
    header.start_realtime = crate::sys::clock::realtime();
    header.mode = plan.mode.code();
    header.stacks = match stack::mode() {
        stack::Mode::Off => StacksMode::Off,
        stack::Mode::FramePointers => StacksMode::FramePointers,
        stack::Mode::Table | stack::Mode::Exact => StacksMode::Unwind,
    }
    .code();
    header.ring_capacity = plan.ring_slots;
    header.rare_capacity = RARE_SLOTS;
    header.machine = 62;
    header.set_hakmem_version(env!("CARGO_PKG_VERSION"));
    describe_program(header);
    describe_heap(header);
}

/// The mappings that were noted, by address and length; they are noted no longer.
fn forget_mappings() -> impl Iterator<Item = (usize, usize)> {
    MAPPINGS.iter().filter_map(|[address, len]| {
        let address = address.swap(0, Ordering::Relaxed) as usize;
        (address != 0).then(|| (address, len.load(Ordering::Relaxed) as usize))
    })
}

/// Notes what the next session has to cover, in a child.
fn note_mapping(index: usize, file: NonNull<u8>, bytes: u64) {
    let [address, len] = &MAPPINGS[index];
    len.store(bytes.next_multiple_of(PAGE as u64), Ordering::Relaxed);
    address.store(file.as_ptr() as u64, Ordering::Relaxed);
}
