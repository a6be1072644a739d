//! The session, the clock, modules and the crash.

use std::fmt::Write;

use hakmem_trace_format::{
    CRASH_TEXT, CalibrationPoint, ClockKind, CrashCause, CrashPage, CrashReport, End, FileName,
    ModuleHeader, ModuleRecord, Plain, SESSION_BYTES, SessionHeader, SessionPage, Total,
};

use crate::support::{Directory, Memory, SESSION, session};

#[test]
fn what_is_set_is_read() {
    let mut header = session();
    header.set_hakmem_version("0.1.0");
    header.set_features("record guard");
    let directory = Directory::with(&header);
    let trace = directory.open();
    let session = trace.session();
    assert_eq!(*session.header(), header);
    assert_eq!(session.exe().to_str(), Some("/bin/program"));
    assert_eq!(session.arguments(), ["program", "-x"]);
    assert_eq!(session.hakmem_version(), "0.1.0");
    assert_eq!(session.features(), ["record", "guard"]);
    assert_eq!(session.end(), Some((End::Running, 0)));
    assert_eq!(session.id(), "80000000000000019e3779b97f4a7c15");
}

#[test]
fn what_is_too_long_is_cut() {
    let mut header = SessionHeader::new(SESSION);
    header.set_exe(&[b'x'; 5000]);
    header.set_command_line(&[0; 5000]);
    header.set_hakmem_version(&"9".repeat(100));
    let directory = Directory::with(&header);
    let trace = directory.open();
    assert_eq!(trace.session().exe().as_os_str().len(), 1024);
    assert_eq!(trace.session().arguments().len(), 3072);
    assert_eq!(trace.session().hakmem_version().len(), 64);
}

#[test]
fn updates_arrive() {
    let memory = Memory::with(&session(), SESSION_BYTES as u64);
    // SAFETY: the memory begins with a session and lives as long.
    let page = unsafe { SessionPage::at(memory.start()) };
    page.set_arena(0x1000, 0x2000);
    page.set_ticks_per_second(3);
    page.add_total(Total::Faults, 2);
    page.add_total(Total::Faults, 3);
    page.set_total(Total::Events, 7);
    page.set_end(End::Signalled, 11, 99);
    let directory = Directory::new();
    directory.write(FileName::Session, &memory.content());
    let trace = directory.open();
    let header = trace.session().header();
    assert_eq!((header.arena_base, header.arena_limit), (0x1000, 0x2000));
    assert_eq!((header.totals[7], header.totals[0]), (5, 7));
    assert_eq!(trace.session().end(), Some((End::Signalled, 11)));
    assert_eq!((header.end_ticks, header.ticks_per_second), (99, 3));
}

#[test]
fn ticks_become_time() {
    let mut header = session();
    header.clock = ClockKind::Tsc.code();
    (header.start_ticks, header.start_monotonic) = (1 << 40, 5_000_000_000);
    header.start_realtime = 1_700_000_000_000_000_000;
    let clock = *Directory::with(&header).open().clock();
    assert!(!clock.is_calibrated());

    header.ticks_per_second = 2_000_000_000;
    let clock = *Directory::with(&header).open().clock();
    assert!(clock.is_calibrated());
    assert_eq!(clock.since_start((1 << 40) + 2_000_000_000), 1_000_000_000);
    assert_eq!(clock.since_start((1 << 40) - 2), -1);
    assert_eq!(clock.realtime((1 << 40) + 4), 1_700_000_000_000_000_002);
    assert_eq!(clock.ticks_at(1_000_000_000), (1 << 40) + 2_000_000_000);

    // Later points count more than what was estimated at the start; the last counts.
    let memory = Memory::with(&header, SESSION_BYTES as u64);
    // SAFETY: the memory begins with a session and lives as long.
    let page = unsafe { SessionPage::at(memory.start()) };
    for seconds in 1..=5 {
        page.add_calibration(CalibrationPoint {
            ticks: (1 << 40) + seconds * 2_500_000_000,
            monotonic: 5_000_000_000 + seconds * 1_000_000_000,
        });
    }
    let directory = Directory::new();
    directory.write(FileName::Session, &memory.content());
    let trace = directory.open();
    assert_eq!(trace.session().header().calibrations, 5);
    assert_eq!(
        trace.clock().since_start((1 << 40) + 2_500_000_000),
        1_000_000_000
    );

    // Whatever is in it.
    for end in [0, 1, u64::MAX] {
        header.ticks_per_second = end;
        header.later_points = [[end; 2], [u64::MAX, 1]];
        for start in [0, u64::MAX] {
            (header.start_ticks, header.start_realtime) = (start, start);
            let clock = *Directory::with(&header).open().clock();
            for ticks in [0, 1, u64::MAX / 2, u64::MAX] {
                let _ = (clock.since_start(ticks), clock.realtime(ticks));
                let _ = (clock.ticks_at(i64::MIN), clock.ticks_at(i64::MAX));
            }
        }
    }
}

#[test]
fn modules_are_found_by_place_and_time() {
    let memory = Memory::with(&ModuleHeader::new(SESSION), ModuleHeader::file_bytes(16));
    let put = |index, path: &[u8], start, end, time| {
        let record = ModuleRecord::new(path, b"id", start, start, end, time);
        // SAFETY: the memory has room for 16 records.
        unsafe { record.publish(memory.start(), index) };
    };
    put(0, b"/program", 0x1000, 0x9000, 0);
    put(1, b"/plugin-a", 0x20_000, 0x30_000, 100);
    // SAFETY: as above; the record is there.
    unsafe { ModuleRecord::unload(memory.start(), 1, 200) };
    put(2, b"/plugin-b", 0x28_000, 0x38_000, 300);
    let long = [b"/cut".as_slice(), &[b'x'; 396], b"end"].concat();
    put(3, &long, 0x50_000, 0x51_000, 0);
    let directory = Directory::new();
    directory.write(FileName::Modules, &memory.content());
    let trace = directory.open();
    assert_eq!(trace.notes(), []);
    let at = |pc, time| trace.module_of(pc, time).map(|module| module.index);
    assert_eq!(at(0x1000, 5), Some(0));
    assert_eq!((at(0xfff, 5), at(0x9000, 5)), (None, None));
    assert_eq!((at(0x2_8000, 150), at(0x2_8000, 350)), (Some(1), Some(2)));
    assert_eq!(at(0x2_8000, 250), Some(1), "the one that was there last");
    assert_eq!(at(0x2_8000, 50), Some(1), "the one that is there first");
    assert_eq!(at(0x37_fff, 0), Some(2));
    let cut = &trace.modules()[3];
    assert!(cut.path_is_cut && cut.path.to_str().unwrap().ends_with("xend"));
    assert_eq!(trace.modules()[1].unloaded, Some(200));

    let mut content = memory.content();
    content[4096 + 512 + 120] ^= 1;
    directory.write(FileName::Modules, &content);
    let trace = directory.open();
    assert_eq!(trace.modules().len(), 3);
    assert!(
        trace.notes()[0].text.contains("1 of its records"),
        "{:?}",
        trace.notes()
    );
}

#[test]
fn the_first_report_stays() {
    let memory = Memory::new(size_of::<CrashPage>() as u64);
    let directory = Directory::new();
    // SAFETY: the memory is new and as large as the page.
    unsafe { CrashPage::create(memory.start(), SESSION) };
    directory.write(FileName::Crash, &memory.content());
    assert!(directory.open().crash().is_none());

    let cause = |signal| CrashCause {
        signal,
        code: 1,
        fault_address: 2,
        time: 3,
        pid: 4,
        tid: 5,
    };
    // SAFETY: the page was made above.
    let mut report = unsafe { CrashReport::begin(memory.start(), &cause(11)) }.unwrap();
    // SAFETY: as above.
    assert!(unsafe { CrashReport::begin(memory.start(), &cause(6)) }.is_none());
    report.set_frames(&[1; 100]);
    report.set_stack(77);
    write!(report, "text {}", 1).unwrap();
    directory.write(FileName::Crash, &memory.content());
    let trace = directory.open();
    assert_eq!(trace.crash().unwrap().text(), b"text 1");
    assert!(trace.notes()[0].text.contains("not written to its end"));

    report.push(&[b'x'; CRASH_TEXT]);
    drop(report);
    directory.write(FileName::Crash, &memory.content());
    let trace = directory.open();
    let crash = trace.crash().unwrap();
    assert!(crash.is_complete() && trace.notes().is_empty());
    assert_eq!((crash.text().len(), crash.frames().len()), (CRASH_TEXT, 64));
    assert_eq!(
        (crash.signal, crash.stack, crash.fault_address),
        (11, 77, 2)
    );
    assert_eq!((crash.code, crash.pid, crash.tid, crash.time), (1, 4, 5, 3));
}

#[test]
fn structures_are_read_from_bytes_alone() {
    let header = session();
    assert_eq!(SessionHeader::read(header.as_bytes()), Some(header));
    assert_eq!(SessionHeader::read(&header.as_bytes()[1..]), None);
}
