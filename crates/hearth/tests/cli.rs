//! The verbs about rules by their real output: every console block of `tests/cli/*.md` is run and compared.
//! `TRYCMD=overwrite cargo test -p hearth --test cli` writes what is printed now; read the difference before committing.

#[test]
fn the_verbs_print_what_their_documents_show() {
    trycmd::TestCases::new().env("NO_COLOR", "1").case("tests/cli/*.md");
}
