//! A session directory made by the writer's side, and memory in the place of mapped files.

use std::fs;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use hakmem_trace_format::reader::Trace;
use hakmem_trace_format::{
    Api, ClockKind, CrashCause, CrashPage, CrashReport, FileName, Kind, Mode, ModuleHeader,
    ModuleRecord, Plain, Record, RingHeader, RingKind, SessionHeader, StackTable,
};
use tempfile::TempDir;

pub const SESSION: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0x8000_0000_0000_0001];

#[derive(Clone)]
#[repr(align(4096))]
struct Page(#[allow(dead_code)] [u8; 4096]);

/// Zeroed memory, as a mapped file has it.
pub struct Memory {
    pages: Vec<Page>,
    bytes: usize,
}

// SAFETY: it is memory of its own.
unsafe impl Sync for Memory {}

impl Memory {
    pub fn new(bytes: u64) -> Self {
        let bytes = bytes as usize;
        let pages = vec![Page([0; 4096]); bytes.div_ceil(4096)];
        Self { pages, bytes }
    }

    /// A header at the start of so many bytes.
    pub fn with(header: &impl Plain, bytes: u64) -> Self {
        let memory = Self::new(bytes);
        assert!(header.as_bytes().len() <= memory.bytes);
        // SAFETY: the memory is large enough, aligned to a page, and nobody else's.
        unsafe { header.write(memory.start()) };
        memory
    }

    pub fn start(&self) -> NonNull<u8> {
        NonNull::new(self.pages.as_ptr().cast_mut().cast()).unwrap()
    }

    pub fn content(&self) -> Vec<u8> {
        // SAFETY: all of it is initialised, and no test writes to it meanwhile.
        unsafe { std::slice::from_raw_parts(self.start().as_ptr(), self.bytes) }.to_vec()
    }
}

/// A file of records.
pub struct Ring {
    pub memory: Memory,
    pub header: RingHeader,
    seq: u64,
}

impl Ring {
    pub fn new(header: RingHeader) -> Self {
        let memory = Memory::with(&header, RingHeader::file_bytes(header.capacity));
        Self {
            memory,
            header,
            seq: header.first_seq,
        }
    }

    pub fn of(kind: RingKind, ring: u32, capacity: u64) -> Self {
        Self::new(RingHeader::new(kind, SESSION, 7, ring, capacity))
    }

    pub fn put(&mut self, record: Record) -> u64 {
        let index = (self.seq - self.header.first_seq) % self.header.capacity;
        // SAFETY: the memory has as many slots as the header says.
        unsafe { RingHeader::slot(self.memory.start(), index) }.put(record, self.seq);
        self.seq += 1;
        self.seq - 1
    }

    /// A record with bytes that follow it.
    pub fn put_with(&mut self, record: Record, payload: &[u8]) {
        let seq = self.put(record);
        for (index, part) in payload.chunks(32).enumerate() {
            let index = index as u8 + 1;
            self.put(Record::continuation(record.time(), seq, index, part));
        }
    }

    pub fn name(&self) -> FileName {
        match RingKind::from_code(self.header.kind) {
            Some(RingKind::Ring) => FileName::Ring(self.header.ring),
            Some(RingKind::Rare) => FileName::Rare(self.header.ring),
            _ => FileName::Full(self.header.ring, self.header.segment),
        }
    }
}

/// A session directory.
pub struct Directory(TempDir);

impl Directory {
    /// One with a session file alone.
    pub fn new() -> Self {
        Self::with(&session())
    }

    pub fn with(session: &SessionHeader) -> Self {
        let directory = Self(TempDir::new().unwrap());
        directory.write(FileName::Session, session.as_bytes());
        directory
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn file(&self, name: FileName) -> PathBuf {
        self.path().join(name.to_string())
    }

    pub fn write(&self, name: FileName, content: &[u8]) {
        fs::write(self.file(name), content).unwrap();
    }

    pub fn add(&self, ring: &Ring) {
        self.write(ring.name(), &ring.memory.content());
    }

    pub fn open(&self) -> Trace {
        Trace::open(self.path()).unwrap()
    }
}

pub fn session() -> SessionHeader {
    let mut session = SessionHeader::new(SESSION);
    session.pid = 7;
    session.page_bytes = 4096;
    session.clock = ClockKind::Monotonic.code();
    session.mode = Mode::Ring.code();
    for (class, bytes) in session.class_bytes.iter_mut().enumerate().take(40) {
        *bytes = 16 * (class as u32 + 1);
    }
    session.class_count = 40;
    session.set_exe(b"/bin/program");
    session.set_command_line(b"program\0-x\0");
    session
}

pub fn allocate(time: u64, address: u64, size: u64) -> Record {
    Record::new(Kind::Allocate, Api::Malloc, time, address)
        .with_size(size)
        .with_class((size.max(1).div_ceil(16) - 1) as u8)
        .with_thread(7)
}

pub fn free(time: u64, address: u64, size: u64) -> Record {
    Record::new(Kind::Free, Api::Free, time, address)
        .with_size(size)
        .with_thread(7)
}

/// A small session with something in each file, and the names of all its files.
pub fn small() -> (Directory, Vec<FileName>) {
    let directory = Directory::new();
    let mut names = vec![
        FileName::Session,
        FileName::Stacks,
        FileName::Modules,
        FileName::Crash,
    ];

    let bytes = StackTable::file_bytes(64, 1024);
    let memory = Memory::new(bytes);
    // SAFETY: the memory is new and as large as the numbers ask for.
    let table = unsafe { StackTable::create(memory.start(), SESSION, 64, 1024) }.unwrap();
    let stacks: Vec<u32> = (1..20)
        .map(|depth| table.insert(&(0..depth).map(|f| 0x40_0000 + f * 16).collect::<Vec<_>>()))
        .collect();
    directory.write(FileName::Stacks, &memory.content());

    let memory = Memory::with(&ModuleHeader::new(SESSION), ModuleHeader::file_bytes(8));
    let module = ModuleRecord::new(b"/bin/program", &[1, 2, 3], 0, 0x40_0000, 0x50_0000, 1);
    // SAFETY: the memory has room for 8 records.
    unsafe { module.publish(memory.start(), 0) };
    directory.write(FileName::Modules, &memory.content());

    let memory = Memory::new(size_of::<CrashPage>() as u64);
    // SAFETY: the memory is new and as large as the page.
    let report = unsafe {
        CrashPage::create(memory.start(), SESSION);
        let cause = CrashCause {
            signal: 11,
            code: 1,
            fault_address: 8,
            time: 99,
            pid: 7,
            tid: 7,
        };
        CrashReport::begin(memory.start(), &cause).unwrap()
    };
    report.set_registers(&std::array::from_fn(|index| index as u64));
    report.set_frames(&[0x40_0010, 0x40_0020]);
    report.push(b"a fault");
    drop(report);
    directory.write(FileName::Crash, &memory.content());

    let mut rings = [
        Ring::of(RingKind::Ring, 0, 64),
        Ring::of(RingKind::Rare, 0, 16),
        Ring::of(RingKind::Full, 1, 32),
    ];
    for time in 0..100 {
        let stack = stacks[time as usize % stacks.len()];
        rings[0].put(allocate(time, 0x1000 + 64 * (time % 8), 40).with_stack(stack));
    }
    let mark = Record::new(Kind::Mark, Api::Unknown, 50, 0).with_size(40);
    rings[1].put_with(mark, &[b'm'; 40]);
    for time in 0..20 {
        rings[2].put(free(time, 0x1000, 40));
    }
    for ring in &rings {
        directory.add(ring);
        names.push(ring.name());
    }
    (directory, names)
}

/// Does all that a reader can do. Gives back how many records there are.
pub fn use_all(trace: &Trace) -> usize {
    let events: Vec<_> = trace.records().collect();
    let slots: usize = trace.files().iter().map(|file| file.slots()).sum();
    assert!(events.len() <= slots);
    for event in &events {
        let _ = trace.stack(event.record.stack());
        let _ = trace.module_of(event.record.caller(), event.record.time());
        let _ = trace.clock().since_start(event.record.time());
        let _ = trace.clock().realtime(event.record.time());
    }
    for address in [0, 0x1000, 0x1020, u64::MAX >> 16, u64::MAX] {
        let history = trace.history(address);
        assert!(history.events.len() <= slots);
        let _ = trace.nearest(address);
    }
    for (_, survey) in trace.surveys() {
        let _ = (survey.missing(), survey.overwritten());
        assert_eq!(
            survey.slots,
            survey.empty + survey.whole + survey.unfinished + survey.torn
        );
    }
    for id in (0..2000).chain([u32::MAX, u32::MAX - 1]) {
        let _ = trace.stack(id);
    }
    let session = trace.session();
    let _ = (
        session.exe(),
        session.arguments(),
        session.end(),
        session.id(),
    );
    let _ = (session.hakmem_version(), session.features(), session.mode());
    if let Some(crash) = trace.crash() {
        let _ = (crash.text(), crash.frames(), crash.registers());
    }
    for note in trace.notes() {
        assert!(note.to_string().contains(": "));
    }
    events.len()
}
