//! The C front end behaves as glibc's.

use hakmem_tests::{Run, cases};

cases!("c_semantics.c":
    malloc_of_zero_is_unique,
    huge_sizes_fail_with_enomem,
    products_that_overflow_fail,
    calloc_clears_reused_memory,
    calloc_clears_fresh_memory,
    every_result_is_aligned_to_16,
    realloc_of_null_allocates,
    realloc_to_zero_frees,
    realloc_keeps_the_content,
    realloc_keeps_the_last_bytes,
    realloc_grows_step_by_step,
    a_failed_realloc_keeps_the_block,
    realloc_of_aligned_blocks,
    every_alignment_is_kept,
    larger_alignments_are_kept,
    bad_alignments_are_refused,
    absurd_alignments_fail,
    valloc_and_pvalloc_give_pages,
    usable_size_is_usable,
    free_keeps_errno,
    success_keeps_errno,
    sized_frees,
    trim_leaves_blocks_alone,
    trim_gives_memory_back,
    mallinfo2_moves,
    mallinfo_moves,
    mallopt_answers_0_or_1,
    malloc_stats_writes_to_stderr,
    malloc_info_writes_xml,
    mixed_operations_keep_all_blocks,
);

/// The statistics are for a reader; a program's output stays its own.
#[test]
fn malloc_stats_leaves_stdout_alone() {
    let output = Run::program("c_semantics.c")
        .arg("malloc_stats_writes_to_stderr")
        .output();
    output.success();
    assert_eq!(output.stdout_text(), "ok malloc_stats_writes_to_stderr\n");
    assert!(
        !output.stderr.is_empty(),
        "malloc_stats wrote nothing\n{}",
        output.report()
    );
}

/// A program that asks for nothing of hakmem hears nothing of it.
#[test]
fn nothing_is_said_unasked() {
    let output = Run::program("c_semantics.c")
        .arg("usable_size_is_usable")
        .output();
    assert_eq!(output.success().stderr_text(), "");
}
