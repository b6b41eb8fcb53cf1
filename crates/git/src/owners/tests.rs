use std::collections::BTreeMap as Map;

use proptest::prelude::*;

use super::*;

/// The owners of each path, as `line: owners`, parted by `; `.
fn owners_of(kind: HostKind, text: &str, path: &str) -> String {
    let owners = Owners::parse(kind, "CODEOWNERS", text).unwrap();
    let owned = owners.owned([path].into_iter());
    let shown = owned.iter().map(|one| format!("{}: {}", one.line, one.owners.join(" ")));
    shown.collect::<Vec<_>>().join("; ")
}

fn check(kind: HostKind, text: &str, expected: &[(&str, &str)]) {
    for (path, owners) in expected {
        assert_eq!(owners_of(kind, text, path), *owners, "{path}");
    }
}

/// The rules of GitHub's own documentation ("CODEOWNERS syntax"), one after the other.
#[test]
fn github_takes_the_last_pattern_that_matches() {
    let text = "\
# This is a comment.
*       @global-owner1 @global-owner2
*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/*  docs@example.com
apps/ @octocat
/docs/ @doctocat
/scripts/ @doctocat @octocat
**/logs @octocat-logs
/apps/ @octocat-apps
/apps/github
";
    check(
        HostKind::Github,
        text,
        &[
            ("README.md", "2: @global-owner1 @global-owner2"),
            ("src/a.js", "3: @js-owner"),
            ("a/b/c.go", "4: docs@example.com"),
            ("notes.txt", "5: @octo-org/octocats"),
            ("build/logs/a.js", "11: @octocat-logs"),
            ("other/build/logs/a", "11: @octocat-logs"),
            ("docs/getting-started.md", "9: @doctocat"),
            ("sub/docs/getting-started.md", "2: @global-owner1 @global-owner2"),
            ("sub/apps/x/y", "8: @octocat"),
            ("apps/x", "12: @octocat-apps"),
            ("apps/github/x", ""),
            ("scripts/deep/run.js", "10: @doctocat @octocat"),
        ],
    );
}

#[test]
fn patterns_are_bound_and_deep_as_in_gitignore() {
    let one =
        |pattern: &str, path: &str| !owners_of(HostKind::Github, &format!("{pattern} @o"), path).is_empty();
    for (pattern, matches, misses) in [
        ("*", &["a", "a/b"][..], &[][..]),
        ("/", &["a", "a/b"], &[]),
        ("docs/*", &["docs/a"], &["docs/a/b", "x/docs/a"]),
        ("docs/**", &["docs/a", "docs/a/b"], &["docs", "x/docs/a"]),
        ("docs", &["docs", "docs/a", "x/docs/a/b"], &["docsa", "a/docs.md"]),
        ("docs/", &["docs/a", "x/docs/a"], &["docs", "x/docs"]),
        ("/docs/", &["docs/a/b"], &["x/docs/a", "docs"]),
        ("a/b", &["a/b", "a/b/c"], &["x/a/b"]),
        ("**/b", &["b", "a/b", "a/b/c"], &["ab"]),
        ("a/**/b", &["a/b", "a/x/y/b"], &["b"]),
        ("?.md", &["a.md", "x/b.md"], &["ab.md"]),
        ("with\\ space.md", &["with space.md"], &["with"]),
        ("{a,b}.md", &["{a,b}.md"], &["a.md", "b.md"]),
        ("*.Md", &["a.Md"], &["a.md"]),
    ] {
        for path in matches {
            assert!(one(pattern, path), "{pattern} is to match {path}");
        }
        for path in misses {
            assert!(!one(pattern, path), "{pattern} is not to match {path}");
        }
    }
}

#[test]
fn lines_that_github_skips_are_skipped() {
    let text = "* @all\n!a @one\n[ab].md @two\n\\#a @three\na nobody\nb @four nobody\n\n   # c @five\nd\n";
    check(
        HostKind::Github,
        text,
        &[("a", "1: @all"), ("b", "1: @all"), ("a.md", "1: @all"), ("#a", "1: @all"), ("d", "")],
    );
    check(HostKind::Plain, text, &[("a", "1: @all"), ("d", "")]);
}

/// What GitLab's documentation ("Code Owners syntax") says of sections and paths.
#[test]
fn each_section_of_gitlab_asks_by_itself() {
    let text = "\
* @default
README.md @readme

[Database][2] @dba @dba2
model/db/
config/db/schema.rb @schema
!config/db/generated/

^[Optional] @nobody
*.rb

[documentation]
/docs/ @docs
/docs/*.md @md

[DATABASE]
*.sql @sql
";
    check(
        HostKind::Gitlab,
        text,
        &[
            ("x", "1: @default"),
            ("deep/README.md", "2: @readme"),
            ("model/db/a/b", "1: @default; 5: @dba @dba2"),
            ("x/model/db/a", "1: @default; 5: @dba @dba2"),
            ("config/db/schema.rb", "1: @default; 6: @schema"),
            ("x/config/db/schema.rb", "1: @default; 6: @schema"),
            ("model/db/config/db/generated/a", "1: @default"),
            ("docs/a/b", "1: @default; 13: @docs"),
            ("docs/a.md", "1: @default; 14: @md"),
            ("docs/a/b.md", "1: @default; 13: @docs"),
            ("model/db/a.sql", "1: @default; 17: @sql"),
            ("a.rb", "1: @default"),
        ],
    );
    let owners = Owners::parse(HostKind::Gitlab, "CODEOWNERS", text).unwrap();
    let owned = owners.owned(["model/db/a"].into_iter());
    let database = owned.iter().find(|one| one.section.is_some()).unwrap();
    assert_eq!((database.section.as_deref(), database.approvals), (Some("database"), 2));
}

#[test]
fn every_expression_of_gitea_that_matches_counts() {
    let text = "\
.*\\\\.go @user1 user2
frontend/src/.*\\\\.js @user1 # comment
/docs/(aws|google|azure)/[^/]*\\\\.(md|txt) @user3 @org/team
!docs/.* @user4
only-a-pattern
";
    check(
        HostKind::Gitea,
        text,
        &[
            ("a/b.go", "1: @user1 @user2; 4: @user4"),
            ("b.gox", "4: @user4"),
            ("frontend/src/a.js", "2: @user1; 4: @user4"),
            ("docs/aws/a.md", "3: @user3 @org/team"),
            ("docs/aws/b/a.md", ""),
            ("only-a-pattern", "4: @user4"),
        ],
    );
    let error = Owners::parse(HostKind::Gitea, "CODEOWNERS", "a @b\n(?!x).* @user1\n").unwrap_err();
    assert!(error.to_string().starts_with("CODEOWNERS:2: the pattern is not understood here: "), "{error}");
}

#[test]
fn the_first_file_that_is_there_is_read() {
    let tree = |files: &[(&str, &str)]| -> Map<String, Vec<u8>> {
        files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
    };
    let file = |kind, tree: &Map<String, Vec<u8>>| Owners::of(kind, tree).unwrap().map(|owners| owners.file);
    let both =
        tree(&[("CODEOWNERS", "* @a"), (".github/CODEOWNERS", "* @b"), (".gitlab/CODEOWNERS", "* @c")]);
    assert_eq!(file(HostKind::Github, &both).as_deref(), Some(".github/CODEOWNERS"));
    assert_eq!(file(HostKind::Gitlab, &both).as_deref(), Some("CODEOWNERS"));
    assert_eq!(
        file(HostKind::Gitea, &tree(&[(".gitea/CODEOWNERS", "")])).as_deref(),
        Some(".gitea/CODEOWNERS")
    );
    assert_eq!(file(HostKind::Github, &tree(&[("src/CODEOWNERS", "* @a")])), None);
}

#[test]
fn what_is_too_large_or_no_text_is_an_error_and_not_nothing() {
    let of = |bytes: Vec<u8>| {
        let tree: Map<String, Vec<u8>> = Map::from([("CODEOWNERS".to_owned(), bytes)]);
        Owners::of(HostKind::Github, &tree).unwrap_err().to_string()
    };
    assert!(of(vec![b'a'; MAX_BYTES as usize + 1]).contains("at most 262144 are read"));
    assert!(of(vec![0xff]).contains("not UTF-8"));
    assert!(of("a @b\n".repeat(MAX_ENTRIES + 1).into_bytes()).contains("more than 5000 entries"));
}

#[test]
fn many_paths_are_listed_in_part() {
    let owners = Owners::parse(HostKind::Github, "CODEOWNERS", "* @a\n").unwrap();
    let paths: Vec<_> = (0..25).map(|number| format!("file{number}")).collect();
    let owned = owners.owned(paths.iter().map(String::as_str));
    assert_eq!((owned.len(), owned[0].paths.len(), owned[0].more), (1, MAX_PATHS, 5));
}

#[test]
fn many_entries_that_all_match_a_long_path_are_read() {
    let text = "**/*a*/**/*b* @o\n".repeat(500);
    let owners = Owners::parse(HostKind::Github, "CODEOWNERS", &text).unwrap();
    let path = "a/".repeat(200) + "b";
    assert_eq!(owners.owned([path.as_str()].into_iter()).len(), 1);
}

/// Texts of what lines are made of.
fn texts() -> impl Strategy<Value = String> {
    let parts = [
        "*", "**", "/", "a", "b/", "!", "[", "]", "^[x]", "[2]", "\\", "{", "}", "(", ")", "?", "+", "#",
        " @o", "\n", "@", "é",
    ];
    prop::collection::vec(prop::sample::select(parts.to_vec()), 0..60).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn reading_never_panics(text in texts(), path in "[ab/.]{0,12}") {
        for kind in [HostKind::Github, HostKind::Gitea, HostKind::Gitlab, HostKind::Plain] {
            if let Ok(owners) = Owners::parse(kind, "CODEOWNERS", &text) {
                let owned = owners.owned([path.as_str()].into_iter());
                prop_assert!(owned.iter().all(|one| one.paths.len() == 1 && !one.owners.is_empty()));
            }
        }
    }
}
