//! Sequences of heap operations against the shadow model of `tests/shadow`, whose own tests
//! run cases of the same kind.

#![no_main]

use hakmem_shadow::Case;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|case: Case| case.run());
