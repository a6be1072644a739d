//! The sources keep to the layers of `docs/ARCHITECTURE.md`, and to two more rules that
//! stand there: `sys` alone calls libc, and `cfg` stands in few places.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: &str = include_str!("../../docs/ARCHITECTURE.md");
/// Where a `cfg` may stand beside tests: files and directories of `src`.
const CHOOSE: [&str; 3] = ["sync.rs", "sys/", "observe/mod.rs"];

/// A file of `src` as far as it is compiled into the library: without comments and tests.
struct Source {
    /// Its path in `src`.
    path: String,
    lines: Vec<(usize, String)>,
}

impl Source {
    /// The top-level module that the file is, or is part of.
    fn module(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// How many `super` lead from the file's own items to the crate's root.
    fn depth(&self) -> usize {
        let below = self.path.trim_end_matches("/mod.rs");
        below.matches('/').count() + 1
    }

    /// The top-level modules that the file names, with the line.
    fn uses(&self) -> BTreeMap<String, usize> {
        let mut uses = BTreeMap::new();
        let roots = ["crate::".to_owned(), "super::".repeat(self.depth())];
        for (number, line) in &self.lines {
            for root in &roots {
                for (at, _) in line.match_indices(root) {
                    if line[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c)) {
                        continue;
                    }
                    for name in first_segments(&line[at + root.len()..]) {
                        uses.entry(name).or_insert(*number);
                    }
                }
            }
        }
        uses.remove(self.module());
        uses
    }
}

/// The first name of a path, or of each path in braces.
fn first_segments(path: &str) -> Vec<String> {
    let name = |path: &str| {
        let end = path.find(|c: char| !c.is_alphanumeric() && c != '_');
        path[..end.unwrap_or(path.len())].to_owned()
    };
    let Some(group) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let mut depth = 1;
    let mut names = vec![name(group)];
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(name(group[at + 1..].trim_start())),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../src")
}

/// Every file of `src` but those that only tests have.
fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    collect(&root(), "", &mut files);
    let of_tests: BTreeSet<String> = files.iter().flat_map(modules_of_tests).collect();
    let mut sources: Vec<Source> = files
        .into_iter()
        .filter(|(path, _)| !of_tests.iter().any(|test| path.starts_with(test.as_str())))
        .map(|(path, text)| Source {
            path,
            lines: stripped(&text),
        })
        .collect();
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(sources.len() > 20, "the sources are not where they were");
    sources
}

fn collect(directory: &Path, prefix: &str, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).expect("the sources") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a name in UTF-8");
        let path = format!("{prefix}{name}");
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{path}/"), files);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).expect("a source");
            files.push((path, text));
        }
    }
}

/// The files and directories of modules that are declared under a test's attribute.
fn modules_of_tests((path, text): &(String, String)) -> Vec<String> {
    let directory = match path.strip_suffix("/mod.rs").or(path.strip_suffix(".rs")) {
        Some("lib") | None => String::new(),
        Some(module) => format!("{module}/"),
    };
    let lines: Vec<&str> = text.lines().collect();
    let declared = lines.windows(2).filter(|pair| is_of_tests(pair[0]));
    declared
        .filter_map(|pair| pair[1].trim().strip_prefix("mod ")?.strip_suffix(';'))
        .flat_map(|name| {
            [
                format!("{directory}{name}.rs"),
                format!("{directory}{name}/"),
            ]
        })
        .collect()
}

/// Whether an attribute leaves what follows to tests or to the documentation.
fn is_of_tests(line: &str) -> bool {
    let Some(at) = line.find("cfg") else {
        return false;
    };
    let predicate = &line[at..];
    let mut words = predicate.split(|c: char| !c.is_alphanumeric());
    !predicate.contains("not(test)") && words.any(|w| matches!(w, "test" | "doc" | "docsrs"))
}

/// The numbered lines without comments, up to the tests at the end.
fn stripped(text: &str) -> Vec<(usize, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines
        .windows(2)
        .position(|pair| is_of_tests(pair[0]) && pair[1].ends_with("mod tests {"));
    let end = tests.unwrap_or(lines.len());
    let code = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
    let numbered = lines[..end].iter().enumerate();
    numbered.map(|(at, line)| (at + 1, code(line))).collect()
}

/// What the page says: each module's layer, the lowest being 0, and the arrows up.
struct Table {
    layers: BTreeMap<String, usize>,
    up: BTreeSet<(String, String)>,
}

fn table() -> Table {
    let (_, rest) = PAGE.split_once("<!-- layers -->").expect("the layers");
    let (text, _) = rest
        .split_once("<!-- end of layers -->")
        .expect("their end");
    let names = |cell: &str| -> Vec<String> {
        let quoted = cell.split('`').skip(1).step_by(2);
        quoted.map(str::to_owned).collect()
    };
    let mut rows = Vec::new();
    let mut up = BTreeSet::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        let [first, second, _] = cells[..] else {
            continue;
        };
        match (names(first).as_slice(), names(second)) {
            ([from], to) => up.extend(to.into_iter().map(|to| (from.clone(), to))),
            (_, modules) if !modules.is_empty() => rows.push(modules),
            _ => {}
        }
    }
    let mut layers = BTreeMap::new();
    for (layer, modules) in rows.into_iter().rev().enumerate() {
        for module in modules {
            let twice = layers.insert(module.clone(), layer);
            assert!(twice.is_none(), "{module} stands in two layers");
        }
    }
    Table { layers, up }
}

/// Fails with all findings, if there are any.
#[track_caller]
fn none(what: &str, findings: &[String]) {
    let mut list = String::new();
    for finding in findings {
        let _ = write!(list, "\n  {finding}");
    }
    assert!(findings.is_empty(), "{what}:{list}");
}

#[test]
fn the_table_has_every_module() {
    let sources = sources();
    let exist: BTreeSet<&str> = sources
        .iter()
        .map(Source::module)
        .filter(|module| *module != "lib")
        .collect();
    let table = table();
    let listed: BTreeSet<&str> = table.layers.keys().map(String::as_str).collect();
    assert_eq!(exist, listed);
}

#[test]
fn arrows_go_down() {
    let table = table();
    let mut unused = table.up.clone();
    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| source.module() != "lib") {
        let from = source.module();
        for (to, line) in source.uses() {
            // Names at the crate's root belong to no layer.
            let Some(layer) = table.layers.get(&to) else {
                continue;
            };
            let arrow = (from.to_owned(), to);
            if *layer > table.layers[from] && !unused.remove(&arrow) && !table.up.contains(&arrow) {
                findings.push(format!("src/{}:{line}: {from} -> {}", source.path, arrow.1));
            }
        }
    }
    none("arrows that go up", &findings);
    assert!(unused.is_empty(), "not there any more: {unused:?}");
}

#[test]
fn sys_alone_calls_libc() {
    let mut findings = Vec::new();
    for source in sources() {
        for (number, line) in &source.lines {
            let calls = line.contains("libc::") || line.contains("extern \"C\" {");
            if calls && source.module() != "sys" {
                findings.push(format!("src/{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    none("libc outside of sys", &findings);
}

#[test]
fn cfg_stands_where_it_may() {
    let mut findings = Vec::new();
    for source in sources() {
        if CHOOSE.iter().any(|place| source.path.starts_with(place)) {
            continue;
        }
        for (number, line) in &source.lines {
            let chooses = ["cfg(", "cfg!(", "cfg_attr("]
                .iter()
                .any(|c| line.contains(c));
            if chooses && !is_of_tests(line) {
                findings.push(format!("src/{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    none("cfg outside of sync.rs, sys/ and observe/mod.rs", &findings);
}

#[test]
fn the_reader_reads() {
    let source = Source {
        path: "a/b.rs".to_owned(),
        lines: stripped(
            "use crate::{c::{d, e}, f};\n// crate::g\nlet x = super::super::h::i();\n\
             use super::j; use crate::a::k;\npub(crate) fn z() {}\n\
             #[cfg(test)]\nmod tests {\nuse crate::l;\n}",
        ),
    };
    let uses = source.uses();
    let names: Vec<&str> = uses.keys().map(String::as_str).collect();
    assert_eq!(names, ["c", "f", "h"]);
    assert!(is_of_tests("#[cfg(all(test, loom))]"));
    assert!(!is_of_tests("#[cfg(not(test))]"));
    assert!(!is_of_tests("#[cfg(loom)]"));
}
