use super::*;

#[test]
fn a_payload_is_one_line_that_reads_back_and_never_repeats() {
    let repository: RepositoryId = "local/shop".parse().unwrap();
    let head = "1".repeat(40).parse().unwrap();
    let says = Says::Propose { base: "refs/heads/main".parse().unwrap(), head, title: "a \"b\"".into() };
    let one = payload(&repository, &says).unwrap();
    let other = payload(&repository, &says).unwrap();
    assert!(!one.contains('\n') && one != other);
    let statement = SignedStatement { payload: one, signature: String::new() }.claims().unwrap();
    assert_eq!((statement.repository, statement.says), (repository, says));
}

#[test]
fn a_statement_is_named_in_each_way_that_it_is_printed() {
    let digest = Digest::of(b"a");
    for text in [digest.to_string(), digest.hex(), format!("{STATEMENTS}{}", digest.hex())] {
        assert_eq!(parse_id(&text), Ok(digest));
    }
    assert!(parse_id("0f3c").is_err());
}

#[test]
fn a_statement_never_replaces_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a");
    let statement = SignedStatement { payload: "{}".into(), signature: "s".into() };
    write_new(&file, &statement).unwrap();
    assert!(write_new(&file, &statement).is_err());
    assert_eq!(std::fs::read(file).unwrap(), b"{}\ns");
}

#[test]
fn a_refspec_is_shown_by_where_it_leads() {
    assert_eq!(shortened("abc:refs/heads/proposals/abc"), "proposals/abc");
    assert_eq!(shortened("refs/countersign/statements/1"), "refs/countersign/statements/1");
}
