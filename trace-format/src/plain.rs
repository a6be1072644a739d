//! Structures as they lie on disk: [`Plain`], the macro `layout!` that makes them, and [`Field`],
//! by which a test compares them with the page that describes them.
//!
//! A structure is written with its offsets, and does not compile if they are wrong, if there is
//! padding, or if a field is not plain itself.

use core::ptr::NonNull;

/// Where a field lies in its structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name, which is also its name in `docs/TRACE-FORMAT.md`.
    pub name: &'static str,
    /// Bytes from the start of the structure.
    pub offset: usize,
    /// Its size in bytes.
    pub bytes: usize,
}

/// A structure of integers without padding: any bytes are one, and it is nothing but its bytes.
///
/// # Safety
///
/// - The type has no padding, no references, no interior mutability and no destructor.
/// - Every bit pattern is a value of it.
pub unsafe trait Plain: Copy + 'static {
    /// The value whose bytes are all zero.
    fn zeroed() -> Self {
        // SAFETY: every bit pattern is a value, so zeroes are one.
        unsafe { core::mem::zeroed() }
    }

    /// The value that stands at the start of `bytes`, at any alignment. None if there are too few.
    fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..size_of::<Self>())?;
        // SAFETY: the slice has as many bytes as the type, and all of them are initialised; the
        // read asks for no alignment.
        Some(unsafe { bytes.as_ptr().cast::<Self>().read_unaligned() })
    }

    /// Its bytes.
    fn as_bytes(&self) -> &[u8] {
        let start = core::ptr::from_ref(self).cast::<u8>();
        // SAFETY: the value is there for the slice's lifetime, without padding, so that all
        // bytes are initialised, and without interior mutability.
        unsafe { core::slice::from_raw_parts(start, size_of::<Self>()) }
    }

    /// Writes it to a place in a mapped file.
    ///
    /// # Safety
    ///
    /// `place` is valid for writes of the structure's size and aligned to it, and no other thread
    /// accesses it meanwhile.
    unsafe fn write(&self, place: NonNull<u8>) {
        debug_assert!(place.cast::<Self>().is_aligned());
        // SAFETY: the caller's clause.
        unsafe { place.cast::<Self>().write(*self) }
    }
}

// SAFETY: an integer.
unsafe impl Plain for u8 {}
// SAFETY: an integer.
unsafe impl Plain for u16 {}
// SAFETY: an integer.
unsafe impl Plain for u32 {}
// SAFETY: an integer.
unsafe impl Plain for u64 {}
// SAFETY: an integer.
unsafe impl Plain for i32 {}
// SAFETY: elements follow each other without padding between them.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

/// Defines a structure on disk: its size behind its name, and each field with its offset.
macro_rules! layout {
    (
        $(#[$meta:meta])*
        pub struct $name:ident: $bytes:literal {
            $( $(#[$field_meta:meta])* $offset:literal $field:ident: $type:ty, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(C)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $type, )*
        }

        const _: () = assert!(size_of::<$name>() == $bytes);
        const _: () = assert!(0 $( + size_of::<$type>() )* == $bytes, "it has padding");
        $( const _: () = assert!(core::mem::offset_of!($name, $field) == $offset); )*
        const _: () = {
            const fn plain<T: $crate::Plain>() {}
            $( plain::<$type>(); )*
        };

        // SAFETY: repr(C), the sizes of its fields are its size, and each field is plain; all of
        // it is checked above.
        unsafe impl $crate::Plain for $name {}

        impl $name {
            /// Its fields, in order.
            pub const FIELDS: &'static [$crate::Field] = &[
                $( $crate::Field {
                    name: stringify!($field),
                    offset: $offset,
                    bytes: size_of::<$type>(),
                }, )*
            ];
        }
    };
}
pub(crate) use layout;

/// Defines an enum of numbers on disk that may grow: with all values, names for people, and the
/// way back from a number.
macro_rules! codes {
    (
        $(#[$meta:meta])*
        pub enum $name:ident: $repr:ident {
            $( $(#[$code_meta:meta])* $variant:ident = $code:literal $text:literal, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr($repr)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$code_meta])* $variant = $code, )*
        }

        impl $name {
            /// All of them, by number.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )* ];

            /// The one with this number. None if this version knows none.
            pub const fn from_code(code: $repr) -> Option<Self> {
                match code {
                    $( $code => Some(Self::$variant), )*
                    _ => None,
                }
            }

            /// Its number on disk.
            #[inline(always)]
            pub const fn code(self) -> $repr {
                self as $repr
            }

            /// Its name, as tools print it.
            pub const fn name(self) -> &'static str {
                match self {
                    $( Self::$variant => $text, )*
                }
            }
        }
    };
}
pub(crate) use codes;

/// Copies text or bytes into a field, cut to its size, the rest zero. Says how many bytes fit.
pub(crate) fn fill<const N: usize>(field: &mut [u8; N], from: &[u8]) -> usize {
    let fits = from.len().min(N);
    *field = [0; N];
    field[..fits].copy_from_slice(&from[..fits]);
    fits
}
