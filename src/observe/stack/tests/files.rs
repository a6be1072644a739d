//! Code that is loaded and unloaded.

use super::*;
use crate::observe::modules;
use std::string::String;

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
    Library::remove(&keep);
    Library::remove(&omit);
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
            let met = modules::meet(module.start);
            assert!(met.is_some_and(|met| core::ptr::eq(met, module)));
        }
    });
    assert!(modules::of(0).is_none() && modules::of(usize::MAX).is_none());
}
