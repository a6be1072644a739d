//! The programs of this package, and what comes out of them.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

/// As the programs have it: buffers, and those that `metered` keeps.
const BUFFERS: u64 = 100;
const KEPT: u64 = 40;
/// Bytes of the class that serves 20 000.
const BLOCK: u64 = 20_480;

/// The lines of `traced` with the target of the allocator.
fn traced(filter: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_traced"))
        .env("RUST_LOG", filter)
        .output()
        .expect("traced runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(errors.contains("lost: 0"), "{errors}");
    let (ours, others): (Vec<&str>, _) = text.lines().partition(|line| line.contains(" hakmem: "));
    assert!(others.is_empty(), "{others:?}");
    ours.into_iter().map(str::to_owned).collect()
}

fn with<'a>(lines: &'a [String], parts: &[&str]) -> Vec<&'a str> {
    let has_all = |line: &&str| parts.iter().all(|part| line.contains(part));
    lines.iter().map(String::as_str).filter(has_all).collect()
}

/// The values of a field.
fn values<'a>(lines: &[&'a str], field: &str) -> Vec<&'a str> {
    let value = |line: &&'a str| {
        let (_, rest) = line.split_once(&format!(" {field}="))?;
        rest.split(' ').next()
    };
    let values: Vec<&str> = lines.iter().filter_map(value).collect();
    assert_eq!(values.len(), lines.len(), "{field}: {lines:?}");
    values
}

#[test]
fn traced_tells_of_each_allocation_and_free() {
    let lines = traced("hakmem=trace");
    let of_class = |parts: &[&str]| with(&lines, &[&["class=20480"], parts].concat());

    let allocated = of_class(&[
        "TRACE",
        "hakmem: allocated ",
        "size=20000",
        "call=\"alloc\"",
    ]);
    assert_eq!(allocated.len() as u64, BUFFERS);
    assert!(
        values(&allocated, "bytes")
            .iter()
            .all(|bytes| *bytes == "20480")
    );
    let freed = of_class(&["TRACE", "hakmem: freed ", "call=\"dealloc\""]);
    assert_eq!(freed.len() as u64, BUFFERS);

    // The same blocks, each once.
    let addresses = |lines: &[&str]| -> BTreeSet<String> {
        values(lines, "address")
            .into_iter()
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(addresses(&allocated).len() as u64, BUFFERS);
    assert_eq!(addresses(&allocated), addresses(&freed));

    // Half of them on each of two threads.
    let allocating: BTreeSet<&str> = values(&allocated, "thread").into_iter().collect();
    assert_eq!(allocating.len(), 1);
    let freeing = values(&freed, "thread");
    let there = freeing
        .iter()
        .filter(|thread| !allocating.contains(*thread));
    assert_eq!(there.count() as u64, BUFFERS / 2);
    let remotely = with(&lines, &["hakmem: freed remotely "]);
    let by_other: Vec<&str> = freed
        .iter()
        .zip(&freeing)
        .filter(|(_, thread)| !allocating.contains(*thread))
        .map(|(line, _)| *line)
        .collect();
    assert!(addresses(&remotely).is_superset(&addresses(&by_other)));
}

#[test]
fn traced_can_be_filtered() {
    let lines = traced("hakmem=debug");
    let refilled = with(&lines, &["DEBUG", "hakmem: cache refilled ", "class=20480"]);
    let blocks = values(&refilled, "blocks");
    let blocks: u64 = blocks
        .iter()
        .map(|n| n.parse::<u64>().expect("a number"))
        .sum();
    assert!(blocks >= BUFFERS, "{refilled:?}");
    assert!(!with(&lines, &["hakmem: slab opened ", "class=20480"]).is_empty());
    // The first drain has asked what is wanted; what came before it is filtered here.
    assert!(with(&lines, &["TRACE"]).is_empty());

    assert!(traced("hakmem=off").is_empty());
    assert!(traced("elsewhere=trace").is_empty());
}

/// `metered`, listening.
struct Metered {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    address: SocketAddr,
}

impl Metered {
    /// Tries ports until one is free: between the choice and the bind another may take it.
    fn start() -> Metered {
        for _ in 0..20 {
            let address = TcpListener::bind("127.0.0.1:0")
                .and_then(|listener| listener.local_addr())
                .expect("a free port");
            let mut child = Command::new(env!("CARGO_BIN_EXE_metered"))
                .arg(address.to_string())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("metered runs");
            let output = BufReader::new(child.stdout.take().expect("piped"));
            let mut metered = Metered {
                child,
                output,
                address,
            };
            if metered.line().is_some() {
                return metered;
            }
            metered.child.wait().expect("it has ended");
        }
        panic!("no port is free");
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("its output");
        (!line.is_empty()).then_some(line)
    }

    /// Has it allocate once more.
    fn again(&mut self) -> String {
        let input = self.child.stdin.as_mut().expect("piped");
        input.write_all(b"\n").expect("it reads");
        self.line().expect("it answers")
    }

    fn scrape(&self) -> String {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
            .expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        body.to_owned()
    }

    /// Closes its input; says what it wrote to standard error.
    fn end(mut self) -> String {
        drop(self.child.stdin.take());
        let output = self.child.wait_with_output().expect("it ends");
        assert!(output.status.success());
        String::from_utf8(output.stderr).expect("text")
    }
}

/// The value of a series, with its labels as they are written.
fn value(page: &str, series: &str) -> u64 {
    let found = page
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let text = found.unwrap_or_else(|| panic!("no {series} in:\n{page}"));
    text.parse::<f64>().expect("a number") as u64
}

#[test]
fn metered_is_scraped() {
    let mut metered = Metered::start();
    let page = metered.scrape();
    let in_class = |page: &str, what: &str| {
        value(
            page,
            &format!("hakmem_class_{what}_total{{class=\"{BLOCK}\"}}"),
        )
    };
    assert_eq!(in_class(&page, "allocations"), BUFFERS);
    assert_eq!(in_class(&page, "frees"), BUFFERS - KEPT);
    assert_eq!(
        value(&page, "hakmem_allocations_total{tier=\"mid\"}") / BUFFERS,
        1
    );
    assert!(value(&page, "hakmem_allocated_bytes") >= BUFFERS * BLOCK);
    assert!(value(&page, "hakmem_requested_bytes") >= BUFFERS * 20_000);
    assert!(value(&page, "hakmem_freed_bytes") >= (BUFFERS - KEPT) * BLOCK);
    let live = value(&page, "hakmem_live_bytes");
    assert!((KEPT * BLOCK..2 * KEPT * BLOCK).contains(&live), "{live}");
    assert!(value(&page, "hakmem_mapped_bytes") >= live);
    assert!(value(&page, "hakmem_frees_total") >= BUFFERS - KEPT);
    let refills = format!("hakmem_cache_refills_total{{class=\"{BLOCK}\"}}");
    assert!(value(&page, &refills) > 0);
    assert!(value(&page, "hakmem_slabs_opened_total") > 0);
    for why in ["full", "interrupted", "no_cache", "no_stream"] {
        let lost = format!("hakmem_events_lost_total{{why=\"{why}\"}}");
        assert_eq!(value(&page, &lost), 0, "{why}");
    }
    for (name, kind) in [
        ("hakmem_allocated_bytes", "counter"),
        ("hakmem_live_bytes", "gauge"),
        ("hakmem_allocations_total", "counter"),
        ("hakmem_cache_refills_total", "counter"),
    ] {
        assert!(page.contains(&format!("# TYPE {name} {kind}\n")), "{page}");
        assert!(page.contains(&format!("# HELP {name} ")), "{page}");
    }

    assert_eq!(metered.again(), format!("{} buffers are kept\n", 2 * KEPT));
    let page = metered.scrape();
    assert_eq!(in_class(&page, "allocations"), 2 * BUFFERS);
    assert_eq!(in_class(&page, "frees"), 2 * (BUFFERS - KEPT));
    assert!(value(&page, "hakmem_live_bytes") >= 2 * KEPT * BLOCK);
    let errors = metered.end();
    assert!(errors.contains("Drained"), "{errors}");
}
