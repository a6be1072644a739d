//! A core file of some 300 KiB, made up: a heap of two slabs, a cache with a front and a list,
//! records of blocks, a quarantine, a guarded block, and structures whose offsets are not those of
//! any version. What a fuzzer changes of it is read at once.

/// Where structures and blocks are.
const OWN: u64 = 0x10_0000;
const ARENA: u64 = 0x4000_0000;
const SLOT: u64 = 4096;
const SUPERSLAB: u64 = 32 * SLOT;
const KEY: u64 = 0x1234_5678_9abc_def0;
/// The parts of the structures' segment.
const OWN_BYTES: u64 = 0x1_0000;
const REGISTRY: u64 = 0x2000;
const OWNERS: u64 = 0x3000;
const SLABS: u64 = 0x4000;
const SUPERSLABS: u64 = 0x5000;
const HEADERS: u64 = 0x6000;
const HEADER: u64 = 0x400;
const RECORD: u64 = 0x7000;
const CACHE: u64 = 0x8000;
const MAPPINGS: u64 = 0xc000;
const FRONTS: u64 = 0xd000;
const WORDS: u64 = 0xe000;
const STACK: u64 = 0x7000_0000;
/// What a checked build has: records, of 40 bytes each; words; a thread; stacks; guarded blocks.
const RECORDS: u64 = 0xe800;
const CHECKED: u64 = 0xf400;
const THREAD: u64 = 0xf500;
const STACKS: u64 = 0xf700;
const GUARD_ENTRIES: u64 = 0xf800;
const GUARD_SLOTS: u64 = 0xf900;
const GUARDED: u64 = 0x5000_0000;

/// The classes' bytes.
const CLASSES: [u64; 2] = [64, 512];

/// Bytes of memory, written to by address.
struct Segment {
    start: u64,
    bytes: Vec<u8>,
}

impl Segment {
    fn new(start: u64, bytes: u64) -> Self {
        Self {
            start,
            bytes: vec![0; bytes as usize],
        }
    }

    fn put(&mut self, address: u64, bytes: &[u8]) {
        let at = (address - self.start) as usize;
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn word(&mut self, address: u64, value: u64) {
        self.put(address, &value.to_le_bytes());
    }
}

/// Names of the root structure, and their numbers.
fn names() -> Vec<(&'static str, u64)> {
    let own = |offset: u64| OWN + offset;
    let mut names = vec![
        ("page.bytes", 4096),
        ("slot.bytes", SLOT),
        ("superslab.bytes", SUPERSLAB),
        ("classes", 2),
        ("list.link", 0),
        ("link.key", KEY),
        ("registry", own(REGISTRY)),
        ("registry.base", 0),
        ("registry.limit", 8),
        ("registry.owners", 16),
        ("registry.slabs", 24),
        ("registry.superslabs", 32),
        ("registry.outer", 40),
        ("registry.outer.count", 2),
        ("registry.outer.span", 1 << 32),
        ("slab.start", 0),
        ("slab.kind", 8),
        ("slab.class", 9),
        ("slab.slots", 10),
        ("slab.words", 11),
        ("slab.blocks", 12),
        ("slab.used", 14),
        ("slab.pages", 16),
        ("slab.remote.count", 20),
        ("slab.free", 24),
        ("slab.remote", 32),
        ("slab.owner", 40),
        ("slab.superslab", 48),
        ("slab.summary", 56),
        ("slab.remote.summary", 64),
        ("slab.fresh", 72),
        ("slab.partial", 74),
        ("slab.before", 80),
        ("slab.after", 88),
        ("superslab.base", 0),
        ("superslab.free", 8),
        ("superslab.clean", 12),
        ("caches", own(CACHE) - 8),
        ("cache.made_before", 0),
        ("cache.state", 8),
        ("cache.busy", 12),
        ("cache.thread", 16),
        ("cache.inbox", 24),
        ("cache.bins", 32),
        ("bin.bytes", 16),
        ("bin.top", 0),
        ("bin.end", 8),
        ("cache.shelves", 128),
        ("shelf.bytes", 64),
        ("shelf.bottom", 0),
        ("shelf.capacity", 8),
        ("shelf.list.len", 12),
        ("shelf.list.head", 16),
        ("shelf.current", 24),
        ("shelf.partial", 32),
        ("shelf.list.capacity", 40),
        ("cache.remote.entries", 512),
        ("remote.entries", 2),
        ("remote_entry.bytes", 64),
        ("remote_entry.slab", 0),
        ("remote_entry.count", 8),
        ("remote_entry.words", 16),
        ("mappings", own(MAPPINGS)),
        ("mappings.count", own(MAPPINGS) - 8),
        ("mappings.capacity", 8),
        ("mapping.bytes", 24),
        ("mapping.address", 0),
        ("mapping.len", 8),
        ("mapping.kind", 16),
    ];
    names.extend(checked_names());
    names.extend(CLASSES.map(|bytes| ("class.bytes", bytes)));
    names
}

fn checked_names() -> Vec<(&'static str, u64)> {
    let word = |index: u64| OWN + CHECKED + 8 * index;
    vec![
        ("slab.records", 96),
        ("record.set", 1),
        ("record.set.bytes", 40),
        ("record.bytes", 40),
        ("integrity.record", 0),
        ("record.asked", 0),
        ("record.asked.state", 60),
        ("record.asked.api", 52),
        ("record.asked.align", 46),
        ("record.allocated", 8),
        ("record.freed", 16),
        ("record.life", 24),
        ("record.freed_by", 28),
        ("integrity.level", word(0)),
        ("integrity.stacks", word(1)),
        ("integrity.threads", word(2)),
        ("integrity.tail", word(8)),
        ("pattern.freed", 0xde),
        ("pattern.link", 8),
        ("pattern.untouched.start", 128),
        ("pattern.untouched.end", 64),
        ("checked_thread.before", 0),
        ("checked_thread.number", 8),
        ("checked_thread.quarantine", 16),
        ("quarantine.oldest", 0),
        ("quarantine.next", 8),
        ("quarantine.entries", 16),
        ("quarantine.capacity", 4),
        ("quarantine_entry.size", 24),
        ("quarantine_entry.address", 0),
        ("quarantine_entry.address_bits", 64),
        ("quarantine_entry.record", 16),
        ("guard.base", word(3)),
        ("guard.pages", word(4)),
        ("guard.entries", word(5)),
        ("guard.slots", word(6)),
        ("guard.top", word(7)),
        ("guard.stride", 3),
        ("guard_slot.size", 80),
        ("guard_slot.record", 0),
        ("guard_slot.first", 40),
        ("guard_slot.pages", 44),
        ("guard_slot.from", 48),
        ("guard_slot.open", 56),
        ("guard_slot.phase", 60),
        ("guard_slot.start", 64),
    ]
}

/// What a record says was asked for: the state, and bytes, by `malloc`.
fn asked(state: u64, size: u64) -> u64 {
    state << 60 | 16 << 52 | 4 << 46 | size
}

/// What a checked build keeps: the records of a slab, of which block 0 is live, 1 to 4 are freed, and of
/// the second slab block 5 is quarantined.
fn records(own: &mut Segment, arena: &mut Segment, class: u64) {
    let (bytes, start) = (CLASSES[class as usize], ARENA + class * SLOT);
    let records = OWN + RECORDS + class * 0xa00;
    own.word(OWN + HEADERS + class * HEADER + 96, records);
    let who = 1 << 32 | 42;
    let size = bytes - 24;
    own.word(records, asked(1, size));
    own.word(records + 8, who);
    arena.put(start + size, &[0xde; 24]);
    for freed in 1..5 {
        own.word(records + 40 * freed, asked(4, size));
        own.word(records + 40 * freed + 16, who);
    }
    if class == 1 {
        own.word(records + 200, asked(2, size));
        arena.put(start + 5 * bytes, &[0xde; 512]);
        let thread = OWN + THREAD;
        own.word(thread + 8, 42);
        own.word(thread + 16, 7);
        own.word(thread + 24, 8);
        own.word(thread + 32 + 72, start + 5 * bytes);
        own.word(thread + 32 + 72 + 16, records + 200);
    }
}

fn checked(own: &mut Segment, guarded: &mut Segment) {
    let words = [2, OWN + STACKS, OWN + THREAD];
    let guards = [GUARDED, 8, OWN + GUARD_ENTRIES, OWN + GUARD_SLOTS, 4];
    let all = words.into_iter().chain(guards).chain([16]);
    for (index, word) in all.enumerate() {
        own.word(OWN + CHECKED + 8 * index as u64, word);
    }
    own.put(OWN + STACKS, b"hakmSTCK");
    own.word(OWN + STACKS + 48, 64);
    own.word(OWN + STACKS + 56, 8);
    for (index, word) in [0, 2, ARENA, OWN].into_iter().enumerate() {
        own.word(OWN + STACKS + 64 + 8 * index as u64, word);
    }
    for page in 1..4 {
        own.put(OWN + GUARD_ENTRIES + 4 * page, &1_u32.to_le_bytes());
    }
    let slot = OWN + GUARD_SLOTS;
    own.word(slot, asked(1, 4000));
    own.word(slot + 40, 3 << 32 | 1);
    own.word(slot + 48, GUARDED + 2 * 4096);
    own.word(slot + 56, 1 << 32 | 1);
    own.word(slot + 64, GUARDED + 2 * 4096 + 96);
    guarded.put(GUARDED + 2 * 4096, &[0xde; 96]);
}

fn root(own: &mut Segment) {
    own.put(OWN, b"hakmem root \x7f\x01\x8a\xe5");
    let names = names();
    for (index, number) in [1, names.len() as u32, 48, 40].into_iter().enumerate() {
        own.put(OWN + 16 + 4 * index as u64, &number.to_le_bytes());
    }
    for (index, (name, number)) in names.into_iter().enumerate() {
        let entry = OWN + 32 + 48 * index as u64;
        own.put(entry, name.as_bytes());
        own.word(entry + 40, number);
    }
}

fn registry(own: &mut Segment) {
    let arrays = [ARENA, 32, OWN + OWNERS, OWN + SLABS, OWN + SUPERSLABS];
    for (index, word) in arrays.into_iter().enumerate() {
        own.word(OWN + REGISTRY + 8 * index as u64, word);
    }
    own.word(OWN + SUPERSLABS, OWN + RECORD);
    own.word(OWN + RECORD, ARENA);
    own.put(OWN + RECORD + 8, &(!0b11_u32).to_le_bytes());
    let mappings = [
        (ARENA, SUPERSLAB, 1),
        (OWN, OWN_BYTES, 2),
        (OWN + OWNERS, 256, 3),
        (OWN + SLABS, 256, 3),
        (OWN + SUPERSLABS, 8, 3),
    ];
    own.word(OWN + MAPPINGS - 8, mappings.len() as u64);
    for (index, (address, len, kind)) in mappings.into_iter().enumerate() {
        let at = OWN + MAPPINGS + 24 * index as u64;
        own.word(at, address);
        own.word(at + 8, len);
        own.word(at + 16, kind);
    }
}

/// The slab of a class: its lowest block is live, the next two are in the front, two on the list.
fn slab(own: &mut Segment, arena: &mut Segment, class: u64) {
    let (bytes, header) = (CLASSES[class as usize], OWN + HEADERS + class * HEADER);
    let (start, blocks) = (ARENA + class * SLOT, SLOT / bytes);
    let words = OWN + WORDS + class * 64;
    let all = if blocks == 64 {
        u64::MAX
    } else {
        (1 << blocks) - 1
    };
    own.word(OWN + OWNERS + 8 * class, OWN + CACHE + 32 + 16 * class);
    own.word(OWN + SLABS + 8 * class, header);
    own.word(header, start);
    own.put(header + 8, &[1, class as u8, 1, 1]);
    own.put(header + 12, &(blocks as u16).to_le_bytes());
    let out = 5 + class;
    own.put(header + 14, &(out as u16).to_le_bytes());
    for (offset, word) in [
        (24, words),
        (32, words + 16),
        (40, OWN + CACHE + 24),
        (48, OWN + RECORD),
        (56, 1),
    ] {
        own.word(header + offset, word);
    }
    own.put(header + 72, &(blocks as u16).to_le_bytes());
    own.word(words, all & !((1 << out) - 1));
    own.word(words + 8, 0b11000);
    let (bin, shelf) = (
        OWN + CACHE + 32 + 16 * class,
        OWN + CACHE + 128 + 64 * class,
    );
    let front = OWN + FRONTS + 256 * class + 8;
    own.word(bin, front + 16);
    own.word(bin + 8, front + 32);
    own.word(front, start + bytes);
    own.word(front + 8, start + 2 * bytes);
    own.word(shelf, front);
    own.put(shelf + 8, &4_u32.to_le_bytes());
    own.put(shelf + 12, &2_u32.to_le_bytes());
    own.word(shelf + 16, start + 3 * bytes);
    own.word(shelf + 24, header);
    arena.word(start + 3 * bytes, (start + 4 * bytes) ^ KEY);
    arena.word(start + 4 * bytes, KEY);
    // The live blocks point to each other.
    arena.word(start + 8, ARENA + (1 - class) * SLOT);
}

/// The file.
pub fn small_core() -> Vec<u8> {
    let mut own = Segment::new(OWN, OWN_BYTES);
    let mut arena = Segment::new(ARENA, SUPERSLAB);
    let mut stack = Segment::new(STACK, 4096);
    root(&mut own);
    registry(&mut own);
    own.word(OWN + CACHE - 8, OWN + CACHE);
    own.put(OWN + CACHE + 8, &1_u32.to_le_bytes());
    own.put(OWN + CACHE + 16, &42_u32.to_le_bytes());
    let mut guarded = Segment::new(GUARDED, 8 * 4096);
    for class in 0..2 {
        slab(&mut own, &mut arena, class);
        records(&mut own, &mut arena, class);
    }
    checked(&mut own, &mut guarded);
    stack.word(STACK + 2048, ARENA);
    let mut note = vec![5, 0, 0, 0, 80, 1, 0, 0, 1, 0, 0, 0];
    note.extend(b"CORE\0\0\0\0");
    let mut thread = vec![0; 336];
    thread[32] = 42;
    thread[112 + 8 * 19..][..8].copy_from_slice(&(STACK + 2000).to_le_bytes());
    note.extend(thread);
    file(&note, &[own, arena, guarded, stack])
}

/// The file, in which the region of guarded blocks is said to begin at `base`, and its block at `start`.
pub fn with_guarded_at(base: u64, start: u64) -> Vec<u8> {
    let mut file = small_core();
    // The structures are the first segment.
    let mut word = |at: u64, word: u64| {
        file[(FIRST + at) as usize..][..8].copy_from_slice(&word.to_le_bytes());
    };
    word(CHECKED + 24, base);
    word(GUARD_SLOTS + 48, base + 2 * 4096);
    word(GUARD_SLOTS + 64, start);
    file
}

/// Where the first segment is in the file.
const FIRST: u64 = 4096;

fn file(note: &[u8], segments: &[Segment]) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1]);
    bytes[16..20].copy_from_slice(&[4, 0, 62, 0]);
    bytes[32] = 64;
    bytes[54] = 56;
    bytes[56] = 1 + segments.len() as u8;
    let mut offset = FIRST;
    let mut header = |kind: u32, offset: u64, address: u64, length: usize| {
        bytes.extend(kind.to_le_bytes());
        bytes.extend(6_u32.to_le_bytes());
        for number in [offset, address, address, length as u64, length as u64, 4096] {
            bytes.extend(number.to_le_bytes());
        }
    };
    header(4, 1024, 0, note.len());
    for segment in segments {
        header(1, offset, segment.start, segment.bytes.len());
        offset += segment.bytes.len() as u64;
    }
    bytes.resize(1024, 0);
    bytes.extend(note);
    bytes.resize(FIRST as usize, 0);
    segments
        .iter()
        .for_each(|segment| bytes.extend(&segment.bytes));
    bytes
}
