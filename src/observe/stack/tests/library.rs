//! `tests/programs/stacks.c`, compiled and loaded.

use super::*;
use crate::observe::modules;
use core::ffi::{CStr, c_char};
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::string::String;
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::{format, fs};

/// See the head of this file.
pub(super) struct Library {
    handle: *mut c_void,
    path: PathBuf,
}

// SAFETY: a handle is good in each thread.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

type Depth = unsafe extern "C" fn(usize, extern "C" fn(*mut c_void), *mut c_void);

impl Library {
    /// The file, compiled.
    pub(super) fn compile(name: &str, options: &[&str]) -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let directory = format!("hakmem-stacks-{}-{name}", std::process::id());
        let directory = std::env::temp_dir().join(directory);
        fs::create_dir_all(&directory).expect("a directory");
        let path = directory.join(name);
        let output = Command::new("gcc")
            .args(["-std=gnu11", "-O2", "-g", "-shared", "-fPIC", "-pthread"])
            .args(options)
            .arg(root.join("tests/programs/stacks.c"))
            .arg("-o")
            .arg(&path)
            .output()
            .expect("gcc");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        path
    }

    pub(super) fn load(path: PathBuf) -> Library {
        let name = CString::new(path.to_str().expect("UTF-8")).expect("no zero");
        // SAFETY: the library has no constructors.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!handle.is_null(), "{}", path.display());
        Library { handle, path }
    }

    /// Removes the file, and its directory with the last one.
    pub(super) fn remove(path: &Path) {
        fs::remove_file(path).expect("the file");
        let _ = fs::remove_dir(path.parent().expect("a directory"));
    }

    pub(super) fn close(self) {
        // SAFETY: nobody runs code of it.
        assert_eq!(unsafe { libc::dlclose(self.handle) }, 0);
    }

    pub(super) fn address(&self, name: &CStr) -> *mut c_void {
        // SAFETY: a handle that is open.
        let address = unsafe { libc::dlsym(self.handle, name.as_ptr().cast::<c_char>()) };
        assert!(!address.is_null(), "{name:?}");
        address
    }

    /// Has the function call the visitor.
    pub(super) fn visit(&self, name: &CStr, depth: usize, visit: &mut dyn FnMut(Caller, &[u64])) {
        // SAFETY: they all have this type.
        let function = unsafe { core::mem::transmute::<*mut c_void, Depth>(self.address(name)) };
        let api = if name == c"by_new" {
            Api::New
        } else {
            Api::Malloc
        };
        // SAFETY: the function calls the first with the second and returns.
        let call = |entry, visit| unsafe { function(depth, entry, visit) };
        visit_by(api, call, visit);
    }

    pub(super) fn contains(&self, pc: u64) -> bool {
        let path = self.path.to_str().expect("UTF-8").as_bytes();
        modules::meet(pc as usize).is_some_and(|module| module.path == path)
    }
}

/// With frame pointers, and without.
pub(super) fn libraries() -> &'static [Library; 2] {
    static BOTH: OnceLock<[Library; 2]> = OnceLock::new();
    BOTH.get_or_init(|| {
        [
            ("keep.so", "-fno-omit-frame-pointer"),
            ("omit.so", "-fomit-frame-pointer"),
        ]
        .map(|(name, option)| {
            let library = Library::load(Library::compile(name, &[option]));
            Library::remove(&library.path);
            library
        })
    })
}

/// Signals are the process's.
pub(super) fn signals() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
