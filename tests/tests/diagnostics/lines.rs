//! That lines stand whole, and that writing them is no event.

use hakmem_tests::statistics::applies;

use super::{EVERYTHING, lines, observed};

/// What looks at the heap to say what it sees is not seen itself.
#[test]
fn what_is_written_causes_no_event() {
    if !applies() {
        return;
    }
    let looked_up = |settings: &[(&str, &str)]| {
        let seen = observed(settings, &[&EVERYTHING[..], &["dump"]].concat());
        lines(&seen, "lookup").len()
    };
    let alone = looked_up(&[("HAKMEM_TRACE", "lookup")]);
    assert!(alone > 100, "{alone}");
    let beside_all = looked_up(&[("HAKMEM_TRACE", "all"), ("HAKMEM_STATS", "all")]);
    assert_eq!(alone, beside_all);
}

/// Lines of several threads stand whole beside each other.
#[test]
fn lines_do_not_mix() {
    if !applies() {
        return;
    }
    let steps = ["race 4 30"];
    let seen = observed(&[("HAKMEM_TRACE", "mask,reg,p0")], &steps);
    for line in seen.said() {
        assert!(
            line.starts_with("hakmem: [") && line.matches("hakmem:").count() == 1,
            "{line}"
        );
    }
}
