//! Link options of the shared library.

/// The C ABI's own version, raised when a function or structure of `hakmem.h` changes
/// incompatibly.
const ABI: u32 = 0;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // The libc crate leaves it to std, if another package of the same build asks for std.
    println!("cargo:rustc-link-lib=dylib=c");
    for argument in [
        &format!("-Wl,-soname,libhakmem.so.{ABI}"),
        // Code of ours runs at threads' ends and at exit, so the library stays once it is loaded.
        "-Wl,-z,nodelete",
        // What the loader writes addresses to begins on a page, and so fits one.
        "-Wl,-z,separate-loadable-segments",
        // There are no constructors to run, and looking for them has a cost at every start.
        "-nostartfiles",
    ] {
        println!("cargo:rustc-cdylib-link-arg={argument}");
    }
    // HAKMEM_STACKS=dwarf: the unwinder, whether the program has it or not.
    let observed =
        ["TRACE", "WATCH", "INTEGRITY"].map(|feature| format!("CARGO_FEATURE_{feature}"));
    if observed.iter().any(|name| std::env::var_os(name).is_some()) {
        println!("cargo:rustc-cdylib-link-arg=-Wl,--push-state,--no-as-needed,-lgcc_s,--pop-state");
    }
}
