use super::*;
use crate::testing::commit;

const NOW: Timestamp = Timestamp::from_millis(1_795_212_000_000);

/// A forge that tells of pushes in pages, and whose base has some commits.
struct Forge {
    unread: Vec<Vec<Push>>,
    told: Vec<Push>,
    base: &'static str,
}

impl Told for Forge {
    fn pushes(&self) -> Vec<Push> {
        self.told.clone()
    }

    async fn read_on(&mut self) -> Result<bool, Failure> {
        if self.unread.is_empty() {
            return Ok(false);
        }
        self.told.append(&mut self.unread.remove(0));
        Ok(true)
    }

    async fn base_has(&self, asked: &CommitId) -> Result<bool, Failure> {
        Ok(self.base.chars().any(|digit| commit(digit) == *asked))
    }
}

/// The push of account `by` from one digit's commit to another's; from `-` it created the branch.
fn push(by: u64, before: char, after: char) -> Push {
    let text = |digit: char| if digit == '-' { "0".repeat(40) } else { commit(digit).to_string() };
    let by = Identity { account: Some(by), ..unknown() };
    Push::of(by, Some(&text(before)), Some(&text(after)), false).unwrap()
}

fn commits(digits: &str) -> BTreeSet<CommitId> {
    digits.chars().map(commit).collect()
}

/// The accounts that pushed to the head `a`, 0 for one that is not known.
async fn accounts(trail: Trail, pages: Vec<Vec<Push>>, base: &'static str) -> Result<Vec<u64>, Failure> {
    let mut forge = Forge { unread: pages, told: Vec::new(), base };
    let pushers = trail.pushers(&commit('a'), &mut forge, NOW).await?;
    Ok(pushers.into_iter().map(|one| one.account.unwrap_or_default()).collect())
}

#[tokio::test]
async fn everyone_took_part_who_pushed_since_the_branch_was_created() {
    let pages = vec![vec![push(3, 'b', 'a'), push(2, 'c', 'b')], vec![push(1, '-', 'c'), push(9, 'd', 'e')]];
    assert_eq!(accounts(Trail::default(), pages, "").await.unwrap(), [3, 2, 1]);
}

#[tokio::test]
async fn whoever_pushed_what_was_taken_away_again_took_part_too() {
    // 1 pushes b and c on it; 2 takes c away and puts a on b.
    let pages = vec![vec![push(2, 'c', 'a'), push(1, '-', 'c')]];
    let trail = Trail { brought: commits("ab"), questions: MAX_QUESTIONS, ..Trail::default() };
    assert_eq!(accounts(trail, pages, "0").await.unwrap(), [2, 1]);
}

#[tokio::test]
async fn nobody_took_part_who_pushed_what_the_base_had_before() {
    let pages = || vec![vec![push(2, 'b', 'a'), push(1, 'c', 'b'), push(8, 'd', 'c'), push(9, '-', 'd')]];
    let known = Trail { base: commits("c"), ..Trail::default() };
    assert_eq!(accounts(known, pages(), "").await.unwrap(), [2, 1]);
    let asked = Trail { questions: MAX_QUESTIONS, ..Trail::default() };
    assert_eq!(accounts(asked, pages(), "c").await.unwrap(), [2, 1]);
    let said = Trail { brought: commits("ab"), ..Trail::default() };
    let adding =
        |only_adds| vec![pages().remove(0).into_iter().map(|one| Push { only_adds, ..one }).collect()];
    assert_eq!(accounts(said.clone(), adding(true), "").await.unwrap(), [2, 1]);
    assert_eq!(
        accounts(said, adding(false), "").await.unwrap(),
        [2, 1, 8, 9],
        "too many rather than too few"
    );
}

#[tokio::test]
async fn a_forge_is_asked_only_so_often() {
    let digits: Vec<_> = "abcdef123456789".chars().collect();
    let pushes = digits.windows(2).map(|pair| push(1, pair[1], pair[0])).chain([push(7, '-', '9')]).collect();
    let trail = Trail { questions: 3, ..Trail::default() };
    assert_eq!(accounts(trail, vec![pushes], "5").await.unwrap(), [1, 7]);
}

#[tokio::test]
async fn where_a_push_is_missing_someone_unknown_took_part() {
    for pages in [vec![], vec![vec![push(1, '-', 'b')]], vec![vec![], vec![push(1, 'b', 'c')]]] {
        assert_eq!(accounts(Trail::default(), pages, "").await.unwrap(), [0]);
    }
    let pages = vec![vec![push(2, 'b', 'a')], vec![push(1, '-', 'c')]];
    assert_eq!(accounts(Trail::default(), pages, "").await.unwrap(), [2, 0]);
    assert!(Push::of(unknown(), Some("what?"), Some(commit('a').as_str()), true).is_none());
    assert!(Push::of(unknown(), Some(commit('a').as_str()), None, true).is_none());
}

#[tokio::test]
async fn the_push_of_a_head_that_has_just_come_is_waited_for() {
    let seconds = Duration::from_secs;
    for (arrived, waits) in [
        (NOW.minus(seconds(9)), true),
        (NOW.plus(seconds(9)), true),
        (NOW.minus(seconds(10)), false),
        (NOW.plus(seconds(10)), false),
    ] {
        let trail = Trail { arrived: Some(arrived), ..Trail::default() };
        let lost = accounts(trail.clone(), Vec::new(), "").await;
        assert_eq!(matches!(lost, Err(Failure::Later { .. })), waits, "{arrived} {lost:?}");
        let pages = vec![vec![push(2, 'b', 'a')]];
        assert_eq!(accounts(trail, pages, "").await.unwrap(), [2, 0], "the head's push was told of");
    }
}
