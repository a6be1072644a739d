//! The file `session`: which process it was, when, by which clock, and how it ended.
//!
//! ```text
//! 0       numbers
//! 4096    path of the program
//! 5120    command line
//! ```
//!
//! Written once at start through [`Plain::write`], then only through [`SessionPage`].

use core::mem::offset_of;
use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use crate::plain::{Plain, codes, fill, layout};
use crate::record::RECORD_BYTES;
use crate::ring::{RING_HEADER_BYTES, half, word};
use crate::version::{MAGIC_SESSION, MAJOR, MINOR};

/// Bytes of the file `session`.
pub const SESSION_BYTES: usize = size_of::<SessionHeader>();

codes! {
    /// What records' times count.
    pub enum ClockKind: u32 {
        /// The processor's time stamp counter, which runs at one rate on all processors.
        Tsc = 1 "tsc",
        /// Nanoseconds of `CLOCK_MONOTONIC`.
        Monotonic = 2 "monotonic",
    }
}

codes! {
    /// What is kept.
    pub enum Mode: u32 {
        /// The last events of each thread.
        Ring = 1 "ring",
        /// All events.
        Full = 2 "full",
    }
}

codes! {
    /// Of which events stacks are kept.
    pub enum StacksMode: u32 {
        /// None: records have the caller alone.
        Off = 0 "off",
        /// Along frame pointers.
        FramePointers = 1 "frame-pointers",
        /// By unwind tables.
        Unwind = 2 "unwind",
    }
}

codes! {
    /// How the session ended.
    pub enum End: u32 {
        /// It has not, or the process was killed.
        Running = 0 "running",
        /// The process exited. `end_detail`: its status.
        Exited = 1 "exited",
        /// A signal ended it. `end_detail`: which.
        Signalled = 2 "signalled",
        /// Another program took its place (`exec`).
        Replaced = 3 "replaced",
        /// It forked, and recording goes on in a session of the child's. `end_detail`: the child.
        Forked = 4 "forked",
    }
}

codes! {
    /// A total that the session counts, by its place among them.
    pub enum Total: u32 {
        /// Records written.
        Events = 0 "events",
        /// Blocks handed out.
        Allocations = 1 "allocations",
        /// Blocks given back.
        Frees = 2 "frees",
        /// Blocks resized.
        Resizes = 3 "resizes",
        /// Bytes asked for.
        BytesAsked = 4 "bytes asked for",
        /// Events not recorded.
        Lost = 5 "lost",
        /// Threads begun.
        Threads = 6 "threads",
        /// Faults found.
        Faults = 7 "faults",
    }
}

layout! {
    /// The file `session`. Text is padded with zeroes.
    pub struct SessionHeader: 8192 {
        /// `hakmSESS`.
        0 magic: [u8; 8],
        /// The format's major version.
        8 major: u16,
        /// The format's minor version.
        10 minor: u16,
        /// Bytes of this header.
        12 header_bytes: u32,
        /// The session's own number, random.
        16 session: [u64; 2],
        /// The session of the process that it forked from; 0 if there is none.
        32 parent_session: [u64; 2],
        /// The kernel's id of the time since the system was started.
        48 boot_id: [u8; 16],
        /// Process id.
        64 pid: u32,
        /// Process id of the parent.
        68 parent_pid: u32,
        /// Bytes of a page of memory.
        72 page_bytes: u32,
        /// Bytes of a record.
        76 record_bytes: u32,
        /// Bytes of the header of a file of records.
        80 ring_header_bytes: u32,
        /// A [`ClockKind`].
        84 clock: u32,
        /// The clock when the session began, in ticks.
        88 start_ticks: u64,
        /// `CLOCK_MONOTONIC` then, ns.
        96 start_monotonic: u64,
        /// `CLOCK_REALTIME` then, ns since 1970.
        104 start_realtime: u64,
        /// Ticks in a second; 0 if not known yet.
        112 ticks_per_second: u64,
        /// How many later calibration points there have been; point n, from 0, stands at n % 2.
        120 calibrations: u64,
        /// The last two: ticks and `CLOCK_MONOTONIC` in ns.
        128 later_points: [[u64; 2]; 2],
        /// The lowest address of the arena; 0 if there is none.
        160 arena_base: u64,
        /// The address behind the arena.
        168 arena_limit: u64,
        /// A [`Mode`].
        176 mode: u32,
        /// A [`StacksMode`].
        180 stacks: u32,
        /// Slots of a ring.
        184 ring_capacity: u64,
        /// Slots of a ring of rare events.
        192 rare_capacity: u64,
        /// An [`End`].
        200 end: u32,
        /// The status, signal or process that goes with it.
        204 end_detail: i32,
        /// When it ended, in ticks.
        208 end_ticks: u64,
        /// User id.
        216 uid: u32,
        /// Size classes in use below.
        220 class_count: u32,
        /// Totals, by [`Total`], now and then. For people.
        224 totals: [u64; 8],
        /// Bytes of a block, by class.
        288 class_bytes: [u32; 64],
        /// The version of hakmem that wrote it.
        544 hakmem_version: [u8; 64],
        /// What was compiled in: names with blanks between.
        608 features: [u8; 256],
        /// Bytes of `exe` in use.
        864 exe_bytes: u32,
        /// Bytes of `command_line` in use.
        868 command_bytes: u32,
        /// The ELF number of the machine (`e_machine`).
        872 machine: u32,
        /// Zero.
        876 reserved: [u8; 3220],
        /// The path of the program.
        4096 exe: [u8; 1024],
        /// Its arguments, each with a zero byte at its end.
        5120 command_line: [u8; 3072],
    }
}

/// One time on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalibrationPoint {
    /// The clock that records have, in ticks.
    pub ticks: u64,
    /// `CLOCK_MONOTONIC`, ns.
    pub monotonic: u64,
}

impl SessionHeader {
    /// A session that runs, with what the format itself says filled in.
    pub fn new(session: [u64; 2]) -> Self {
        Self {
            magic: MAGIC_SESSION,
            major: MAJOR,
            minor: MINOR,
            header_bytes: SESSION_BYTES as u32,
            session,
            record_bytes: RECORD_BYTES as u32,
            ring_header_bytes: RING_HEADER_BYTES as u32,
            ..Self::zeroed()
        }
    }

    /// Makes the header that [`SessionHeader::new`] says, in place, for more to be filled in.
    ///
    /// # Safety
    ///
    /// [`SESSION_BYTES`] are mapped for writing at `file`, begin on a page, read as zero, and
    /// nobody else accesses them while the reference is used.
    pub unsafe fn create<'a>(file: NonNull<u8>, session: [u64; 2]) -> &'a mut Self {
        // SAFETY: the caller's clause; zero bytes are a header.
        let header = unsafe { file.cast::<Self>().as_mut() };
        header.magic = MAGIC_SESSION;
        header.major = MAJOR;
        header.minor = MINOR;
        header.header_bytes = SESSION_BYTES as u32;
        header.session = session;
        header.record_bytes = RECORD_BYTES as u32;
        header.ring_header_bytes = RING_HEADER_BYTES as u32;
        header
    }

    /// Sets the path of the program, cut to the field.
    pub fn set_exe(&mut self, path: &[u8]) {
        self.exe_bytes = fill(&mut self.exe, path) as u32;
    }

    /// Sets the arguments, each with a zero byte at its end, cut to the field.
    pub fn set_command_line(&mut self, arguments: &[u8]) {
        self.command_bytes = fill(&mut self.command_line, arguments) as u32;
    }

    /// Sets the version of hakmem, cut to the field.
    pub fn set_hakmem_version(&mut self, version: &str) {
        fill(&mut self.hakmem_version, version.as_bytes());
    }

    /// Sets the names of the features compiled in, cut to the field.
    pub fn set_features(&mut self, names: &str) {
        fill(&mut self.features, names.as_bytes());
    }
}

/// The mapped file `session`, as it is updated while the process runs.
#[derive(Clone, Copy, Debug)]
pub struct SessionPage(NonNull<u8>);

// SAFETY: all access is atomic, and the mapping belongs to the process.
unsafe impl Send for SessionPage {}
// SAFETY: as above.
unsafe impl Sync for SessionPage {}

impl SessionPage {
    /// The file that is mapped here.
    ///
    /// # Safety
    ///
    /// [`SESSION_BYTES`] at `file` are mapped for writing as long as the value or a copy of it is
    /// used, begin on a page, and were written with [`Plain::write`].
    pub const unsafe fn at(file: NonNull<u8>) -> Self {
        Self(file)
    }

    /// Adds a later calibration point. By one thread at a time.
    pub fn add_calibration(self, point: CalibrationPoint) {
        // SAFETY: the fields lie in the header. The point goes to the place that the count does
        // not name yet; the Release store of the count then names it, so that a process that is
        // killed in between leaves the one before.
        unsafe {
            let count = word(self.0, offset_of!(SessionHeader, calibrations));
            let made = count.load(Ordering::Relaxed);
            let place = offset_of!(SessionHeader, later_points) + 16 * (made % 2) as usize;
            word(self.0, place).store(point.ticks, Ordering::Relaxed);
            word(self.0, place + 8).store(point.monotonic, Ordering::Relaxed);
            count.store(made.wrapping_add(1), Ordering::Release);
        }
    }

    /// Notes how many ticks are a second.
    pub fn set_ticks_per_second(self, ticks: u64) {
        // SAFETY: the field lies in the header.
        let field = unsafe { word(self.0, offset_of!(SessionHeader, ticks_per_second)) };
        field.store(ticks, Ordering::Relaxed);
    }

    /// Notes the arena's bounds.
    pub fn set_arena(self, base: u64, limit: u64) {
        // SAFETY: the fields lie in the header.
        unsafe {
            word(self.0, offset_of!(SessionHeader, arena_base)).store(base, Ordering::Relaxed);
            word(self.0, offset_of!(SessionHeader, arena_limit)).store(limit, Ordering::Relaxed);
        }
    }

    /// Notes how it ended, with the status, signal or process that goes with it.
    pub fn set_end(self, end: End, detail: i32, ticks: u64) {
        // SAFETY: the fields lie in the header. What says that it has ended is stored last, with
        // Release, so that who sees it sees the rest.
        unsafe {
            word(self.0, offset_of!(SessionHeader, end_ticks)).store(ticks, Ordering::Relaxed);
            half(self.0, offset_of!(SessionHeader, end_detail))
                .store(detail.cast_unsigned(), Ordering::Relaxed);
            half(self.0, offset_of!(SessionHeader, end)).store(end.code(), Ordering::Release);
        }
    }

    /// Adds to a total. Totals are for people; they order nothing.
    pub fn add_total(self, total: Total, more: u64) {
        let offset = offset_of!(SessionHeader, totals) + 8 * total as usize;
        // SAFETY: the field lies in the header: there are as many totals as it has words.
        unsafe { word(self.0, offset) }.fetch_add(more, Ordering::Relaxed);
    }

    /// Sets a total.
    pub fn set_total(self, total: Total, to: u64) {
        let offset = offset_of!(SessionHeader, totals) + 8 * total as usize;
        // SAFETY: as in `add_total`.
        unsafe { word(self.0, offset) }.store(to, Ordering::Relaxed);
    }
}

const _: () = assert!(Total::ALL.len() == 8);
