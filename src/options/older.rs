//! Names of earlier versions, which nothing reads any more.
//!
//! They were to be used until [`SUNSET`], six months after they had been replaced. `DEPRECATED.md`
//! is made of this table, and a test compares the two.

/// The day until which the older names were honoured.
pub const SUNSET: &str = "2026-05-26";

/// A name that counted in earlier versions.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Older {
    /// The name.
    pub name: &'static str,
    /// What to set in its place; `None` where nothing has to be.
    pub instead: Option<&'static str>,
    /// How to move on, in a sentence.
    pub text: &'static str,
}

const fn older(name: &'static str, instead: Option<&'static str>, text: &'static str) -> Older {
    Older {
        name,
        instead,
        text,
    }
}

/// The older names, in the order of their bytes.
pub const OLDER: &[Older] = &[
    older(
        "HAKMEM_BUILD_RELEASE",
        None,
        "A build without features is the release build; `--features observe-all` is the other.",
    ),
    older(
        "HAKMEM_FREE_POLICY",
        Some("HAKMEM_SUPERSLAB_LAZY"),
        "`keep` is 1 and `batch` is 1, `free` is 0; `adaptive` is HAKMEM_MEM_LEARN=1.",
    ),
    older(
        "HAKMEM_THP",
        Some("HAKMEM_HUGE_PAGES"),
        "`off` is 0, `on` and `auto` are 1; HAKMEM_MEM_LEARN=1 decides by what they bring.",
    ),
    older(
        "HAKMEM_TINY_DIET_STEP",
        Some("HAKMEM_ALLOC_LEARN_RATE"),
        "The step by which a cache shrinks is a share of it now, in hundredths.",
    ),
    older(
        "HAKMEM_TINY_INT_TIGHT",
        Some("HAKMEM_ALLOC_LEARN"),
        "Caches that shrink when they are not used are a part of learning.",
    ),
    older(
        "HAKMEM_TINY_RSS_BUDGET_KB",
        Some("HAKMEM_LEARN_ADVANCED"),
        "HAKMEM_MEM_LEARN=1 HAKMEM_LEARN_ADVANCED=budget_mb=N; a budget is for the whole heap.",
    ),
];

const _: () = {
    let mut i = 1;
    while i < OLDER.len() {
        assert!(super::table::less(
            OLDER[i - 1].name.as_bytes(),
            OLDER[i].name.as_bytes()
        ));
        i += 1;
    }
};
