//! One event: 64 bytes.
//!
//! ```text
//!      7      6      5      4      3      2      1      0
//! w0 [ seq                                                  ]  from 1; 0: nothing here
//! w1 [ time                                                 ]  ticks of the session's clock
//! w2 [ api  | kind | address                                ]
//! w3 [ class| align| size                                   ]
//! w4 [ value                                                ]
//! w5 [ flags       | caller                                 ]
//! w6 [ thread                    | stack                    ]
//! w7 [ generation                | check                    ]
//! ```
//!
//! Little-endian, so that byte 0 of w2 is the lowest of the address. A continuation has bytes in w3
//! to w6, their number in `generation`, and in `address` the low 48 bits of the `seq` of the
//! record that it continues; its `api` counts from 1.
//!
//! Written by the thread that owns the file; `slot.rs` has how.

use crate::api::Api;
use crate::check::check;
use crate::kind::Kind;
use crate::plain::{Field, Plain};

/// Bytes of a record, and of its slot.
pub const RECORD_BYTES: usize = 64;
/// The highest address that a record can name. Those above are cut to their low 48 bits.
pub const ADDRESS_MAX: u64 = (1 << 48) - 1;
/// The largest size that a record can name. Sizes above are recorded as this one.
pub const SIZE_MAX: u64 = (1 << 48) - 1;
/// Bytes that a continuation holds.
pub const CONTINUATION_BYTES: usize = 32;
/// The class of a block that belongs to no size class, because it is large.
pub const CLASS_LARGE: u8 = 254;
/// The class of what is no block, or when it is not known.
pub const CLASS_NONE: u8 = 255;

/// Bits of a record's `flags`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u16);

impl Flags {
    /// A resize that left the block where it was.
    pub const IN_PLACE: Self = Self(1 << 0);
    /// The request was refused, and the program got nothing.
    pub const FAILED: Self = Self(1 << 1);
    /// The text that follows was cut short.
    pub const CUT: Self = Self(1 << 2);
    /// The freed memory is kept from being used again for a while.
    pub const HELD_BACK: Self = Self(1 << 3);
    /// The block has been filled with zeroes.
    pub const ZEROED: Self = Self(1 << 4);

    /// Both.
    #[inline(always)]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all bits of `other` are set.
    #[inline(always)]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// One event. Built with [`Record::new`] and `with_…`, and complete when sealed.
///
/// ```
/// use hakmem_trace_format::{Api, Kind, Record};
///
/// let record = Record::new(Kind::Allocate, Api::Malloc, 1_000, 0x7f00_0000_1000)
///     .with_size(100)
///     .with_class(6)
///     .with_thread(4711)
///     .seal(1);
/// assert!(record.is_whole());
/// assert_eq!(record.kind(), Some(Kind::Allocate));
/// assert_eq!(record.size(), 100);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Record {
    words: [u64; 8],
}

const _: () = assert!(size_of::<Record>() == RECORD_BYTES && align_of::<Record>() == 8);

// SAFETY: an array of integers, in repr(C).
unsafe impl Plain for Record {}

/// Defines the fields by the bytes that they take: for each a getter, and a builder's step.
macro_rules! fields {
    ( $( $(#[$meta:meta])* $offset:literal, $bytes:literal: $name:ident, $with:ident: $type:ty; )* ) => {
        impl Record {
            /// Its fields, in order.
            pub const FIELDS: &'static [Field] = &[
                $( Field { name: stringify!($name), offset: $offset, bytes: $bytes }, )*
            ];

            $(
                $(#[$meta])*
                #[inline(always)]
                pub const fn $name(&self) -> $type {
                    (self.words[$offset / 8] >> ($offset % 8 * 8) & mask($bytes)) as $type
                }

                #[doc = concat!("Sets `", stringify!($name), "`; what does not fit is cut off.")]
                #[inline(always)]
                pub const fn $with(mut self, to: $type) -> Self {
                    let (word, shift) = ($offset / 8, $offset % 8 * 8);
                    self.words[word] = self.words[word] & !(mask($bytes) << shift)
                        | (to as u64 & mask($bytes)) << shift;
                    self
                }
            )*
        }

        const _: () = {
            // Each begins where the one before ends, none crosses a word, and the last ends it.
            let mut end = 0;
            $(
                assert!($offset == end && $offset / 8 == ($offset + $bytes - 1) / 8);
                end += $bytes;
            )*
            assert!(end == RECORD_BYTES);
        };
    };
}

const fn mask(bytes: u32) -> u64 {
    u64::MAX >> (64 - 8 * bytes)
}

fields! {
    /// Its place in the order of the file's records, from 1; 0 where there is none.
    0, 8: seq, with_seq: u64;
    /// When, in ticks of the session's clock.
    8, 8: time, with_time: u64;
    /// The block or whatever the kind says.
    16, 6: address, with_address: u64;
    /// The number of its kind, see [`Record::kind`].
    22, 1: kind_code, with_kind_code: u8;
    /// The number of its function family, see [`Record::api`].
    23, 1: api_code, with_api_code: u8;
    /// Bytes that were asked for.
    24, 6: raw_size, with_raw_size: u64;
    /// Logarithm to base 2 of the alignment that was asked for; 0 if none was.
    30, 1: align_log2, with_align_log2: u8;
    /// Index of the size class; [`CLASS_LARGE`], or [`CLASS_NONE`].
    31, 1: class, with_class: u8;
    /// A second number, by kind.
    32, 8: value, with_value: u64;
    /// The return address in the code that called the allocator; 0 if not known.
    40, 6: caller, with_caller: u64;
    /// [`Flags`].
    46, 2: raw_flags, with_raw_flags: u16;
    /// The stack of calls, by its id in `stacks`.
    48, 4: stack, with_stack: u32;
    /// The kernel's number of the thread that did it (`gettid`).
    52, 4: thread, with_thread: u32;
    /// The check over the rest.
    56, 4: check, with_check: u32;
    /// Which life of its place the block lives, counted by the writer; 0 if it does not count.
    60, 4: generation, with_generation: u32;
}

impl Record {
    /// A record with nothing else in it; its class is [`CLASS_NONE`].
    #[inline(always)]
    pub const fn new(kind: Kind, api: Api, time: u64, address: u64) -> Self {
        let mut words = [0; 8];
        words[1] = time;
        words[2] = address & ADDRESS_MAX | (kind as u64) << 48 | (api as u64) << 56;
        words[3] = (CLASS_NONE as u64) << 56;
        Self { words }
    }

    /// The record of these words, whatever they are.
    #[inline(always)]
    pub const fn from_words(words: [u64; 8]) -> Self {
        Self { words }
    }

    /// Its words, as they lie on disk.
    #[inline(always)]
    pub const fn words(&self) -> &[u64; 8] {
        &self.words
    }

    /// Bytes that were asked for, at most [`SIZE_MAX`].
    #[inline(always)]
    pub const fn size(&self) -> u64 {
        self.raw_size()
    }

    /// Sets the size; one above [`SIZE_MAX`] becomes it.
    #[inline(always)]
    pub const fn with_size(self, bytes: u64) -> Self {
        self.with_raw_size(if bytes > SIZE_MAX { SIZE_MAX } else { bytes })
    }

    /// Size, alignment and class at once, as [`Record::with_shape`] takes them.
    #[inline(always)]
    pub const fn shape(&self) -> u64 {
        self.words[3]
    }

    /// Sets size, alignment and class to those of a record that has this [`Record::shape`].
    #[inline(always)]
    pub const fn with_shape(mut self, shape: u64) -> Self {
        self.words[3] = shape;
        self
    }

    /// Its flags.
    #[inline(always)]
    pub const fn flags(&self) -> Flags {
        Flags(self.raw_flags())
    }

    /// Sets the flags.
    #[inline(always)]
    pub const fn with_flags(self, flags: Flags) -> Self {
        self.with_raw_flags(flags.0)
    }

    /// Its kind. None if this version does not know it.
    #[inline(always)]
    pub const fn kind(&self) -> Option<Kind> {
        Kind::from_code(self.kind_code())
    }

    /// The function through which it came. None if this version does not know it.
    #[inline(always)]
    pub const fn api(&self) -> Option<Api> {
        Api::from_code(self.api_code())
    }

    /// A continuation of the record with the number `of`: its `index`-th, from 1, with at most
    /// [`CONTINUATION_BYTES`] of `bytes`.
    pub fn continuation(time: u64, of: u64, index: u8, bytes: &[u8]) -> Self {
        let mut payload = [0; CONTINUATION_BYTES];
        let length = bytes.len().min(CONTINUATION_BYTES);
        payload[..length].copy_from_slice(&bytes[..length]);
        let mut record = Self::new(Kind::Continuation, Api::Unknown, time, of)
            .with_api_code(index)
            .with_generation(length as u32);
        for (word, bytes) in record.words[3..7].iter_mut().zip(payload.chunks_exact(8)) {
            *word = bytes.iter().rev().fold(0, |word, b| word << 8 | *b as u64);
        }
        record
    }

    /// What a continuation holds, and how many bytes of it. Of other records it is meaningless.
    pub fn payload(&self) -> ([u8; CONTINUATION_BYTES], usize) {
        let mut payload = [0; CONTINUATION_BYTES];
        for (bytes, word) in payload.chunks_exact_mut(8).zip(&self.words[3..7]) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        let length = (self.generation() as usize).min(CONTINUATION_BYTES);
        (payload, length)
    }

    /// The record with its number and check. `seq` is not 0.
    #[inline(always)]
    pub const fn seal(mut self, seq: u64) -> Self {
        debug_assert!(seq != 0);
        self.words[0] = seq;
        self.with_check(check(&self.words))
    }

    /// Whether its number and its check say that it is one record, written to its end.
    #[inline(always)]
    pub const fn is_whole(&self) -> bool {
        self.words[0] != 0 && self.check() == check(&self.words)
    }

    /// Whether nothing was ever written here.
    #[inline(always)]
    pub const fn is_empty(&self) -> bool {
        let [a, b, c, d, e, f, g, h] = self.words;
        a | b | c | d | e | f | g | h == 0
    }
}
