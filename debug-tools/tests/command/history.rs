//! `hakmem history` on traces of a program that this test compiles.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::ptr::NonNull;

use hakmem_trace_format::{
    Api, ClockKind, FileName, Kind, ModuleHeader, ModuleRecord, Plain, Record, RingHeader,
    RingKind, SessionHeader, StackTable,
};
use object::{Object, ObjectSymbol};

use crate::support::{HAKMEM, Room};

const SESSION: [u64; 2] = [0x1111_2222_3333_4444, 0x5555_6666_7777_8888];
/// Where the program was loaded.
const BASE: u64 = 0x5555_5555_0000;
/// A block of 100 bytes.
const BLOCK: u64 = 0x7f00_0000_1000;

const PROGRAM: &str = "\
#include <stdlib.h>
__attribute__((noinline)) void *innermost(void) { return malloc(100); }
__attribute__((noinline)) void *middle(void) { return innermost() + 1; }
int main(void) { return middle() != NULL; }
";

/// A program, and what its file says.
struct Program {
    path: PathBuf,
    build_id: Vec<u8>,
    /// Addresses in the file that are behind the starts of the functions.
    functions: [u64; 3],
}

impl Program {
    fn compile(room: &Room, name: &str) -> Self {
        let flags = ["-g", "-O1", "-fno-ipa-pure-const", "-Wl,--build-id=sha1"];
        let path = room.compile(name, PROGRAM, &flags);
        let content = std::fs::read(&path).unwrap();
        let file = object::File::parse(&*content).unwrap();
        let functions = ["innermost", "middle", "main"].map(|name| {
            let mut symbols = file.symbols();
            let symbol = symbols.find(|symbol| symbol.name() == Ok(name)).unwrap();
            symbol.address() + 4
        });
        let build_id = file.build_id().unwrap().unwrap().to_vec();
        Self {
            path,
            build_id,
            functions,
        }
    }

    fn stack(&self) -> [u64; 3] {
        self.functions.map(|function| BASE + function)
    }
}

fn file(directory: &Path, name: FileName, parts: &[&[u8]]) {
    std::fs::write(directory.join(name.to_string()), parts.concat()).unwrap();
}

/// A trace in which `BLOCK` is allocated, freed by another thread, and allocated again.
fn trace(room: &Room, name: &str, program: &Program) -> PathBuf {
    let directory = room.path(name);
    std::fs::create_dir(&directory).unwrap();
    let mut session = SessionHeader::new(SESSION);
    session.page_bytes = 4096;
    session.clock = ClockKind::Monotonic.code();
    (session.start_ticks, session.start_monotonic) = (1_000, 1_000);
    session.class_bytes[3] = 112;
    file(&directory, FileName::Session, &[session.as_bytes()]);

    let path = program.path.to_str().unwrap().as_bytes();
    let module = ModuleRecord::new(path, &program.build_id, BASE, BASE, BASE + 0x10_0000, 0);
    let header = ModuleHeader::new(SESSION);
    file(
        &directory,
        FileName::Modules,
        &[header.as_bytes(), module.as_bytes()],
    );

    let (stacks, id) = stacks(&program.stack());
    file(&directory, FileName::Stacks, &[&stacks]);

    let block = |kind, api, time, size, thread| {
        Record::new(kind, api, time, BLOCK)
            .with_size(size)
            .with_class(3)
            .with_thread(thread)
            .with_caller(program.stack()[0])
    };
    let resize = |kind, time, address, other| {
        Record::new(kind, Api::Realloc, time, address)
            .with_size(50)
            .with_value(other)
            .with_thread(7)
    };
    let records = [
        block(Kind::Allocate, Api::Malloc, 501_000, 100, 7)
            .with_stack(id)
            .with_generation(1),
        block(Kind::RemoteFree, Api::Free, 1_000_001_000, 100, 8).with_generation(1),
        resize(Kind::ResizeOut, 1_000_002_000, BLOCK, 0x8000),
        resize(Kind::ResizeIn, 1_000_002_000, 0x8000, BLOCK),
        Record::new(Kind::Mark, Api::Unknown, 1_000_003_000, 0x9000).with_size(7),
        Record::continuation(1_000_003_000, 5, 1, b"tea\x1b[1m"),
    ];
    let header = RingHeader::new(RingKind::Ring, SESSION, 7, 0, 8);
    let mut slots = vec![];
    for (index, record) in records.into_iter().enumerate() {
        slots.extend_from_slice(record.seal(index as u64 + 1).as_bytes());
    }
    slots.resize(8 * 64, 0);
    file(&directory, FileName::Ring(0), &[header.as_bytes(), &slots]);
    directory
}

/// A file of stacks with one in it, and its id.
fn stacks(frames: &[u64]) -> (Vec<u8>, u32) {
    #[derive(Clone)]
    #[repr(align(4096))]
    struct Page(#[allow(dead_code)] [u8; 4096]);

    let bytes = StackTable::file_bytes(16, 128) as usize;
    let mut memory = vec![Page([0; 4096]); bytes.div_ceil(4096)];
    let start = NonNull::new(memory.as_mut_ptr().cast::<u8>()).unwrap();
    // SAFETY: the memory is zeroed, large enough and nobody else's.
    let table = unsafe { StackTable::create(start, SESSION, 16, 128) }.unwrap();
    let id = table.insert(frames);
    // SAFETY: all of it is initialised, and nobody writes to it any more.
    let content = unsafe { std::slice::from_raw_parts(start.as_ptr(), bytes) };
    (content.to_vec(), id)
}

fn history(arguments: &[&str], directory: &Path, address: &str) -> (i32, String, String) {
    let mut command = Command::new(HAKMEM);
    command
        .arg("history")
        .args(arguments)
        .arg(directory)
        .arg(address);
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn each_event_is_a_line() {
    let room = Room::new();
    let program = Program::compile(&room, "program");
    let directory = trace(&room, "trace", &program);
    let (status, stdout, stderr) = history(&[], &directory, "0x7f0000001010");
    assert_eq!((status, stderr.as_str()), (0, ""));
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{stdout}");
    let parts = |line: &str, parts: &[&str]| {
        for part in parts {
            assert!(line.contains(part), "{part:?} is not in {line:?}");
        }
    };
    parts(
        lines[0],
        &[
            "+0.000500000 s",
            "thread 7",
            "allocate",
            "malloc",
            "100 bytes",
            "0x7f0000001000 +16",
            "life 1",
            "innermost < middle < main",
        ],
    );
    parts(
        lines[1],
        &[
            "+1.000000000 s",
            "thread 8",
            "remote-free",
            "free",
            "innermost",
        ],
    );
    parts(
        lines[2],
        &["resize-out", "realloc", "50 bytes", "to 0x8000"],
    );
    assert!(!stdout.contains('\x1b'), "colours in a pipe");

    // Decimal, at the block's start, and behind what was asked for.
    let (status, same, _) = history(&[], &directory, &BLOCK.to_string());
    assert_eq!((status, same.lines().count()), (0, 3));
    let (_, behind, _) = history(&[], &directory, "0x7f000000106a");
    parts(&behind, &["+106 (6 behind its end)"]);
}

#[test]
fn lines_threads_and_addresses_on_request() {
    let room = Room::new();
    let program = Program::compile(&room, "program");
    let directory = trace(&room, "trace", &program);
    let address = "0x7f0000001000";
    let (_, lines, _) = history(&["--lines"], &directory, address);
    let expected = [
        "innermost (",
        "program.c:2)",
        "middle (",
        "program.c:3)",
        "program.c:4)",
    ];
    assert!(expected.iter().all(|part| lines.contains(part)), "{lines}");

    let (status, one, _) = history(&["--thread", "8"], &directory, address);
    assert_eq!((status, one.lines().count()), (0, 1), "{one}");
    let (status, none, said) = history(&["--thread", "9"], &directory, address);
    assert_eq!((status, none.as_str()), (1, ""));
    assert!(
        said.contains("3 events") && said.contains("--thread"),
        "{said}"
    );

    let (_, plain, _) = history(&["--no-symbols"], &directory, address);
    let expected = format!("program+{:#x} < program+", program.functions[0]);
    assert!(plain.contains(&expected), "{plain}");
}

#[test]
fn json_has_all_of_it() {
    let room = Room::new();
    let program = Program::compile(&room, "program");
    let directory = trace(&room, "trace", &program);
    let (status, stdout, _) = history(&["--json"], &directory, "0x7f0000001010");
    assert_eq!(status, 0);
    let events: Vec<serde_json::Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.len(), 3);
    let first = &events[0];
    assert_eq!(first["time_ns"], 500_000);
    assert_eq!(first["kind"], "allocate");
    assert_eq!(first["api"], "malloc");
    assert_eq!(
        (&first["size"], &first["offset"]),
        (&100.into(), &16.into())
    );
    assert_eq!(first["address"], "0x7f0000001000");
    assert_eq!(first["stack"][1]["function"], "middle");
    assert_eq!(first["stack"][2]["line"], 4);
    assert_eq!(first["stack"][0]["module"], program.path.to_str().unwrap());
}

#[test]
fn text_of_the_trace_gives_no_orders_to_the_terminal() {
    let room = Room::new();
    let program = Program::compile(&room, "program");
    let directory = trace(&room, "trace", &program);
    let (status, stdout, _) = history(&[], &directory, "0x9000");
    assert_eq!(status, 0);
    assert!(stdout.contains(r#""tea\u{1b}[1m""#), "{stdout}");
}

#[test]
fn an_address_of_no_block_gets_the_nearest() {
    let room = Room::new();
    let program = Program::compile(&room, "program");
    let directory = trace(&room, "trace", &program);
    let (status, stdout, stderr) = history(&[], &directory, "0x10000");
    assert_eq!((status, stdout.as_str()), (1, ""));
    for part in [
        "nothing is known of 0x10000",
        "below: 0x8000",
        "above: 0x7f0000001000",
        "next:",
    ] {
        assert!(stderr.contains(part), "{stderr}");
    }
}

#[test]
fn names_of_another_build_are_not_believed() {
    let room = Room::new();
    let mut program = Program::compile(&room, "program");
    program.build_id[0] ^= 1;
    let directory = trace(&room, "trace", &program);
    let (status, stdout, stderr) = history(&[], &directory, "0x7f0000001000");
    assert_eq!(status, 0);
    assert!(
        !stdout.contains("innermost") && stdout.contains("program+0x"),
        "{stdout}"
    );
    assert_eq!(stderr.matches("build id").count(), 1, "{stderr}");
}

#[test]
fn a_program_that_is_gone_is_said_once() {
    let room = Room::new();
    let program = Program::compile(&room, "program");
    let directory = trace(&room, "trace", &program);
    std::fs::remove_file(&program.path).unwrap();
    let (status, stdout, stderr) = history(&[], &directory, "0x7f0000001000");
    assert_eq!((status, stdout.lines().count()), (0, 3));
    assert_eq!(stderr.matches("no names from").count(), 1, "{stderr}");
}

#[test]
fn what_cannot_be_read_says_what_to_do() {
    let room = Room::new();
    let (status, stdout, stderr) = history(&[], &room.path("none"), "1");
    assert_eq!((status, stdout.as_str()), (2, ""));
    for part in [
        "hakmem: error: ",
        "where: ",
        "why: ",
        "next:  name a session directory",
    ] {
        assert!(stderr.contains(part), "{stderr}");
    }
    room.write("broken/session", [7; 9000], "644");
    let (status, _, stderr) = history(&[], &room.path("broken"), "1");
    assert_eq!(status, 2);
    assert!(stderr.contains("does not begin as such a file"), "{stderr}");
    for address in ["", "x", "7f00", "-1", "0x1ffffffffffffffff"] {
        let (status, stdout, stderr) = history(&[], &room.path("broken"), address);
        assert_eq!((status, stdout.as_str()), (2, ""), "{address}");
        assert!(!stderr.is_empty());
    }
}
