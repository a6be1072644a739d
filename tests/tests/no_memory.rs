//! Memory ends: NULL and ENOMEM, and the program goes on once memory is back.

use std::fs;

use hakmem_tests::{Cgroup, Run, cases, skip};

/// Those without a limit of the address space from outside.
const UNLIMITED: [&str; 4] = [
    "a_limit_set_later",
    "a_block_of_all_address_space",
    "freed_memory_serves_every_size",
    "without_overcommit",
];

#[test]
fn every_case_is_run() {
    cases::compare("no_memory.c", &[&LIMITED[..], &UNLIMITED].concat());
}

#[test]
fn in_all_the_address_space_there_is() {
    for case in &UNLIMITED[..3] {
        Run::program("no_memory.c").arg(case).output().success();
    }
}

const LIMITED: [&str; 5] = [
    "every_size_comes_to_its_end",
    "it_goes_on_once_memory_is_back",
    "calls_without_memory_do_no_harm",
    "threads_share_the_limit",
    "a_thread_may_start_without_memory",
];

#[track_caller]
fn limited(case: &str, mebibytes: u64) {
    let run = Run::program("no_memory.c")
        .arg(case)
        .address_space(mebibytes);
    run.output().success();
}

#[test]
fn in_an_address_space_of_50_mib() {
    LIMITED.iter().for_each(|case| limited(case, 50));
}

#[test]
fn in_an_address_space_of_100_mib() {
    LIMITED.iter().for_each(|case| limited(case, 100));
}

#[test]
fn in_an_address_space_of_300_mib() {
    LIMITED.iter().for_each(|case| limited(case, 300));
}

/// Without the case that touches a gigabyte fourteen times over.
#[test]
fn in_an_address_space_of_1000_mib() {
    LIMITED[1..].iter().for_each(|case| limited(case, 1000));
}

/// A program that holds 20 MiB at a time has enough with 64, whatever sizes it
/// takes them in: the kernel kills it if what it frees is kept from it.
#[test]
fn in_a_memory_cgroup() {
    let Some(group) = Cgroup::with_memory(64 << 20) else {
        return;
    };
    let run = Run::program("no_memory.c").arg("freed_memory_serves_every_size");
    run.after(&group.join()).output().success();
}

/// The setting is the whole machine's: a test may not change it.
#[test]
fn where_the_kernel_does_not_overcommit() {
    let setting = fs::read_to_string("/proc/sys/vm/overcommit_memory").unwrap_or_default();
    if setting.trim() != "2" {
        return skip("vm.overcommit_memory is not 2");
    }
    Run::program("no_memory.c")
        .arg("without_overcommit")
        .output()
        .success();
}
