//! What a signal has interrupted, in the first and the last instructions of functions as well.

use super::*;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::format;
use std::string::String;
use std::sync::Mutex;

/// A signal interrupts functions anywhere, in the first and the last instructions as well.
#[test]
fn an_interrupted_context_is_walked_exactly() {
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
        let count = table::walk_slow(&local.bounds, from, false, room, 1, FRAMES, &mut |_, _| {});
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
