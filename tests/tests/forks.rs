//! Forks of programs whose threads allocate.

use hakmem_tests::cases;

cases!("forks.c":
    children_of_a_busy_program,
    children_of_children,
    forks_of_all_threads_at_once,
    fork_handlers_may_allocate,
    forks_beside_threads_that_end,
    generations_do_not_grow,
);
