//! `make demo`, as a newcomer runs it: every claim of it is checked by the demo itself.

use std::path::Path;
use std::process::Command;

use countersign_tests::installation::program;

#[test]
fn the_demo_keeps_every_promise() {
    let told = demo("plain", "simulated");
    assert!(told.contains("refused: signature") && told.contains("not clean"), "{told}");
}

#[test]
fn the_demo_keeps_every_promise_on_a_real_gitea() {
    let told = demo("gitea", "simulated");
    assert!(told.contains("ada-at-home (account") && told.contains("not clean"), "{told}");
}

#[test]
fn the_demo_on_all_real_parts_is_left_running_if_that_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = script("gitea", "real");
    let told = told(command.env("KEEP", "1").env("TMPDIR", folder.path()));
    let lines_after = told.lines().skip_while(|line| !line.starts_with("Kept in ")).skip(1);
    let lines: Vec<_> = lines_after.map(str::trim).collect();
    let [status, gitea, end] = lines[..] else { panic!("three lines: {told}") };
    let end = Ended(end);

    let answer = bash(status);
    assert!(answer.contains("shop/production/local") && answer.contains("all queues are empty"), "{answer}");
    let url = gitea.split_whitespace().next().expect("a URL");
    assert!(bash(&format!("curl -sS {url}/api/v1/version")).contains("version"), "{gitea}");
    let pids: Vec<_> = end.0.split_whitespace().skip(1).take_while(|word| *word != "&&").collect();
    assert_eq!(pids.len(), 3, "{told}");
    let are_running = |word: &str| {
        let check =
            pids.iter().map(|pid| format!("kill -0 {pid} 2>/dev/null")).collect::<Vec<_>>().join(word);
        Command::new("bash").args(["-c", &check]).status().expect("bash runs").success()
    };
    assert!(are_running(" && "), "{told}");
    drop(end);
    while are_running(" || ") {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    // Which ports are taken is noted for all that run on this machine.
    let names = folder.path().read_dir().expect("the folder").map(|entry| entry.expect("one").file_name());
    let left: Vec<_> = names.filter(|name| name != "countersign-ports").collect();
    assert!(left.is_empty(), "{left:?} is left");
}

/// The line that ends what is left running; it is run when this goes.
struct Ended<'a>(&'a str);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        bash(self.0);
    }
}

/// Tells the demo to its end, which must be good; returns what it told.
fn demo(forge: &str, cluster: &str) -> String {
    told(script(forge, cluster).env_remove("KEEP"))
}

fn script(forge: &str, cluster: &str) -> Command {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the project");
    let mut command = Command::new("bash");
    command.arg(project.join("samples/demo.sh")).arg(program());
    command.env("CLUSTER", cluster).env("FORGE", forge).env("NO_COLOR", "1");
    command
}

fn bash(line: &str) -> String {
    told(Command::new("bash").args(["-c", line]))
}

/// What a command tells that must end well.
fn told(command: &mut Command) -> String {
    let output = command.output().expect("bash runs");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let told_wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{told_wrong}");
    told
}
