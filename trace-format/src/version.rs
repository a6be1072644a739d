//! The version of the format, and the magic numbers that files begin with.
//!
//! Each file begins alike, so that any version's reader can tell what it is:
//!
//! ```text
//! 0   magic, 8 bytes
//! 8   major, u16     another one: not readable
//! 10  minor, u16     a higher one: readable, with things in it that this reader does not know
//! 12  bytes of the header, u32: what follows begins there
//! ```

/// Raised by a change that readers of the version before would misread.
pub const MAJOR: u16 = 1;
/// Raised by an addition: a field in reserved bytes or behind what was the end of a header, a
/// kind, a family, a file.
pub const MINOR: u16 = 0;

/// First bytes of `session`.
pub(crate) const MAGIC_SESSION: [u8; 8] = *b"hakmSESS";
/// First bytes of `ring.…`, `rare.…` and `full.…`.
pub(crate) const MAGIC_RING: [u8; 8] = *b"hakmRING";
/// First bytes of `stacks`.
pub(crate) const MAGIC_STACKS: [u8; 8] = *b"hakmSTCK";
/// First bytes of `modules`.
pub(crate) const MAGIC_MODULES: [u8; 8] = *b"hakmMODS";
/// First bytes of `crash`.
pub(crate) const MAGIC_CRASH: [u8; 8] = *b"hakmCRSH";
