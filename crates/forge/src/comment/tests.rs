use std::sync::Mutex;

use super::*;

/// A thread as a forge keeps it: ids grow, anyone may write between two calls.
#[derive(Default)]
struct Forge {
    comments: Mutex<Vec<Comment>>,
    writes: Mutex<usize>,
    /// A comment of another process that appears after the first look.
    intruder: Mutex<Option<String>>,
    limit: usize,
}

impl Forge {
    fn bodies(&self) -> Vec<String> {
        self.comments.lock().unwrap().iter().map(|comment| comment.body.clone()).collect()
    }

    fn add(&self, body: &str) {
        let mut comments = self.comments.lock().unwrap();
        let id = comments.last().map_or(1, |comment| comment.id + 1);
        // Forges change line endings and trailing space.
        comments.push(Comment { id, body: body.trim_end().replace('\n', "\r\n") });
    }
}

impl Thread for Forge {
    async fn own(&self) -> Result<Vec<Comment>, Failure> {
        tokio::task::yield_now().await;
        let seen = self.comments.lock().unwrap().clone();
        if let Some(body) = self.intruder.lock().unwrap().take() {
            self.add(&body);
        }
        Ok(seen)
    }

    async fn create(&self, body: &str) -> Result<(), Failure> {
        tokio::task::yield_now().await;
        *self.writes.lock().unwrap() += 1;
        self.add(body);
        Ok(())
    }

    async fn update(&self, id: u64, body: &str) -> Result<(), Failure> {
        tokio::task::yield_now().await;
        *self.writes.lock().unwrap() += 1;
        let mut comments = self.comments.lock().unwrap();
        comments.iter_mut().find(|comment| comment.id == id).unwrap().body = body.to_owned();
        Ok(())
    }

    async fn delete(&self, id: u64) -> Result<(), Failure> {
        self.comments.lock().unwrap().retain(|comment| comment.id != id);
        Ok(())
    }

    fn limit(&self) -> usize {
        self.limit
    }
}

fn forge() -> Forge {
    Forge { limit: 65_535, ..Forge::default() }
}

fn section(environment: &str, index: u64, text: &str) -> Section {
    Section { environment: environment.parse().unwrap(), index, text: text.to_owned() }
}

async fn show(forge: &Forge, section: &Section) {
    Writer::default().show("shop 1", forge, section).await.unwrap();
}

#[tokio::test]
async fn there_is_one_comment_with_a_section_for_each_environment() {
    let forge = forge();
    forge.add("A comment of the same account that is none of ours.");
    show(&forge, &section("staging", 3, "# staging\n\nfirst\n")).await;
    show(&forge, &section("production", 4, "# production\n\nsecond\n")).await;
    show(&forge, &section("staging", 5, "# staging\n\nthird\n")).await;
    let bodies = forge.bodies();
    assert_eq!(bodies.len(), 2);
    assert!(bodies[1].contains("second") && bodies[1].contains("third") && !bodies[1].contains("first"));
    let place = |word| bodies[1].find(word).unwrap();
    assert!(place("# production") < place("# staging"), "in the order of their names");
    assert_eq!(*forge.writes.lock().unwrap(), 3);
}

#[tokio::test]
async fn what_is_shown_already_is_not_written_again() {
    let forge = forge();
    for _ in 0..3 {
        show(&forge, &section("staging", 3, "text  with\nspace ")).await;
    }
    assert_eq!(*forge.writes.lock().unwrap(), 1);
    show(&forge, &section("staging", 3, "the outcome changed")).await;
    assert_eq!(*forge.writes.lock().unwrap(), 2);
}

#[tokio::test]
async fn an_older_report_never_replaces_a_newer_one() {
    let forge = forge();
    show(&forge, &section("staging", 7, "new")).await;
    show(&forge, &section("staging", 6, "old")).await;
    assert!(forge.bodies()[0].contains("new") && !forge.bodies()[0].contains("old"));
    assert_eq!(*forge.writes.lock().unwrap(), 1);
}

#[tokio::test]
async fn what_someone_edited_is_repaired() {
    let forge = forge();
    show(&forge, &section("staging", 7, "denied")).await;
    for comment in forge.comments.lock().unwrap().iter_mut() {
        comment.body = comment.body.replace("denied", "approved");
    }
    show(&forge, &section("staging", 7, "denied")).await;
    assert!(forge.bodies()[0].contains("denied") && !forge.bodies()[0].contains("approved"));
}

#[tokio::test]
async fn a_second_comment_of_another_process_is_folded_into_the_first() {
    let forge = forge();
    let other = Sections::default().with(&section("production", 2, "theirs")).text(1000);
    *forge.intruder.lock().unwrap() = Some(other);
    show(&forge, &section("staging", 3, "ours")).await;
    let bodies = forge.bodies();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert!(bodies[0].contains("ours") && bodies[0].contains("theirs"));
}

#[tokio::test]
async fn many_writers_at_once_lose_nothing() {
    let (forge, writer) = (forge(), Writer::default());
    let environments: Vec<_> = (0..12).map(|at| format!("stage-{at}")).collect();
    let all = environments.iter().map(|name| {
        let (forge, writer) = (&forge, &writer);
        async move {
            for index in 0..4 {
                let text = format!("report {index} of {name}");
                writer.show("shop 1", forge, &section(name, index, &text)).await.unwrap();
            }
        }
    });
    futures_util::future::join_all(all).await;
    let bodies = forge.bodies();
    assert_eq!(bodies.len(), 1);
    for name in &environments {
        assert!(bodies[0].contains(&format!("report 3 of {name}\n")), "{name}");
    }
}

#[tokio::test]
async fn a_comment_keeps_to_the_forges_limit() {
    let forge = Forge { limit: 3_000, ..Forge::default() };
    let long = "a line of text that repeats\n".repeat(500);
    for name in ["a", "b", "c"] {
        show(&forge, &section(name, 1, &long)).await;
        show(&forge, &section(name, 1, &long)).await;
    }
    let body = &forge.bodies()[0];
    assert!(body.len() <= 3_000 && body.len() > 1_500, "{}", body.len());
    assert_eq!(body.matches("The rest does not fit here").count(), 3);
    assert_eq!(*forge.writes.lock().unwrap(), 3, "a shortened section is known again");
}

#[test]
fn marks_of_others_are_no_sections() {
    for body in ["", "text", "<!-- countersign:section", " <!-- countersign:section a 1 b c -->"] {
        assert!(!Sections::are_in(body), "{body}");
    }
    for body in [
        "<!-- countersign:section a x b c -->",
        "<!-- countersign:section a 1 -->",
        "<!-- countersign:section -->",
    ] {
        assert!(!Sections::merged([body].into_iter()).shows(&section("a", 1, "")), "{body}");
    }
}
