//! Walks through code of other languages, compared with what glibc says of the same stack.

use super::*;
use crate::observe::api::Api;
use crate::observe::modules;
use crate::sys::memory::{self, PAGE};
use core::ffi::{CStr, c_char, c_int, c_void};
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::string::String;
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::vec::Vec;
use std::{format, fs};

unsafe extern "C" {
    fn backtrace(buffer: *mut u64, size: c_int) -> c_int;
    fn qsort(base: *mut u8, n: usize, size: usize, f: extern "C" fn(*const u8, *const u8) -> c_int);
}

/// What is done at the inner end of a stack.
struct Visit<'a> {
    api: Api,
    visit: &'a mut dyn FnMut(Caller, &[u64]),
    visits: usize,
}

/// As an entry of the C ABI: makes a frame and hands its address on.
#[unsafe(naked)]
extern "C" fn entry(visit: *mut c_void) {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset rbp, 0",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "mov rsi, rbp",
        "call {seen}",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
        seen = sym seen,
    )
}

/// Calls the visitor with the caller and what glibc's `backtrace` says from there on.
extern "C" fn seen(visit: *mut c_void, frame: *const usize) {
    // SAFETY: `visit_by` passes a visit and waits.
    let visit = unsafe { &mut *visit.cast::<Visit<'_>>() };
    // SAFETY: `entry` has made the frame, and waits.
    let caller = unsafe { Caller::new(frame, visit.api) };
    let mut buffer = [0; 256];
    // SAFETY: the buffer has room for as many.
    let count = unsafe { backtrace(buffer.as_mut_ptr(), 256) } as usize;
    let here = buffer[..count]
        .iter()
        .position(|&pc| pc == caller.pc() as u64);
    let theirs = &buffer[here.expect("the caller")..count];
    visit.visits += 1;
    (visit.visit)(caller, theirs);
}

/// Has `call` call [`entry`], once at least, and the visitor from there.
fn visit_by(
    api: Api,
    call: impl FnOnce(extern "C" fn(*mut c_void), *mut c_void),
    visit: &mut dyn FnMut(Caller, &[u64]),
) {
    let mut visit = Visit {
        api,
        visit,
        visits: 0,
    };
    call(entry, (&raw mut visit).cast());
    assert!(visit.visits > 0);
}

fn registers(caller: Caller) -> Registers {
    let (pc, sp, fp) = (caller.pc(), caller.sp(), caller.fp());
    Registers { pc, sp, fp }
}

/// What a walk says, the first time and later: the slow walk, the fast one with its first look at
/// each rule, and with all in place.
fn thrice(walk: impl Fn(&Local, &mut Room) -> usize) -> Vec<u64> {
    let local = Local::NEW;
    let mut room = [MaybeUninit::uninit(); FRAMES];
    let [first, second, third] = [(); 3].map(|()| {
        let count = walk(&local, &mut room);
        // SAFETY: the walk says how many it has written.
        unsafe { room[..count].assume_init_ref() }.to_vec()
    });
    assert!(
        first == second && second == third,
        "{first:x?} {second:x?} {third:x?}"
    );
    first
}

fn by_table(caller: Caller) -> Vec<u64> {
    thrice(|local, room| table::walk(&local.bounds, registers(caller), room, FRAMES))
}

fn by_frame_pointers(caller: Caller) -> Vec<u64> {
    thrice(|local, room| frame_pointers::walk(&local.bounds, registers(caller), room, FRAMES))
}

fn by_unwinder(caller: Caller) -> Vec<u64> {
    thrice(|local, room| {
        exact::walk(
            &local.bounds,
            &local.inside,
            registers(caller),
            room,
            FRAMES,
        )
    })
}

/// That the table, and libgcc, say what glibc says.
#[track_caller]
fn exact_walks(caller: Caller, theirs: &[u64]) {
    let theirs = &theirs[..theirs.len().min(FRAMES)];
    let table = by_table(caller);
    assert_eq!(table, theirs, "by table:\n{table:x?}\n{theirs:x?}");
    assert_eq!(by_unwinder(caller), theirs, "by libgcc");
}

#[inline(never)]
fn below(depth: usize, call: &mut dyn FnMut()) {
    if depth == 0 {
        call();
    } else {
        below(depth - 1, call);
    }
    std::hint::black_box(&depth);
}

#[test]
fn rust_s_own_stacks() {
    for depth in 0..100 {
        below(depth, &mut || {
            let mut check = |caller: Caller, theirs: &[u64]| {
                assert!(theirs.len() > depth);
                exact_walks(caller, theirs);
            };
            visit_by(Api::Malloc, |entry, visit| entry(visit), &mut check);
        });
    }
}

#[test]
fn what_the_unwinder_allocates_has_no_stack() {
    let local = Local::NEW;
    let mut check = |caller: Caller, _: &[u64]| {
        let mut room = [MaybeUninit::uninit(); FRAMES];
        let mut walk = || {
            exact::walk(
                &local.bounds,
                &local.inside,
                registers(caller),
                &mut room,
                8,
            )
        };
        assert_eq!(walk(), 8);
        local.inside.set(true);
        assert_eq!(walk(), 1);
        local.inside.set(false);
        assert_eq!(walk(), 8);
    };
    below(8, &mut || {
        visit_by(Api::Malloc, |entry, visit| entry(visit), &mut check)
    });
}

/// `tests/programs/stacks.c`, loaded.
struct Library {
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
    fn compile(name: &str, options: &[&str]) -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let directory = std::env::temp_dir().join(format!("hakmem-stacks-{}", std::process::id()));
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

    fn load(path: PathBuf) -> Library {
        let name = CString::new(path.to_str().expect("UTF-8")).expect("no zero");
        // SAFETY: the library has no constructors.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!handle.is_null(), "{}", path.display());
        Library { handle, path }
    }

    fn close(self) {
        // SAFETY: nobody runs code of it.
        assert_eq!(unsafe { libc::dlclose(self.handle) }, 0);
    }

    fn address(&self, name: &CStr) -> *mut c_void {
        // SAFETY: a handle that is open.
        let address = unsafe { libc::dlsym(self.handle, name.as_ptr().cast::<c_char>()) };
        assert!(!address.is_null(), "{name:?}");
        address
    }

    /// Has the function call the visitor.
    fn visit(&self, name: &CStr, depth: usize, visit: &mut dyn FnMut(Caller, &[u64])) {
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

    fn contains(&self, pc: u64) -> bool {
        let path = self.path.to_str().expect("UTF-8").as_bytes();
        modules::meet(pc as usize).is_some_and(|module| module.path == path)
    }
}

/// With frame pointers, and without.
fn libraries() -> &'static [Library; 2] {
    static BOTH: OnceLock<[Library; 2]> = OnceLock::new();
    BOTH.get_or_init(|| {
        [
            ("keep.so", "-fno-omit-frame-pointer"),
            ("omit.so", "-fomit-frame-pointer"),
        ]
        .map(|(name, option)| Library::load(Library::compile(name, &[option])))
    })
}

/// Signals are the process's.
fn signals() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

const STACKS: [&CStr; 11] = [
    c"nested",
    c"busy",
    c"variable",
    c"realigned",
    c"through_libc",
    c"by_a_signal",
    c"on_a_signal_stack",
    c"on_an_own_stack",
    c"by_new",
    c"in_a_thread",
    c"in_a_thread_on_given_memory",
];

#[test]
fn the_table_is_right_for_c() {
    let _one = signals();
    for library in libraries() {
        for name in STACKS {
            for depth in [0, 1, 5, 40, 100] {
                library.visit(name, depth, &mut |caller, theirs| {
                    assert!(library.contains(theirs[0]), "{name:?} {depth}");
                    exact_walks(caller, theirs);
                });
            }
        }
    }
}

#[test]
fn frame_pointers_are_right_for_c_that_keeps_them() {
    let _one = signals();
    let [library, _] = libraries();
    for name in STACKS {
        for depth in [0, 1, 5, 40, 100] {
            library.visit(name, depth, &mut |caller, theirs| {
                // Their caller is known for all of the library's frames up to the first that is
                // not; and what a signal has interrupted.
                let inside = |pc: &&u64| library.contains(**pc);
                let mut sure = theirs.iter().take_while(inside).count() + 1;
                if name.to_bytes().ends_with(b"signal") || name == c"on_a_signal_stack" {
                    sure += 1;
                }
                let sure = sure.min(FRAMES);
                let ours = by_frame_pointers(caller);
                assert_eq!(
                    ours.get(..sure),
                    theirs.get(..sure),
                    "{name:?} {ours:x?} {theirs:x?}"
                );
            });
        }
    }
}

#[test]
fn the_caller_is_right_without_frame_pointers() {
    let _one = signals();
    let [_, library] = libraries();
    for name in STACKS {
        library.visit(name, 5, &mut |caller, theirs| {
            assert_eq!(by_frame_pointers(caller)[0], theirs[0], "{name:?}");
        });
    }
}

#[test]
fn garbage_in_the_frame_pointer_leads_nowhere() {
    let hole = memory::reserve(PAGE, PAGE).expect("a page");
    let here = &raw const hole as usize;
    let words = [0usize; 4];
    let elsewhere = std::boxed::Box::new([hole; 4]);
    for library in libraries() {
        for garbage in [
            0,
            1,
            8,
            16,
            usize::MAX,
            usize::MAX & !7,
            1 << 47,
            hole,
            here & !7,
            words.as_ptr() as usize,
            elsewhere.as_ptr() as usize,
            // The end of the stack, and beyond.
            (here & !(PAGE - 1)) + (64 << 20),
        ] {
            library.visit(c"with_garbage", garbage, &mut |caller, theirs| {
                assert_eq!(caller.fp(), garbage);
                let ours = by_frame_pointers(caller);
                assert_eq!(ours[0], theirs[0], "{garbage:#x}");
                exact_walks(caller, theirs);
            });
        }
    }
}

#[test]
fn the_table_goes_through_libc() {
    extern "C" fn compare(_: *const u8, _: *const u8) -> c_int {
        visit_by(Api::Malloc, |entry, visit| entry(visit), &mut exact_walks);
        0
    }
    let mut items = [3, 1, 2];
    // SAFETY: three items of one byte.
    unsafe { qsort(items.as_mut_ptr(), 3, 1, compare) };
}

/// A signal interrupts functions anywhere, in the first and the last instructions as well.
#[test]
fn an_interrupted_context_is_walked_exactly() {
    use core::sync::atomic::{AtomicUsize, Ordering};
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    static WRONG: Mutex<Option<String>> = Mutex::new(None);
    const REG_RBP: usize = libc::REG_RBP as usize;
    const REG_RSP: usize = libc::REG_RSP as usize;
    const REG_RIP: usize = libc::REG_RIP as usize;

    extern "C" fn handler(_: c_int, _: *const c_void, context: *const libc::ucontext_t) {
        // SAFETY: the kernel passes a context.
        let at = unsafe { &(*context).uc_mcontext.gregs };
        let [pc, sp, fp] = [REG_RIP, REG_RSP, REG_RBP].map(|register| at[register] as usize);
        if !libraries()
            .iter()
            .any(|library| library.contains(pc as u64))
        {
            return;
        }
        let mut buffer = [0; 256];
        // SAFETY: the buffer has room for as many.
        let count = unsafe { backtrace(buffer.as_mut_ptr(), 256) } as usize;
        let here = buffer[..count].iter().position(|&frame| frame == pc as u64);
        let theirs = &buffer[here.unwrap_or(count)..count.min(here.unwrap_or(count) + FRAMES)];
        let local = Local::NEW;
        let mut frames = [0; FRAMES];
        let room = as_room(&mut frames);
        room[0].write(pc as u64);
        let from = Registers { pc, sp, fp };
        let count = table::walk_slow(&local.bounds, from, false, room, 1, FRAMES);
        if frames[..count] != *theirs {
            let text = format!("{:x?}\n{theirs:x?}", &frames[..count]);
            WRONG.lock().expect("not poisoned").get_or_insert(text);
        }
        SEEN.fetch_add(1, Ordering::Relaxed);
    }

    let _one = signals();
    // SAFETY: the handler is of the type that SA_SIGINFO asks for.
    unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        assert_eq!(
            libc::sigaction(libc::SIGUSR2, &action, core::ptr::null_mut()),
            0
        );
    }
    for library in libraries() {
        // SAFETY: they have these types.
        let (work_on, work_ends) = unsafe {
            (
                core::mem::transmute::<*mut c_void, extern "C" fn(c_int)>(
                    library.address(c"work_on"),
                ),
                core::mem::transmute::<*mut c_void, extern "C" fn()>(library.address(c"work_ends")),
            )
        };
        let until = SEEN.load(Ordering::Relaxed) + 500;
        let (send, receive) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            // SAFETY: pthread_self has no preconditions.
            send.send(unsafe { libc::pthread_self() })
                .expect("a receiver");
            work_on(6);
        });
        let id = receive.recv().expect("a sender");
        while SEEN.load(Ordering::Relaxed) < until && !thread.is_finished() {
            // SAFETY: the thread runs until it is told to end.
            unsafe { libc::pthread_kill(id, libc::SIGUSR2) };
            std::thread::sleep(core::time::Duration::from_micros(100));
        }
        work_ends();
        thread.join().expect("it ends well");
        assert_eq!(*WRONG.lock().expect("not poisoned"), None);
    }
}

/// Two files take each other's place in memory.
#[test]
fn files_come_and_go() {
    let keep = Library::compile("come.so", &["-fno-omit-frame-pointer"]);
    let omit = Library::compile("go.so", &["-fomit-frame-pointer", "-O1"]);
    let mut places = Vec::new();
    for round in 0..6 {
        let library = Library::load(if round % 2 == 0 { &keep } else { &omit }.clone());
        let mut place = 0;
        for (name, depth) in [
            (c"nested", 7),
            (c"busy", 3),
            (c"realigned", 2),
            (c"by_new", 1),
        ] {
            library.visit(name, depth, &mut |caller, theirs| {
                exact_walks(caller, theirs);
                place = caller.pc();
                assert!(library.contains(place as u64));
            });
        }
        let module = modules::of(place).expect("met");
        assert!(module.is_loaded() && module.build_id.len() == 20);
        let before = modules::generation();
        library.close();
        if round % 3 == 0 {
            modules::refresh();
            assert!(!module.is_loaded() && modules::of(place).is_none());
            assert_ne!(modules::generation(), before);
        }
        places.push(module.start);
    }
    // What the test is about has happened.
    assert!(
        places.windows(2).any(|pair| pair[0] == pair[1]),
        "{places:x?}"
    );
}

#[test]
fn the_process_s_modules_are_known() {
    modules::refresh();
    let mut names = Vec::new();
    modules::each(|module| {
        assert!(module.start < module.end);
        names.push(String::from_utf8_lossy(module.path).into_owned());
    });
    let program = std::env::current_exe().expect("a path");
    let code = by_table as *const () as usize;
    let module = modules::of(code).expect("the program");
    assert_eq!(module.path, program.to_str().expect("UTF-8").as_bytes());
    assert!(module.eh_frame_hdr > module.start && module.eh_frame_hdr < module.end);
    assert!(
        names.iter().any(|name| name.contains("/libc.so")),
        "{names:?}"
    );
    assert!(
        names.iter().any(|name| name == "linux-vdso.so.1"),
        "{names:?}"
    );
    // What the loader says without a lock is what it says with one.
    modules::each(|module| {
        if module.is_loaded() {
            assert!(modules::meet(module.start).is_none_or(|met| core::ptr::eq(met, module)));
        }
    });
    assert!(modules::of(0).is_none() && modules::of(usize::MAX).is_none());
}
