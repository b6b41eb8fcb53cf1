use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::{TempDir, tempdir};

use super::*;

fn put(database: &Database, key: &str) {
    let sql = "INSERT INTO kv (key, version, value) VALUES (?1, 1, zeroblob(20000))";
    database.with(|connection| connection.execute(sql, [key])).unwrap();
}

fn count(database: &Database) -> i64 {
    database.read(|connection| connection.query_row("SELECT count(*) FROM kv", [], |row| row.get(0))).unwrap()
}

/// A folder with a database of about a hundred pages, cleanly closed.
fn filled() -> (TempDir, PathBuf) {
    let dir = tempdir().unwrap();
    let database = Database::open(dir.path()).unwrap();
    for key in 0..20 {
        put(&database, &key.to_string());
    }
    drop(database);
    let file = dir.path().join(FILE);
    (dir, file)
}

fn refusal(dir: &Path) -> String {
    Database::open(dir).unwrap_err().to_string()
}

#[test]
fn what_was_written_is_there_after_opening_again() {
    let (dir, _) = filled();
    assert_eq!(count(&Database::open(dir.path()).unwrap()), 20);
}

#[test]
fn folder_and_files_are_closed_to_others() {
    let dir = tempdir().unwrap();
    let inner = dir.path().join("data");
    let database = Database::open(&inner).unwrap();
    put(&database, "k");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inner), 0o700);
    let files: Vec<_> = fs::read_dir(&inner).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_file_that_was_opened_up_is_closed_again() {
    let (dir, file) = filled();
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    drop(Database::open(dir.path()).unwrap());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_second_opening_is_refused_and_says_who_has_it() {
    let dir = tempdir().unwrap();
    let first = Database::open(dir.path()).unwrap();
    let why = refusal(dir.path());
    assert!(why.contains("in use by another countersign process"), "{why}");
    assert!(why.contains(&format!("(pid {})", std::process::id())), "{why}");
    assert!(why.contains("--data"), "{why}");
    let clone = first.clone();
    drop(first);
    assert!(matches!(Database::open(dir.path()), Err(LocalError::InUse { .. })), "a clone still has it");
    drop(clone);
    Database::open(dir.path()).unwrap();
}

#[test]
fn a_file_that_is_no_database_is_refused_and_kept() {
    for content in [b"not a database".to_vec(), b"x".repeat(100_000)] {
        let dir = tempdir().unwrap();
        let file = dir.path().join(FILE);
        fs::write(&file, &content).unwrap();
        let why = refusal(dir.path());
        assert!(why.contains("is not a Countersign database") && why.contains("backup"), "{why}");
        assert!(matches!(Database::open_read_only(dir.path()), Err(LocalError::NotADatabase { .. })));
        assert_eq!(fs::read(&file).unwrap(), content);
    }
}

#[test]
fn the_database_of_another_program_is_refused_and_kept() {
    let dir = tempdir().unwrap();
    let file = dir.path().join(FILE);
    Connection::open(&file).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    let before = fs::read(&file).unwrap();
    assert!(matches!(Database::open(dir.path()), Err(LocalError::NotADatabase { .. })));
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn a_database_that_was_cut_short_is_refused_and_kept() {
    let (dir, file) = filled();
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let why = refusal(dir.path());
    assert!(why.contains("is damaged") && why.contains("restore it from a backup"), "{why}");
    assert_eq!(fs::read(&file).unwrap(), whole[..whole.len() / 2]);
}

#[test]
fn a_database_whose_process_was_killed_is_checked() {
    let (dir, file) = filled();
    let mut bytes = fs::read(&file).unwrap();
    // Everything behind the first pages, so that no header gives it away.
    let behind = bytes.len() / 3;
    bytes[behind..].fill(0x5a);
    fs::write(&file, &bytes).unwrap();
    drop(Database::open(dir.path()).unwrap());
    // As a killed process leaves it.
    fs::write(dir.path().join("countersign.lock"), "12345").unwrap();
    let why = refusal(dir.path());
    assert!(why.contains("is damaged"), "{why}");
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

#[test]
fn a_later_schema_is_refused() {
    let (dir, file) = filled();
    Connection::open(&file).unwrap().pragma_update(None, "user_version", 7).unwrap();
    assert!(refusal(dir.path()).contains("schema is version 7, this release knows 1"));
    assert!(matches!(Database::open_read_only(dir.path()), Err(LocalError::Newer { found: 7, .. })));
}

#[test]
fn a_folder_that_cannot_be_used_is_told() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(Database::open(&file), Err(LocalError::Inaccessible { .. })));
    assert!(matches!(Database::open(&file.join("below")), Err(LocalError::Inaccessible { .. })));
    fs::create_dir(dir.path().join(FILE)).unwrap();
    let why = refusal(dir.path());
    assert!(why.contains("cannot open") && why.contains(FILE) && why.contains("directory"), "{why}");
}

#[test]
fn reading_works_beside_the_process_that_serves() {
    let dir = tempdir().unwrap();
    assert!(matches!(Database::open_read_only(dir.path()), Err(LocalError::Missing { .. })));
    assert!(!dir.path().join(FILE).exists());
    let serving = Database::open(dir.path()).unwrap();
    let reading = Database::open_read_only(dir.path()).unwrap();
    put(&serving, "k");
    assert_eq!(count(&reading), 1);
    let refused = reading.with(|connection| connection.execute("DELETE FROM kv", []));
    assert!(matches!(refused, Err(PortError::Refused(why)) if why.contains("reading only")));
    drop(serving);
    assert_eq!(count(&reading), 1);
    drop(reading);
    assert_eq!(count(&Database::open_read_only(dir.path()).unwrap()), 1);
}

#[test]
fn reading_does_not_wait_for_a_write() {
    let dir = tempdir().unwrap();
    let database = Database::open(dir.path()).unwrap();
    put(&database, "before");
    database
        .with(|connection| {
            connection.execute("DELETE FROM kv", [])?;
            assert_eq!(count(&database), 1, "what is not committed is not seen");
            Ok(())
        })
        .unwrap();
    assert_eq!(count(&database), 0);
}

#[test]
fn a_panic_in_a_write_takes_nothing_with_it() {
    let dir = tempdir().unwrap();
    let database = Database::open(dir.path()).unwrap();
    let ended = std::panic::catch_unwind(|| {
        database.with(|connection| -> rusqlite::Result<()> {
            connection.execute("INSERT INTO kv (key, version, value) VALUES ('half', 1, 'x')", [])?;
            panic!("in the middle")
        })
    });
    ended.unwrap_err();
    put(&database, "after");
    assert_eq!(count(&database), 1);
}

#[test]
fn only_what_may_happen_twice_does_not_wait_for_the_disk() {
    let dir = tempdir().unwrap();
    let database = Database::open(dir.path()).unwrap();
    let level =
        |connection: &mut Savepoint<'_>| connection.query_row("PRAGMA synchronous", [], |row| row.get(0));
    let (full, normal) = (2, 1);
    assert_eq!(database.with(level), Ok(full));
    assert_eq!(database.with_unsynced(level), Ok(normal));
    assert_eq!(database.with(level), Ok(full));
}

/// Lets three threads write while a fourth is at work, so that all four share one commit; the results of the three.
fn beside(
    database: &Database,
    works: [fn(&mut Savepoint<'_>) -> rusqlite::Result<()>; 3],
) -> Vec<std::thread::Result<Result<(), PortError>>> {
    let writer = database.0.writer.as_ref().unwrap();
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        let first = |savepoint: &mut Savepoint<'_>| {
            threads.extend(works.map(|work| scope.spawn(move || database.with(work))));
            while writer.waiting() < 3 {
                std::thread::yield_now();
            }
            insert(savepoint, "first")
        };
        database.with(first).unwrap();
        threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    })
}

fn insert(savepoint: &mut Savepoint<'_>, key: &str) -> rusqlite::Result<()> {
    savepoint.execute("INSERT INTO kv (key, version, value) VALUES (?1, 1, 'x')", [key]).map(drop)
}

#[test]
fn writers_that_come_at_once_share_a_commit() {
    let dir = tempdir().unwrap();
    let database = Database::open(dir.path()).unwrap();
    let before = database.written();
    let ended = beside(&database, [|s| insert(s, "a"), |s| insert(s, "b"), |s| insert(s, "c")]);
    assert!(ended.into_iter().all(|ended| ended.unwrap() == Ok(())));
    let after = database.written();
    assert_eq!((after.writes - before.writes, after.commits - before.commits), (4, 1));
    assert_eq!(count(&database), 4);
}

#[test]
fn of_a_shared_commit_only_what_fails_is_undone() {
    let dir = tempdir().unwrap();
    let database = Database::open(dir.path()).unwrap();
    let fails = |savepoint: &mut Savepoint<'_>| {
        insert(savepoint, "half")?;
        insert(savepoint, "first")
    };
    let panics = |savepoint: &mut Savepoint<'_>| {
        insert(savepoint, "other half")?;
        panic!("in the middle")
    };
    let mut ended = beside(&database, [fails, panics, |s| insert(s, "good")]).into_iter();
    assert!(
        matches!(ended.next().unwrap().unwrap(), Err(PortError::Unavailable(why)) if why.contains("UNIQUE"))
    );
    ended.next().unwrap().unwrap_err();
    assert_eq!(ended.next().unwrap().unwrap(), Ok(()));
    assert_eq!(count(&database), 2, "first and good");
    put(&database, "after");
    assert_eq!(count(&database), 3);
}
