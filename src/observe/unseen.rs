//! Who called, in a build that does not observe: nobody asks, and nothing is passed.

use super::Sees;
use super::api::Api;

/// Who called the allocator: nothing, in this build.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Caller;

impl Caller {
    /// Somebody, through a function that is not observed.
    pub const NONE: Caller = Caller;

    #[inline(always)]
    pub(crate) const fn is_some(self) -> bool {
        false
    }

    #[inline(always)]
    pub(crate) const fn parts(self) -> (Origin, Told) {
        ((), ())
    }

    #[inline(always)]
    pub(crate) const fn of_parts(_: Origin, _: Told) -> Caller {
        Caller
    }

    #[inline(always)]
    pub(crate) const fn is_brief(self) -> bool {
        false
    }

    #[inline(always)]
    pub(crate) const fn copy(self) -> Caller {
        self
    }

    /// Whether somebody observes who it is.
    #[inline(always)]
    pub const fn is_known(self) -> bool {
        self.is_some()
    }

    #[inline(always)]
    pub(crate) const fn resizing(self, _other: usize) -> Caller {
        self
    }

    /// Nobody asks what the caller says of the block's size.
    #[inline(always)]
    #[must_use]
    pub const fn telling_size(self, _size: usize) -> Caller {
        self
    }

    /// Nobody asks what the caller says of the block's alignment.
    #[inline(always)]
    #[must_use]
    pub const fn telling_align(self, _align: usize) -> Caller {
        self
    }

    #[inline(always)]
    pub(crate) const fn is_of_rust(self) -> bool {
        false
    }
}

/// As [`Caller::parts`] has them.
pub(crate) type Origin = ();
pub(crate) type Told = ();

/// Runs `call` for a caller that came through `api`.
#[inline(always)]
pub(crate) fn with_caller<T>(_api: Api, call: impl FnOnce(Caller) -> T) -> T {
    call(Caller::NONE)
}

/// Nothing is switched on.
#[inline(always)]
pub(crate) fn switch(_sees: Sees, _diverts: bool) {}

/// No hook sees a block.
#[inline(always)]
pub(crate) const fn sees_briefly() -> bool {
    false
}

/// No hook sees a block.
#[inline(always)]
pub(crate) const fn sees_blocks() -> bool {
    false
}

/// Nothing is diverted.
#[inline(always)]
pub(crate) const fn only_diverts() -> bool {
    false
}

/// What only a build with observers has: nothing here.
#[doc(hidden)]
#[macro_export]
macro_rules! if_observed {
    ($($item:item)*) => {};
}

/// Defines functions of the C ABI. Each is given the [`Caller`] that its body names, and the
/// [`Api`] that stands behind the `=` tells the observers which function it was.
#[doc(hidden)]
#[macro_export]
macro_rules! entry {
    ($(
        $(#[$attribute:meta])*
        pub fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?
            = $api:ident, |$caller:ident| $body:expr;
    )*) => {$(
        $(#[$attribute])*
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($argument: $type),*) $(-> $result)? {
            let $caller = $crate::c_abi::Caller::NONE;
            $body
        }
    )*};
}

/// Defines functions that `operator new` in its forms calls, one frame of 24 bytes below the
/// program's.
#[doc(hidden)]
#[macro_export]
macro_rules! entry_below {
    ($(
        fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $result:ty
            = $api:ident, |$caller:ident| $body:expr;
    )*) => {$(
        extern "C" fn $name($($argument: $type),*) -> $result {
            let $caller = $crate::c_abi::Caller::NONE;
            $body
        }
    )*};
}
