//! The records that an observed hakmem leaves on disk: what a trace is made of, the writer's side,
//! and, with the feature `reader`, a reader. `docs/TRACE-FORMAT.md` describes the same for readers
//! in other languages.
//!
//! A trace is a *session directory*, flat:
//!
//! ```text
//! session             SessionHeader    who, when, which clock, how it ended
//! ring.NNNN           RingHeader, then a power of two of slots: what a thread did last
//! rare.NNNN           RingHeader, then slots: events that a flood must not push out
//! full.NNNN.SSSSSS    RingHeader, then slots: all that a thread did, in segments
//! stacks              StackHeader, an index, a log: each stack of calls once
//! modules             ModuleHeader, then ModuleRecords: which file's code was where
//! crash               CrashPage: the signal, the registers, a report
//! ```
//!
//! Files are mapped shared by the process that writes them, so what it wrote is there when it
//! ends, whatever ends it. A reader trusts no index: each record has a sequence number and a check.
//!
//! The tree, from the top down; each file may use those below it:
//!
//! | file | what it is |
//! |---|---|
//! | `reader/` | `Trace`, with the feature `reader` |
//! | `session.rs` `ring.rs` `stack_table.rs` `module.rs` `crash.rs` | the files |
//! | `slot.rs` | the place of a record in a file, and how it is written |
//! | `record.rs` `kind.rs` `api.rs` | one event |
//! | `check.rs` `version.rs` `file_name.rs` `plain.rs` | the check of a record; versions; names; structures on disk |
//!
//! The writer's side allocates nothing, locks nothing, and panics on no input.

#![no_std]

#[cfg(feature = "reader")]
extern crate std;

mod api;
mod check;
mod crash;
mod file_name;
mod kind;
mod module;
mod plain;
mod record;
mod ring;
mod session;
mod slot;
mod stack_table;
mod version;

#[cfg(feature = "reader")]
pub mod reader;

pub use api::Api;
pub use crash::{
    CRASH_FRAMES, CRASH_REGISTERS, CRASH_TEXT, CrashCause, CrashPage, CrashReport, REGISTER_NAMES,
};
pub use file_name::FileName;
pub use kind::Kind;
pub use module::{
    BUILD_ID_MAX, MODULE_PATH_MAX, ModuleHeader, ModuleRecord, STATE_LOADED, STATE_UNLOADED,
};
pub use plain::{Field, Plain};
pub use record::{
    ADDRESS_MAX, CLASS_LARGE, CLASS_NONE, CONTINUATION_BYTES, Flags, RECORD_BYTES, Record, SIZE_MAX,
};
pub use ring::{RING_HEADER_BYTES, RingHeader, RingKind, SegmentHeader};
pub use session::{
    CalibrationPoint, ClockKind, End, Mode, SESSION_BYTES, SessionHeader, SessionPage, StacksMode,
    Total,
};
pub use slot::Slot;
pub use stack_table::{
    MAX_FRAMES, STACK_FULL, STACK_NONE, StackHeader, StackTable, hash_of_frames,
};
pub use version::{MAJOR, MINOR};

const _: () = assert!(
    u16::from_le_bytes([1, 0]) == u16::from_ne_bytes([1, 0]),
    "the format is little-endian, and its structures are written as they lie in memory"
);
