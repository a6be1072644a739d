//! Makes a trace of any length, of events that did not happen: to try and to time its readers.
//!
//! Each thread has a heap of its own, of blocks in size classes, from which it takes and to which
//! it gives back at random, so that addresses come up again and again. It writes through the same
//! functions as the allocator does. Program counters are those of this program's own code.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::ptr::NonNull;
use std::time::Instant;

use clap::Parser;
use memmap2::{MmapMut, MmapOptions};

use hakmem_benches::prng::Prng;
use hakmem_trace_format::{
    Api, CLASS_LARGE, CLASS_NONE, ClockKind, End, FileName, Flags, Kind, MAX_FRAMES, Mode,
    ModuleHeader, ModuleRecord, Plain, Record, RingHeader, RingKind, SESSION_BYTES, SessionHeader,
    SessionPage, StackTable, StacksMode, Total,
};

/// Records in a segment: 64 MiB.
const SEGMENT: u64 = 1 << 20;
/// Slots of a ring of rare events.
const RARE: u64 = 1 << 10;
/// Stacks that events have.
const STACKS: usize = 4096;
/// Blocks of a thread that may live at a time.
const BLOCKS: usize = 1 << 15;
/// Address space of a thread's heap.
const HEAP: u64 = 1 << 32;
/// Where the heaps begin.
const ARENA: u64 = 0x7e00_0000_0000;
/// Bytes of a block, by class.
const CLASSES: [u32; 16] = [
    16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 2048, 4096, 8192, 16384, 32768,
];

/// Make a trace of made-up events, to try its readers with
#[derive(Parser)]
struct CommandLine {
    /// The session directory; it is made, and must not be there yet
    directory: PathBuf,
    /// Events in all
    #[arg(default_value_t = 1_000_000)]
    events: u64,
    /// Threads that they are of
    #[arg(default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=4096))]
    threads: u32,
    /// Of the random numbers
    #[arg(default_value_t = 42)]
    seed: u64,
    /// Keep the last events of each thread only, in a ring of so many; a power of two
    #[arg(long, value_name = "SLOTS", value_parser = power_of_two)]
    ring: Option<u64>,
}

fn power_of_two(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(slots @ 1..=0x1_0000_0000) if u64::is_power_of_two(slots) => Ok(slots),
        _ => Err("it has to be a power of two, to 2^32".into()),
    }
}

fn main() -> ExitCode {
    let arguments = CommandLine::parse();
    match make(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("make_trace: {}: {error}", arguments.directory.display());
            ExitCode::from(2)
        }
    }
}

fn make(arguments: &CommandLine) -> io::Result<()> {
    fs::create_dir(&arguments.directory)?;
    let began = Instant::now();
    let session = Session::create(arguments)?;
    let share = |thread| {
        let threads = arguments.threads as u64;
        arguments.events / threads + u64::from(thread < arguments.events % threads)
    };
    // Threads in turn: the disk is what it waits for.
    for thread in 0..arguments.threads {
        Thread::new(&session, arguments, thread)?.run(share(thread as u64))?;
    }
    session.finish(arguments.events);
    let seconds = began.elapsed().as_secs_f64();
    println!("{} events in {seconds:.1} s", arguments.events);
    Ok(())
}

/// A file of the session, mapped for writing.
struct Mapped(MmapMut);

impl Mapped {
    fn create(directory: &Path, name: FileName, bytes: u64) -> io::Result<Self> {
        let path = directory.join(name.to_string());
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)?;
        file.set_len(bytes)?;
        // SAFETY: the file has just been made and is this program's alone.
        unsafe { MmapOptions::new().map_mut(&file) }.map(Self)
    }

    fn start(&self) -> NonNull<u8> {
        NonNull::new(self.0.as_ptr().cast_mut()).expect("a mapping is not at 0")
    }
}

/// What all threads share.
struct Session {
    directory: PathBuf,
    id: [u64; 2],
    page: SessionPage,
    /// Ids of stacks, each with its innermost return address.
    stacks: Vec<(u32, u64)>,
    /// Keep `page` and the ids valid.
    _mapped: [Mapped; 3],
}

impl Session {
    fn create(arguments: &CommandLine) -> io::Result<Self> {
        let directory = &arguments.directory;
        let mut prng = Prng::new(arguments.seed);
        let id = [prng.next_u64(), prng.next_u64()];
        let file = Mapped::create(directory, FileName::Session, SESSION_BYTES as u64)?;
        header(arguments, id).write_to(&file);
        // SAFETY: the file stays mapped as long as the session, and was written just now.
        let page = unsafe { SessionPage::at(file.start()) };

        let code = Code::of_this_program()?;
        let modules = Mapped::create(directory, FileName::Modules, ModuleHeader::file_bytes(64))?;
        ModuleHeader::new(id).write_to(&modules);
        // SAFETY: the file has room for records, and no other thread writes to it.
        unsafe { code.module().publish(modules.start(), 0) };

        let (slots, words) = (STACKS as u64 * 4, (STACKS * (MAX_FRAMES + 1)) as u64);
        let bytes = StackTable::file_bytes(slots, words);
        let table_file = Mapped::create(directory, FileName::Stacks, bytes)?;
        // SAFETY: the file is new, as large as the numbers ask for, and stays mapped.
        let table = unsafe { StackTable::create(table_file.start(), id, slots, words) }
            .expect("the numbers are in range");
        let stacks = (0..STACKS).map(|_| {
            let depth = prng.between(4, 24);
            let frames: Vec<u64> = (0..depth).map(|_| code.some_address(&mut prng)).collect();
            (table.insert(&frames), frames[0])
        });
        let stacks = stacks.collect();
        Ok(Self {
            directory: directory.clone(),
            id,
            page,
            stacks,
            _mapped: [file, modules, table_file],
        })
    }

    fn finish(&self, events: u64) {
        self.page.set_total(Total::Events, events);
        self.page.set_end(End::Exited, 0, events * 100);
    }
}

/// Writes a header to the start of a file.
trait WriteTo: Plain {
    fn write_to(&self, file: &Mapped) {
        assert!(size_of::<Self>() <= file.0.len());
        // SAFETY: the file is large enough, begins on a page and is this thread's.
        unsafe { self.write(file.start()) }
    }
}

impl<T: Plain> WriteTo for T {}

fn header(arguments: &CommandLine, id: [u64; 2]) -> SessionHeader {
    let mut header = SessionHeader::new(id);
    header.pid = std::process::id();
    header.page_bytes = 4096;
    header.clock = ClockKind::Monotonic.code();
    header.ticks_per_second = 1_000_000_000;
    header.start_realtime = 1_700_000_000_000_000_000;
    (header.arena_base, header.arena_limit) = (ARENA, ARENA + HEAP * arguments.threads as u64);
    header.mode = match arguments.ring {
        Some(_) => Mode::Ring.code(),
        None => Mode::Full.code(),
    };
    header.stacks = StacksMode::FramePointers.code();
    header.ring_capacity = arguments.ring.unwrap_or(0);
    header.rare_capacity = RARE;
    header.class_count = CLASSES.len() as u32;
    header.class_bytes[..CLASSES.len()].copy_from_slice(&CLASSES);
    header.set_hakmem_version(env!("CARGO_PKG_VERSION"));
    header.set_exe(b"/made/up");
    header.set_command_line(b"make_trace\0");
    header
}

/// The mapped code of this program.
struct Code {
    path: CString,
    base: u64,
    range: std::ops::Range<u64>,
}

impl Code {
    fn of_this_program() -> io::Result<Self> {
        let path = std::env::current_exe()?;
        let maps = fs::read_to_string("/proc/self/maps")?;
        let name = path.to_string_lossy();
        let mut lowest = None;
        for line in maps.lines().filter(|line| line.ends_with(name.as_ref())) {
            let mut words = line.split_whitespace();
            let range = words.next().and_then(|range| range.split_once('-'));
            let number = |text| u64::from_str_radix(text, 16).map_err(io::Error::other);
            let Some((start, end)) = range else { continue };
            let range = number(start)?..number(end)?;
            let base = *lowest.get_or_insert(range.start);
            if words.next().is_some_and(|rights| rights.contains('x')) {
                let path = CString::new(name.as_bytes()).map_err(io::Error::other)?;
                return Ok(Self { path, base, range });
            }
        }
        Err(io::Error::other(
            "this program's code is not in /proc/self/maps",
        ))
    }

    fn some_address(&self, prng: &mut Prng) -> u64 {
        prng.between(self.range.start, self.range.end - 1)
    }

    fn module(&self) -> ModuleRecord {
        let (start, end) = (self.range.start, self.range.end);
        ModuleRecord::new(self.path.as_bytes(), &[], self.base, start, end, 0)
    }
}

/// Where a thread writes to: a ring, or one segment after the other.
struct Writer<'s> {
    session: &'s Session,
    ring: u32,
    full: bool,
    segment: u32,
    file: Mapped,
    capacity: u64,
    seq: u64,
}

impl<'s> Writer<'s> {
    fn new(session: &'s Session, ring: u32, kind: RingKind, capacity: u64) -> io::Result<Self> {
        let full = kind == RingKind::Full;
        let name = match kind {
            RingKind::Full => FileName::Full(ring, 0),
            RingKind::Rare => FileName::Rare(ring),
            _ => FileName::Ring(ring),
        };
        let bytes = RingHeader::file_bytes(capacity);
        let file = Mapped::create(&session.directory, name, bytes)?;
        RingHeader::new(kind, session.id, std::process::id(), ring, capacity).write_to(&file);
        // SAFETY: the header was written just now.
        unsafe { RingHeader::set_owner(file.start(), 1000 + ring, 1, 0, b"made-up") };
        Ok(Self {
            session,
            ring,
            full,
            segment: 0,
            file,
            capacity,
            seq: 1,
        })
    }

    fn put(&mut self, record: Record) -> io::Result<()> {
        let index = (self.seq - 1) % self.capacity;
        if self.full && index == 0 && self.seq > 1 {
            self.next_segment()?;
        }
        // SAFETY: the index is below the capacity, for which the file was made.
        unsafe { RingHeader::slot(self.file.start(), index) }.put(record, self.seq);
        self.seq += 1;
        Ok(())
    }

    #[cold]
    fn next_segment(&mut self) -> io::Result<()> {
        self.segment += 1;
        let (session, name) = (self.session, FileName::Full(self.ring, self.segment));
        let bytes = RingHeader::file_bytes(self.capacity);
        self.file = Mapped::create(&session.directory, name, bytes)?;
        let (pid, segment) = (std::process::id(), self.segment);
        RingHeader::segment(session.id, pid, self.ring, segment, self.seq, self.capacity)
            .write_to(&self.file);
        Ok(())
    }
}

/// A block that lives.
#[derive(Clone, Copy)]
struct Block {
    address: u64,
    size: u64,
    class: u8,
    generation: u32,
}

/// A thread of the program that is made up.
struct Thread<'s> {
    session: &'s Session,
    writer: Writer<'s>,
    rare: Writer<'s>,
    prng: Prng,
    number: u32,
    now: u64,
    live: Vec<Block>,
    /// Blocks that were given back, by class, with how often they lived.
    free: Vec<Vec<(u64, u32)>>,
    fresh: u64,
}

impl<'s> Thread<'s> {
    fn new(session: &'s Session, arguments: &CommandLine, number: u32) -> io::Result<Self> {
        let writer = match arguments.ring {
            Some(capacity) => Writer::new(session, number, RingKind::Ring, capacity)?,
            None => Writer::new(session, number, RingKind::Full, SEGMENT)?,
        };
        Ok(Self {
            session,
            writer,
            rare: Writer::new(session, number, RingKind::Rare, RARE)?,
            prng: Prng::stream(arguments.seed, number as u64),
            number,
            now: 0,
            live: Vec::with_capacity(BLOCKS),
            free: vec![vec![]; CLASSES.len() + 1],
            fresh: ARENA + HEAP * number as u64,
        })
    }

    fn run(mut self, events: u64) -> io::Result<()> {
        let began = self
            .event(Kind::ThreadBegan, Api::Unknown, 0)
            .with_class(CLASS_NONE);
        self.rare.put(began)?;
        let mut written = 0;
        while written < events {
            let dice = self.prng.below(100);
            let room = BLOCKS - self.live.len();
            if self.live.is_empty() || (dice < 52 && room > 0) {
                let block = self.take();
                let record = self.of_block(Kind::Allocate, Api::Malloc, &block);
                self.writer.put(record)?;
                self.live.push(block);
                written += 1;
                continue;
            }
            let chosen = self.prng.below(self.live.len() as u64) as usize;
            let old = self.live.swap_remove(chosen);
            if dice < 97 {
                let kind = if dice == 96 {
                    Kind::RemoteFree
                } else {
                    Kind::Free
                };
                let record = self.of_block(kind, Api::Free, &old);
                self.writer.put(record)?;
                written += 1;
            } else {
                let new = self.take();
                let out = self.of_block(Kind::ResizeOut, Api::Realloc, &old);
                self.writer.put(out.with_value(new.address))?;
                let into = self.of_block(Kind::ResizeIn, Api::Realloc, &new);
                self.writer.put(into.with_value(old.address))?;
                self.live.push(new);
                written += 2;
            }
            self.free[Self::shelf(old.class)].push((old.address, old.generation));
        }
        let ended = self.event(Kind::ThreadEnded, Api::Unknown, 0);
        self.rare.put(ended)
    }

    fn shelf(class: u8) -> usize {
        (class as usize).min(CLASSES.len())
    }

    fn take(&mut self) -> Block {
        let size = self.prng.power_law(8, 14);
        let class = CLASSES.partition_point(|bytes| (*bytes as u64) < size);
        let (class, bytes) = match CLASSES.get(class) {
            Some(bytes) => (class as u8, *bytes as u64),
            None => (CLASS_LARGE, 1 << 18),
        };
        let (address, lives) = self.free[Self::shelf(class)].pop().unwrap_or_else(|| {
            let address = self.fresh;
            self.fresh += bytes;
            (address, 0)
        });
        Block {
            address,
            size,
            class,
            generation: lives + 1,
        }
    }

    fn event(&mut self, kind: Kind, api: Api, address: u64) -> Record {
        self.now += self.prng.between(40, 160);
        let (stack, caller) = self.session.stacks[self.prng.below(STACKS as u64) as usize];
        Record::new(kind, api, self.now, address)
            .with_caller(caller)
            .with_stack(stack)
            .with_thread(1000 + self.number)
    }

    fn of_block(&mut self, kind: Kind, api: Api, block: &Block) -> Record {
        self.event(kind, api, block.address)
            .with_size(block.size)
            .with_class(block.class)
            .with_generation(block.generation)
            .with_flags(Flags::default())
    }
}
