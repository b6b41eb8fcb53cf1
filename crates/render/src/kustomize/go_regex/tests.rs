use super::*;

/// What Go's `regexp` makes of patterns: those of the texts below that each matches in full, or that it is refused.
const KNOWN: &[(&str, Option<&[&str]>)] = &[
    (r"\${C}-cp", Some(&["${C}-cp"])),
    (r"x{", Some(&["x{"])),
    (r"a{2}", Some(&["aa"])),
    (r"a{,2}", Some(&["a{,2}"])),
    (r"[a&&b]+", Some(&["a", "b", "aa", "ab", "aab", "a&&b"])),
    (r"[a--b]+", None),
    (r"a[[]b", Some(&["a[b"])),
    (r"[[a]b]", Some(&["ab]", "[b]"])),
    (r"[~~]+", Some(&["~~"])),
    (r"[]a]", Some(&["a", "]"])),
    (r"[^]a]", Some(&["A", "b", "x", "é", "٣", "1", "-", "\u{7}"])),
    (r"[a-]+", Some(&["a", "-", "a-a", "aa"])),
    (r"[a\]]", Some(&["a", "]"])),
    (r"[a-\d]", None),
    (r"[z-a]", None),
    (r"[[:alpha:]]", Some(&["a", "A", "b", "x"])),
    (r"[[:^alpha:]]", Some(&["é", "٣", "1", "]", "-", "\u{7}"])),
    (r"[[:none:]]", None),
    (r"\w+", Some(&["a", "A", "b", "x", "1", "aa", "ab", "aab", "ab1", "_x", "axbc"])),
    (r"\d", Some(&["1"])),
    (r"[\D]", Some(&["a", "A", "b", "x", "é", "٣", "]", "-", "\u{7}"])),
    (r"[\w.]+", Some(&["a", "A", "b", "x", "1", "aa", "ab", "aab", "ab1", "_x", "a.b", "a.bc", "axbc"])),
    (r"\Qa.b\Ec", Some(&["a.bc"])),
    (r"\Qa+", None),
    (r"\141", Some(&["a"])),
    (r"\07", Some(&["\u{7}"])),
    (r"\1", None),
    (r"\x61\x{62}", Some(&["ab"])),
    (r"\u0061", None),
    (r"\é", None),
    (r"\_x\/\@\-", Some(&["_x/@-"])),
    (r"\<a\>", Some(&["<a>"])),
    (r"a\b", Some(&["a"])),
    (r"\b{start}a", Some(&[])),
    (r"a{1001}", None),
    (r"a**", None),
    (r"a+?b", Some(&["ab", "aab"])),
    (r"a+??", None),
    (r"(?x)a b", None),
    (r"(?u)a", None),
    (r"(?i)A", Some(&["a", "A"])),
    (r"(?i:A)b", Some(&["ab"])),
    (r"(?P<n>a)(?<m>b)", Some(&["ab"])),
    (r"(?<n-1>a)", None),
    (r"\p{Greek}[\pL]", Some(&["αb"])),
    (r"(a", None),
    (r"a|", Some(&["", "a"])),
];

const TEXTS: &[&str] = &[
    "", "a", "A", "b", "x", "é", "٣", "1", "]", "-", "a-a", "aa", "ab", "aab", "ab1", "_x", "a.b", "a.bc",
    "axbc", "a+", "a[b", "a&&b", "~~", "x{", "a{,2}", "${C}-cp", "<a>", "_x/@-", "\u{7}", "ab]", "[b]", "αb",
];

#[test]
fn the_size_of_an_expression_counts_what_is_repeated() {
    for (pattern, size) in [
        ("web-1", 5),
        ("a.b", 6),
        ("a{3}b", 4),
        ("(?:a{2}b){4,10}", 40),
        ("((a{10}){10}){10}", 1_110),
        (r"\pL[\p{Greek}]", 256),
        ("(a", 2),
        ("[^a]*", 4),
    ] {
        assert_eq!(translated(pattern).map(|one| one.size), Ok(size), "{pattern}");
    }
}

#[test]
fn expressions_mean_what_they_mean_to_go() {
    for (pattern, expected) in KNOWN {
        let compiled = translated(&format!("^(?:{pattern})$"))
            .and_then(|one| regex::Regex::new(&one.pattern).map_err(|error| error.to_string()));
        let Some(expected) = expected else {
            assert!(compiled.is_err(), "{pattern} is taken");
            continue;
        };
        let compiled = compiled.unwrap_or_else(|why| panic!("{pattern}: {why}"));
        let found: Vec<_> = TEXTS.iter().copied().filter(|text| compiled.is_match(text)).collect();
        assert_eq!(found, *expected, "{pattern}");
    }
}
