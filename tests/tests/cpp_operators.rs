//! The C++ front end: operator new and delete, and how they fail.

use hakmem_tests::{Run, cases};

cases!("cpp_operators.cpp":
    all_forms_are_one_allocators,
    plain_forms,
    sized_forms,
    aligned_forms,
    deleting_null_does_nothing,
    new_of_zero_is_unique,
    failure_throws_bad_alloc,
    failure_with_nothrow_returns_null,
    the_new_handler_is_called_until_it_gives_up,
    the_new_handler_may_throw,
    the_new_handler_makes_memory,
    containers_work,
);

#[test]
fn the_new_handler_makes_memory_under_a_limit() {
    let run = Run::program("cpp_operators.cpp").arg("the_new_handler_makes_memory");
    run.address_space(512).output().success();
}
