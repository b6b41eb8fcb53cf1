use super::*;
use countersign_core::facts::ObjectKey;

const FILE: &str = "waivers:
  - id: web-unpinned
    rule: images.pinned
    application: shop
    environment: stag*
    object: apps/Deployment shop/web-*
    until: 2026-12-01T00:00:00Z
    reason: The vendor publishes no digests until December.
";

fn violation(name: Option<&str>) -> Violation {
    let object = name.map(|name| ObjectKey {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: Some("shop".into()),
        name: name.into(),
    });
    Violation { message: "m".into(), object, field: None, at: None, waiver: None }
}

fn excused(target: &str, now: &str, rule: &str, name: Option<&str>) -> bool {
    let waivers = parse("waivers/shop.yaml", FILE).unwrap();
    let target = target.parse().unwrap();
    excuse(&waivers, rule, &target, now.parse().unwrap(), &violation(name)).is_some()
}

#[test]
fn a_waiver_excuses_what_it_names_and_nothing_else() {
    let now = "2026-11-30T23:59:59Z";
    assert!(excused("shop/staging/east", now, "images.pinned", Some("web-1")));
    assert!(!excused("shop/production/east", now, "images.pinned", Some("web-1")));
    assert!(!excused("blog/staging/east", now, "images.pinned", Some("web-1")));
    assert!(!excused("shop/staging/east", now, "images.registries", Some("web-1")));
    assert!(!excused("shop/staging/east", now, "images.pinned", Some("api")));
    assert!(!excused("shop/staging/east", now, "images.pinned", None), "a finding without a place");
}

#[test]
fn a_waiver_ends_at_its_very_time() {
    assert!(excused("shop/staging/east", "2026-11-30T23:59:59.999Z", "images.pinned", Some("web-1")));
    assert!(!excused("shop/staging/east", "2026-12-01T00:00:00Z", "images.pinned", Some("web-1")));
}

#[test]
fn a_waiver_without_end_reason_or_scope_is_refused() {
    for field in ["until", "reason", "application", "environment", "rule", "id"] {
        let without: String = FILE
            .lines()
            .filter(|line| !line.trim_start_matches(['-', ' ']).starts_with(field))
            .map(|line| format!("{line}\n"))
            .collect();
        let without = if field == "id" { without.replacen("    rule", "  - rule", 1) } else { without };
        let problems = parse("waivers/shop.yaml", &without).unwrap_err();
        assert!(problems.iter().any(|p| p.message.contains(field)), "{field}: {problems:?}");
    }
    let empty = FILE.replace("The vendor publishes no digests until December.", "\" \"");
    let problems = parse("waivers/shop.yaml", &empty).unwrap_err();
    assert_eq!((problems.len(), problems[0].at.line), (1, 2), "{problems:?}");
}

#[test]
fn patterns_hold_any_number_of_stars() {
    for (pattern, text, expected) in [
        ("*", "", true),
        ("a*", "a", true),
        ("*b", "ab", true),
        ("a*b", "ab", true),
        ("a*b*c", "axxbyyc", true),
        ("a*b*c", "axxcyyb", false),
        ("ab*b", "ab", false),
        ("a*ba", "aba", true),
        ("web", "web-1", false),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}
