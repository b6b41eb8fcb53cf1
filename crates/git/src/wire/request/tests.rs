use super::*;

#[derive(Default)]
struct Taken {
    cut: Option<BTreeSet<Oid>>,
    bytes: Vec<u8>,
}

impl Take for Taken {
    fn cut(&mut self, commits: &BTreeSet<Oid>) -> Result<(), Trouble> {
        assert!(self.bytes.is_empty() && self.cut.is_none(), "told once, and before the pack");
        self.cut = Some(commits.clone());
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

fn id(digit: char) -> Oid {
    Oid::from_str(&digit.to_string().repeat(40)).unwrap()
}

fn answer(lines: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        match *line {
            "flush" => bytes.extend_from_slice(FLUSH),
            "delimiter" => bytes.extend_from_slice(DELIMITER),
            line => packets::line(&mut bytes, line),
        }
    }
    bytes
}

fn read(lines: &[&str], parted: bool) -> Result<Taken, Trouble> {
    let mut taken = Taken::default();
    receive(&mut answer(lines).as_slice(), parted, &mut taken).map(|()| taken)
}

#[test]
fn where_the_history_is_cut_is_told_before_the_pack_in_both_versions() {
    let (shallow, unshallow) = (format!("shallow {}", id('a')), format!("unshallow {}", id('b')));
    let two = ["shallow-info", &shallow, &unshallow, "delimiter", "packfile", "\u{1}PACK", "flush"];
    let zero = [&*shallow, &unshallow, "flush", "NAK", "\u{1}PACK", "flush"];
    for (lines, parted) in [(two.as_slice(), false), (zero.as_slice(), true)] {
        let taken = read(lines, parted).unwrap();
        assert_eq!(taken.cut, Some(BTreeSet::from([id('a')])));
        assert_eq!(taken.bytes, b"PACK\n");
    }
}

#[test]
fn what_is_no_commit_or_comes_too_late_is_refused() {
    let late = format!("shallow {}", id('a'));
    for lines in [
        ["shallow abc", "packfile"],
        ["unshallow", "packfile"],
        ["shallow-information", "packfile"],
        ["\u{1}PACK", &late],
    ] {
        assert!(matches!(read(&lines, false), Err(Trouble::Garbage(_))), "{lines:?}");
    }
}

#[test]
fn a_history_that_is_cut_off_at_too_many_commits_is_refused() {
    let lines: Vec<_> = (0..=MAX_CUT).map(|at| format!("shallow {at:040x}")).collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    assert!(matches!(read(&lines, false), Err(Trouble::Excess(_))));
}

#[test]
fn depth_is_asked_for_with_what_is_cut_already() {
    let request =
        Request { wants: [id('a')].into(), haves: [id('b')].into(), cut: [id('c')].into(), depth: Some(64) };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (two, zero) = (text(request.two()), text(request.zero()));
    for part in [format!("shallow {}\n000edeepen 64\n", id('c')), format!("have {}\n0009done\n", id('b'))] {
        assert!(two.contains(&part) && zero.contains(&part), "{part}");
    }
    assert!(zero.contains("no-progress shallow\n"));
    let all = Request { depth: None, ..request };
    assert!(!text(all.two()).contains("shallow") && !text(all.zero()).contains("shallow"));
}

proptest::proptest! {
    #[test]
    fn whatever_comes_is_taken_or_refused(
        packets in proptest::collection::vec(
            proptest::prop_oneof![
                "(shallow|unshallow|ACK|NAK|packfile|shallow-info)?[ ]?[0-9a-f]{0,41}\n?",
                "\\x01.{0,20}",
                "\\PC{0,20}",
                proptest::strategy::Just("flush".to_owned()),
                proptest::strategy::Just("delimiter".to_owned()),
            ],
            0..12,
        ),
        parted: bool,
    ) {
        let lines: Vec<&str> = packets.iter().map(String::as_str).collect();
        if let Ok(taken) = read(&lines, parted) {
            proptest::prop_assert!(taken.bytes.len() <= packets.iter().map(|line| line.len() + 1).sum());
            proptest::prop_assert!(taken.cut.unwrap_or_default().len() <= packets.len());
        }
    }
}
