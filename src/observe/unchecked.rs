//! The memory functions, in a build that does not check them: libc's are left alone.

/// What only a build with checked memory functions has: nothing here.
#[doc(hidden)]
#[macro_export]
macro_rules! if_checked {
    ($($item:item)*) => {};
}
