//! Functions that are passed the names of files, which the kernel reads: in a freed block, or behind
//! the end of one, it would find what happens to stand there, and of pages that cannot be read it
//! would say that there is no such file.

use super::around::around;
use super::before::before;
use super::length;
use core::ffi::c_void;
use hakmem_alloc::c_abi::{Call, UNLIMITED, left};

/// A name: one that lies in no block the kernel looks at itself. Null is none.
pub(super) fn name(call: Call, address: usize) {
    if left(address) != UNLIMITED {
        // SAFETY: in a block, whose end stops it.
        let _ = unsafe { length(call, (address as *const c_void).cast()) };
    }
}

/// Defines functions that are passed names and read nothing else: at which arguments they stand.
macro_rules! named {
    ($($name:ident $($at:literal)*;)*) => {
        before! {$(
            /// A function of files.
            fn $name of list |call, passed| {$( name(call, passed[$at]); )*};
        )*}
    };
}

named! {
    open 0; open64 0; openat 1; openat64 1; creat 0; creat64 0;
    fopen 0 1; fopen64 0 1; opendir 0; popen 0 1; system 0;
    access 0; eaccess 0; euidaccess 0; faccessat 1;
    unlink 0; unlinkat 1; remove 0; rmdir 0;
    rename 0 1; renameat 1 3; renameat2 1 3;
    link 0 1; linkat 1 3; symlink 0 1; symlinkat 0 2;
    mkdir 0; mkdirat 1; mkfifo 0; mkfifoat 1; mknod 0; mknodat 1; chdir 0; chroot 0;
    chmod 0; fchmodat 1; chown 0; lchown 0; fchownat 1;
    truncate 0; truncate64 0; statvfs 0; statvfs64 0; pathconf 0;
    scandir 0; scandir64 0; inotify_add_watch 1; memfd_create 0;
    getxattr 0 1; lgetxattr 0 1; fgetxattr 1; setxattr 0 1; lsetxattr 0 1; fsetxattr 1;
    listxattr 0; llistxattr 0; removexattr 0 1; lremovexattr 0 1; fremovexattr 1;
    mount 0 1 2; umount 0; umount2 0;
}

around! {
    /// POSIX `readlink`.
    fn readlink of list |call, passed| name(call, passed[0]), |done| done.came(passed[1], passed[2]);

    /// POSIX `readlinkat`.
    fn readlinkat of list |call, passed| name(call, passed[1]), |done| done.came(passed[2], passed[3]);

    /// `readlink` with `_FORTIFY_SOURCE`.
    fn __readlink_chk of list |call, passed| name(call, passed[0]), |done| {
        done.came(passed[1], passed[2]);
    };

    /// `readlinkat` with `_FORTIFY_SOURCE`.
    fn __readlinkat_chk of list |call, passed| name(call, passed[1]), |done| {
        done.came(passed[2], passed[3]);
    };
}
