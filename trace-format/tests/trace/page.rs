//! `docs/TRACE-FORMAT.md` says what the code does.

use hakmem_trace_format::{
    Api, ClockKind, CrashPage, End, Field, Kind, Mode, ModuleHeader, ModuleRecord, REGISTER_NAMES,
    Record, RingHeader, SessionHeader, StackHeader, StacksMode, Total,
};

const PAGE: &str = include_str!("../../../docs/TRACE-FORMAT.md");

/// The rows of the table below a heading, without those above its line.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let heading = format!("\n### {heading}\n");
    let (_, section) = PAGE
        .split_once(&heading)
        .unwrap_or_else(|| panic!("no {heading}"));
    let section = section.split("\n#").next().unwrap();
    let rows = section
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1);
    rows.take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

fn fields(heading: &str, fields: &[Field]) {
    let rows = table(heading);
    let found: Vec<_> = rows.iter().map(|row| (row[0], row[1], row[2])).collect();
    let text = |field: &Field| {
        let name = format!("`{}`", field.name);
        (field.offset.to_string(), field.bytes.to_string(), name)
    };
    let expected: Vec<_> = fields.iter().map(text).collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str()))
        .collect();
    assert_eq!(found, expected, "{heading}");
}

fn codes(heading: &str, codes: &[(u32, &str)]) {
    let rows = table(heading);
    let found: Vec<_> = rows
        .iter()
        .map(|row| (row[0].to_owned(), row[1].to_owned()))
        .collect();
    let text = |(code, name): &(u32, &str)| (code.to_string(), format!("`{name}`"));
    assert_eq!(
        found,
        codes.iter().map(text).collect::<Vec<_>>(),
        "{heading}"
    );
}

macro_rules! all {
    ($type:ident) => {
        codes(
            stringify!($type),
            &$type::ALL
                .iter()
                .map(|c| (u32::from(c.code()), c.name()))
                .collect::<Vec<_>>(),
        )
    };
}

#[test]
fn fields_are_where_it_says() {
    fields("Record", Record::FIELDS);
    fields("RingHeader", RingHeader::FIELDS);
    fields("SessionHeader", SessionHeader::FIELDS);
    fields("StackHeader", StackHeader::FIELDS);
    fields("ModuleHeader", ModuleHeader::FIELDS);
    fields("ModuleRecord", ModuleRecord::FIELDS);
    fields("CrashPage", CrashPage::FIELDS);
}

#[test]
fn numbers_mean_what_it_says() {
    all!(Kind);
    all!(Api);
    all!(ClockKind);
    all!(Mode);
    all!(StacksMode);
    all!(End);
    all!(Total);
    assert_eq!(
        REGISTER_NAMES[8..18].join(", "),
        "rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags"
    );
}

/// The check, computed as the page says, from the bytes of a record.
fn check(bytes: &[u8; 64]) -> u32 {
    let word = |index: usize| {
        let bytes = &bytes[8 * index..8 * index + 8];
        u64::from_le_bytes(bytes.try_into().unwrap())
    };
    let term = |text: &str| {
        let (name, turn) = match text.strip_prefix("rotl(") {
            Some(turned) => turned.strip_suffix(')').unwrap().split_once(", ").unwrap(),
            None => (text, "0"),
        };
        let word = match name {
            "g" => word(7) >> 32 << 32,
            _ => word(name.strip_prefix('w').unwrap().parse().unwrap()),
        };
        word.rotate_left(turn.parse().unwrap())
    };
    let line = |name: &str| {
        let begins = format!("\n{name} = ");
        let line = PAGE.split(&begins).nth(1).unwrap().lines().next().unwrap();
        line.split(" ^ ").map(term).fold(0, |sum, term| sum ^ term)
    };
    let factors = PAGE.split("* 0x").skip(1).take(2);
    let sum = ["a", "b"].into_iter().zip(factors).map(|(name, rest)| {
        let factor = u64::from_str_radix(&rest[..16], 16).unwrap();
        line(name).wrapping_mul(factor)
    });
    let sum = sum.fold(0u64, u64::wrapping_add);
    (sum >> 32) as u32
}

#[test]
fn a_check_is_computed_as_it_says() {
    let words = std::array::from_fn(|word| 0x0123_4567_89ab_cdef_u64.rotate_left(7 * word as u32));
    let sealed = Record::from_words(words).seal(77);
    let mut bytes = [0; 64];
    for (bytes, word) in bytes.chunks_mut(8).zip(sealed.words()) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    assert_eq!(sealed.check(), check(&bytes));

    let sample = Record::new(Kind::Allocate, Api::Unknown, 2, 0).seal(1);
    let said = format!("has the check `{:#x}`", sample.check());
    assert!(PAGE.contains(&said), "{said}");
}
