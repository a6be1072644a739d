//! Link options of the shared library.

/// The C ABI's own version, raised when a function or structure of `hakmem.h` changes
/// incompatibly.
const ABI: u32 = 0;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // The libc crate leaves it to std, if another package of the same build asks for std.
    println!("cargo:rustc-link-lib=dylib=c");
    // Code of ours runs at threads' ends and at exit, so the library stays once it is loaded.
    for argument in [format!("-soname,libhakmem.so.{ABI}"), "-z,nodelete".into()] {
        println!("cargo:rustc-cdylib-link-arg=-Wl,{argument}");
    }
}
