//! The definitions that programs would have of the functions that this library defines as well.
//!
//! The names bind to ours. Functions of memory and strings are libc's, looked up in its own table of
//! symbols: without the loader, which may allocate and takes a lock. Where libc has a version for
//! each processor (`STT_GNU_IFUNC`), it is asked which one fits, as the loader does. Of the others,
//! which go to the system, another library may stand behind this one, as those that are preloaded
//! beside it do: theirs is the first definition behind ours in the order in which the loader
//! searches.
//!
//! 1. An entry is zero until it is known, and in a program that has no table of symbols for good.
//!    One that this libc does not have leads to [`missing`].

use super::loader::{self, Object};
use super::symbols::{self, Symbols};
use core::mem::transmute;
use core::sync::atomic::{AtomicUsize, Ordering};

macro_rules! functions {
    (libc: [$($own:ident)*], next: [$($next:ident)*]) => {
        /// The functions, as C names them.
        #[allow(non_camel_case_types, missing_docs, reason = "as C has them")]
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(usize)]
        pub enum Function { $($own,)* $($next),* }

        const NAMES: &[&str] = &[$(stringify!($own),)* $(stringify!($next)),*];
        /// How many of them are libc's.
        const OWN: usize = [$(stringify!($own)),*].len();
    };
}

functions! {
    libc: [
    memcpy memmove mempcpy memset memcmp memchr memrchr rawmemchr bcopy bzero bcmp explicit_bzero
    strlen strnlen strchr strrchr strchrnul strcmp strncmp index rindex
    strcpy stpcpy strncpy stpncpy strcat strncat strdup strndup __strdup __strndup
    wcslen wcscpy wcsncpy wcscat wmemcpy wmemmove wmemset
    __memcpy_chk __memmove_chk __mempcpy_chk __memset_chk
    __strcpy_chk __stpcpy_chk __strncpy_chk __stpncpy_chk __strcat_chk __strncat_chk
    __wcscpy_chk __wcsncpy_chk __wcscat_chk __wmemcpy_chk __wmemmove_chk __wmemset_chk
    sprintf snprintf vsprintf vsnprintf __sprintf_chk __snprintf_chk __vsprintf_chk __vsnprintf_chk
    qsort qsort_r
    ],
    next: [
    read recv recvfrom fread fgets __read_chk __recv_chk __fread_chk __fgets_chk
    pread pread64 __pread_chk __pread64_chk readv preadv preadv64 recvmsg
    write pwrite pwrite64 send sendto fwrite writev pwritev pwritev64 sendmsg sendmmsg
    open open64 openat openat64 fopen fopen64 freopen freopen64 opendir popen system fclose pclose
    creat creat64 access eaccess euidaccess faccessat unlink unlinkat remove rmdir rename renameat
    renameat2 link linkat symlink symlinkat readlink readlinkat __readlink_chk __readlinkat_chk
    mkdir mkdirat mkfifo mkfifoat mknod mknodat chdir chroot chmod fchmodat chown lchown fchownat
    truncate truncate64 utime utimes lutimes futimes futimesat utimensat futimens
    stat stat64 lstat lstat64 fstat fstat64 fstatat fstatat64 __xstat __xstat64 __lxstat __lxstat64
    __fxstat __fxstat64 __fxstatat __fxstatat64 statx statfs statfs64 fstatfs fstatfs64 statvfs
    statvfs64 getcwd __getcwd_chk scandir scandir64 pathconf inotify_add_watch memfd_create
    getxattr lgetxattr fgetxattr setxattr lsetxattr fsetxattr listxattr llistxattr removexattr
    lremovexattr fremovexattr mount umount umount2
    connect bind accept accept4 getsockname getpeername setsockopt getsockopt socketpair
    execv execve execvp execvpe fexecve execl execlp execle posix_spawn posix_spawnp
    pipe pipe2 poll ppoll select epoll_ctl epoll_wait epoll_pwait waitpid wait wait4 wait3
    nanosleep clock_nanosleep clock_settime setitimer getitimer timer_settime timerfd_settime
    getrlimit getrlimit64 setrlimit setrlimit64 prlimit prlimit64 getrusage uname sysinfo times
    getrandom getentropy setgroups sched_setaffinity semop msgsnd
    fflush munmap mremap
    ]
}

/// By which tables of symbols have them.
const HASHES: [u32; NAMES.len()] = {
    let mut hashes = [0; NAMES.len()];
    let mut index = 0;
    while index < NAMES.len() {
        hashes[index] = symbols::hash(NAMES[index].as_bytes());
        index += 1;
    }
    hashes
};

/// Where they begin. Relaxed: code, which is there before anybody can name it.
pub static ORIGINALS: [AtomicUsize; NAMES.len()] = [const { AtomicUsize::new(0) }; NAMES.len()];

impl Function {
    /// As a program writes it.
    pub(crate) fn name(self) -> &'static [u8] {
        NAMES[self as usize].as_bytes()
    }

    /// Where libc's begins; 0 if that is not known.
    #[inline(always)]
    #[must_use]
    pub fn original(self) -> usize {
        ORIGINALS[self as usize].load(Ordering::Relaxed)
    }
}

/// Fills memory by libc's own `memset`: the name would come to ours, which looks for a block.
///
/// # Safety
/// The memory is the caller's to write.
#[inline(always)]
pub(crate) unsafe fn fill(start: *mut u8, len: usize, byte: u8) {
    match Function::memset.original() {
        // SAFETY: the caller's clause.
        0 => unsafe { start.write_bytes(byte, len) },
        // SAFETY: the caller's clause; `memset` has that signature.
        address => unsafe {
            transmute::<usize, Fill>(address)(start, i32::from(byte), len);
        },
    }
}

type Fill = unsafe extern "C" fn(*mut u8, i32, usize) -> *mut u8;

/// Looks all of them up. Not while libc is being relocated.
#[cold]
pub fn find() {
    let inside = libc::gnu_get_libc_version as *const () as usize;
    let Some(libc) = loader::find(inside).or_else(|| slowly(inside)) else {
        return;
    };
    let Some(symbols) = Symbols::of(&libc) else {
        return;
    };
    // Behind this library and in front of libc: the order of the loader's list is that of its search.
    loader::each_behind(find as *const () as usize, |object| {
        if object.bias == libc.bias {
            return false;
        }
        if let Some(its) = Symbols::of(object) {
            let next = OWN..NAMES.len();
            next.for_each(|index| take(index, || its.find_as_next(name(index))));
        }
        true
    });
    let missing = missing as *const () as usize;
    for index in 0..NAMES.len() {
        take(index, || symbols.find(name(index), true));
        take(index, || (index >= OWN).then_some(missing));
    }
}

/// A function's name, as tables of symbols are asked for it.
fn name(index: usize) -> symbols::Name {
    (NAMES[index].as_bytes(), HASHES[index])
}

/// Enters where a function begins, unless that is known.
fn take(index: usize, find: impl FnOnce() -> Option<usize>) {
    let place = &ORIGINALS[index];
    if place.load(Ordering::Relaxed) == 0
        && let Some(found) = find()
    {
        place.store(found, Ordering::Relaxed);
    }
}

/// In the place of a function that this libc does not have, and so nobody can be linked with.
extern "C" fn missing() -> isize {
    super::set_errno(libc::ENOSYS);
    -1
}

/// As [`loader::find`], of a libc that has no such thing.
fn slowly(inside: usize) -> Option<Object> {
    let mut found = None;
    loader::each(|object| {
        if (object.start..object.end).contains(&inside) {
            found = Some(*object);
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libc_has_all_of_them() {
        find();
        for (place, name) in ORIGINALS.iter().zip(NAMES) {
            let found = place.load(Ordering::Relaxed);
            assert_ne!(found, 0, "{name}");
            let object = loader::find(found).expect("an object");
            assert!(object.name().ends_with(b"libc.so.6"), "{name}");
            assert_ne!(found, missing as *const () as usize, "{name}");
        }
        // SAFETY: `strlen` has that signature.
        let strlen = unsafe {
            transmute::<usize, unsafe extern "C" fn(*const i8) -> usize>(
                Function::strlen.original(),
            )
        };
        // SAFETY: a string.
        assert_eq!(unsafe { strlen(c"four".as_ptr()) }, 4);
    }
}
