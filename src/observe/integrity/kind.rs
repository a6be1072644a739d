//! What can be wrong, in the words of the reports.

use crate::observe::api::Api;

/// A kind of finding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    DoubleFree,
    InvalidFree,
    MismatchedFree,
    SizeMismatch,
    AlignMismatch,
    HeapOverflow,
    HeapUnderflow,
    WriteAfterFree,
    UseAfterFree,
    LinkCorruption,
    MetadataCorruption,
    Leak,
}

impl Kind {
    /// As the first line of a report has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::DoubleFree => "double-free",
            Kind::InvalidFree => "invalid-free",
            Kind::MismatchedFree => "mismatched-free",
            Kind::SizeMismatch => "size-mismatch",
            Kind::AlignMismatch => "align-mismatch",
            Kind::HeapOverflow => "heap-overflow",
            Kind::HeapUnderflow => "heap-underflow",
            Kind::WriteAfterFree => "write-after-free",
            Kind::UseAfterFree => "use-after-free",
            Kind::LinkCorruption => "link-corruption",
            Kind::MetadataCorruption => "metadata-corruption",
            Kind::Leak => "leak",
        }
    }
}

/// Functions that belong together: what one of a family hands out, another of it takes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Family {
    Unknown,
    Rust,
    Malloc,
    New,
    NewArray,
}

impl Family {
    /// That of a function, by its number.
    #[inline(always)]
    pub(super) const fn of(api: u8) -> Family {
        const RUST_LAST: u8 = Api::RustRealloc as u8;
        const MALLOC: u8 = Api::Malloc as u8;
        const MALLOC_LAST: u8 = Api::Cfree as u8;
        const NEW: u8 = Api::New as u8;
        const DELETE: u8 = Api::Delete as u8;
        const DELETE_LAST: u8 = Api::DeleteArraySizedAligned as u8;
        const NEW_LAST: u8 = Api::NewArrayAlignedNothrow as u8;
        match api {
            1..=RUST_LAST => Family::Rust,
            MALLOC..=MALLOC_LAST => Family::Malloc,
            // Forms for one object and for arrays alternate.
            NEW..=NEW_LAST | DELETE..=DELETE_LAST if api & 1 == 0 => Family::New,
            NEW..=NEW_LAST | DELETE..=DELETE_LAST => Family::NewArray,
            _ => Family::Unknown,
        }
    }

    /// Whether what `other` hands out may be taken back here.
    #[inline(always)]
    pub(super) fn matches(self, other: Family) -> bool {
        self == other || self == Family::Unknown || other == Family::Unknown
    }
}

/// Whether both are forms of C++'s operators for objects that are aligned by themselves, or neither
/// is; and of others nothing is said.
#[inline(always)]
pub(super) const fn is_same_form(taken_back: u8, handed_out: u8) -> bool {
    const ALIGNED: u8 = 2;
    let are_operators = taken_back >= Api::New as u8 && handed_out >= Api::New as u8;
    !are_operators || (taken_back ^ handed_out) & ALIGNED == 0
}

/// Whether a function may take back what another one has handed out, by their numbers, as far as these
/// say it: as [`Family::matches`] and [`is_same_form`].
#[inline(always)]
pub(super) fn takes_back(taken_back: u8, handed_out: u8) -> bool {
    TAKEN_BACK[usize::from(taken_back % APIS)] >> (handed_out % APIS) & 1 != 0
}

/// More than there are functions.
const APIS: u8 = 64;

/// For each function a bit for each that may have handed out what it takes back.
const TAKEN_BACK: [u64; APIS as usize] = {
    let mut table = [0; APIS as usize];
    let mut back = 0;
    while back < APIS {
        let mut out = 0;
        while out < APIS {
            let (to, of) = (Family::of(back) as u8, Family::of(out) as u8);
            let is_unknown = to == Family::Unknown as u8 || of == Family::Unknown as u8;
            if (to == of || is_unknown) && is_same_form(back, out) {
                table[back as usize] |= 1 << out;
            }
            out += 1;
        }
        back += 1;
    }
    table
};

/// Whether a function hands out memory that reads as zero.
#[inline(always)]
pub(super) fn is_zeroing(api: u8) -> bool {
    api == Api::Calloc as u8 || api == Api::RustAllocZeroed as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_as_the_standards_have_them() {
        let family = |api: Api| Family::of(api as u8);
        for api in [
            Api::New,
            Api::NewNothrow,
            Api::NewAligned,
            Api::NewAlignedNothrow,
        ] {
            assert_eq!(family(api), Family::New, "{api:?}");
        }
        for api in [
            Api::Delete,
            Api::DeleteSized,
            Api::DeleteAligned,
            Api::DeleteNothrow,
            Api::DeleteAlignedNothrow,
            Api::DeleteSizedAligned,
        ] {
            assert_eq!(family(api), Family::New, "{api:?}");
        }
        for api in [
            Api::NewArray,
            Api::NewArrayNothrow,
            Api::NewArrayAligned,
            Api::NewArrayAlignedNothrow,
            Api::DeleteArray,
            Api::DeleteArraySized,
            Api::DeleteArrayAligned,
            Api::DeleteArrayNothrow,
            Api::DeleteArrayAlignedNothrow,
            Api::DeleteArraySizedAligned,
        ] {
            assert_eq!(family(api), Family::NewArray, "{api:?}");
        }
        for api in [
            Api::Malloc,
            Api::PosixMemalign,
            Api::Free,
            Api::FreeSized,
            Api::Cfree,
        ] {
            assert_eq!(family(api), Family::Malloc, "{api:?}");
        }
        assert_eq!(family(Api::RustDealloc), Family::Rust);
        let same = |back: Api, out: Api| is_same_form(back as u8, out as u8);
        assert!(same(Api::Delete, Api::New) && same(Api::DeleteSized, Api::NewNothrow));
        assert!(same(Api::DeleteSizedAligned, Api::NewAlignedNothrow));
        assert!(same(Api::DeleteArrayAlignedNothrow, Api::NewArrayAligned));
        assert!(
            !same(Api::Delete, Api::NewAligned) && !same(Api::DeleteArrayAligned, Api::NewArray)
        );
        assert!(same(Api::Free, Api::NewAligned));
        assert!(family(Api::Unknown).matches(Family::New));
        assert!(!family(Api::Free).matches(Family::New));
    }
}
