use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use super::ServerGroup;

/// Waits until `look` is true; false when it does not become so in time.
fn soon(look: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        if look() {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}

fn is_running(process: &str) -> bool {
    // A killed process whose new parent is slow to reap it is not running.
    let status = fs::read_to_string(format!("/proc/{process}/status"));
    status.is_ok_and(|status| !status.contains("State:\tZ"))
}

#[test]
fn dropping_a_group_kills_servers_that_refuse_to_end_and_their_children() {
    let mut group = ServerGroup::new("test").unwrap();
    let folder = group.folder().to_owned();
    let script = "trap '' TERM HUP INT; sleep 1000 & echo $! >child; echo $$ >self; wait; sleep 1000";
    group.start("stubborn", Path::new("/bin/sh"), &["-c", script]).unwrap();
    assert!(soon(|| fs::read_to_string(folder.join("self")).is_ok_and(|text| text.ends_with('\n'))));
    let processes =
        ["self", "child"].map(|name| fs::read_to_string(folder.join(name)).unwrap().trim().to_owned());
    assert!(processes.iter().all(|process| is_running(process)));

    drop(group);
    assert!(!folder.exists(), "{} is still there", folder.display());
    assert!(soon(|| !processes.iter().any(|process| is_running(process))));
}

#[test]
fn a_server_killed_before_it_made_its_own_process_group_does_not_stay() {
    for _ in 0..20 {
        let mut group = ServerGroup::new("test").unwrap();
        let folder = group.folder().to_owned();
        group.start("brief", Path::new("/bin/sleep"), &["1000"]).unwrap();
        drop(group);
        assert!(!folder.exists(), "{} is still there", folder.display());
    }
}

#[test]
fn a_server_that_ends_is_reported_with_the_end_of_its_log() {
    let mut group = ServerGroup::new("test").unwrap();
    group.check().unwrap();
    let script = "seq 1 100; echo \"it's $1\" >&2; exit 7";
    group.start("failing", Path::new("/bin/sh"), &["-c", script, "sh", "a 'quoted' $word"]).unwrap();
    assert!(soon(|| group.check().is_err()));
    let message = group.check().unwrap_err().to_string();
    assert!(message.contains("failing ended with status 7"), "{message}");
    assert!(message.ends_with("\n99\n100\nit's a 'quoted' $word"), "{message}");
    assert!(!message.contains("\n50\n"), "{message}");
}

#[test]
fn an_argument_with_a_line_break_is_refused() {
    let mut group = ServerGroup::new("test").unwrap();
    let error = group.start("broken", Path::new("/bin/true"), &["a\nb"]).unwrap_err();
    assert!(error.to_string().contains("line break"), "{error}");
}
