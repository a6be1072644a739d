//! Threads that come and go, and what runs at their end.

/// Threads beside one another.
mod life {
    hakmem_tests::cases!("threads.c":
        a_thousand_threads_leave_blocks,
        two_hundred_threads_at_once,
        threads_of_one_block,
        threads_that_only_free,
        memory_of_ended_threads_is_used_again,
        producers_and_consumers,
        realloc_by_other_threads,
        trim_and_mallinfo_beside_work,
        cancelled_threads,
        exit_beside_work,
        what_comes_home_goes_out_in_rows,
        what_never_comes_home_whole_is_used,
    );
}

/// Destructors of thread_local objects and of pthread keys.
mod end {
    hakmem_tests::cases!("thread_end.cpp":
        thread_local_destructors,
        first_call_in_a_destructor,
        key_destructors_that_rearm,
        both_at_once,
        blocks_of_others_at_the_end,
        blocks_made_at_the_end_live_on,
        ends_leave_no_memory_behind,
        main_thread_ends_first,
    );
}
