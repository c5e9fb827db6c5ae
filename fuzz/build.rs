//! Builds RE2's side of the `re2` target where RE2 is installed (Debian: `libre2-dev`); without it that target compares
//! our engine with itself only.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(reference)");
    println!("cargo::rerun-if-changed=reference/re2.cc");
    if pkg_config::probe_library("re2").is_ok() {
        cc::Build::new().cpp(true).std("c++17").file("reference/re2.cc").compile("reference");
        println!("cargo::rustc-cfg=reference");
    } else {
        println!("cargo::warning=RE2 is not installed: the target `re2` has no reference");
    }
}
