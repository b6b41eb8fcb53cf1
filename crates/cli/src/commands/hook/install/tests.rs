use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn repository() -> (tempfile::TempDir, Installation) {
    let folder = tempfile::tempdir().unwrap();
    git2::Repository::init_opts(
        folder.path(),
        git2::RepositoryInitOptions::new().bare(true).external_template(false),
    )
    .unwrap();
    let installation = Installation {
        path: folder.path().to_owned(),
        id: "local/shop".parse().unwrap(),
        server: "http://127.0.0.1:7466".into(),
        secret_file: "/data/keys/webhook local".into(),
    };
    (folder, installation)
}

#[test]
fn hooks_are_installed_once_and_are_executable() {
    let (folder, installation) = repository();
    let actions =
        |done: Vec<(PathBuf, &'static str)>| done.into_iter().map(|(_, action)| action).collect::<Vec<_>>();
    assert_eq!(actions(install(&installation).unwrap()), ["created", "created"]);
    assert_eq!(actions(install(&installation).unwrap()), ["unchanged", "unchanged"]);
    for name in ["pre-receive", "post-receive"] {
        let hook = folder.path().join("hooks").join(name);
        assert_eq!(fs::metadata(&hook).unwrap().permissions().mode() & 0o111, 0o111, "{name}");
        assert!(fs::read_to_string(&hook).unwrap().starts_with("#!/bin/sh\n"));
    }
    let text = fs::read_to_string(folder.path().join("hooks/post-receive")).unwrap();
    assert!(text.ends_with(
        "hook post-receive --repository 'local/shop' --server 'http://127.0.0.1:7466' --secret-file '/data/keys/webhook local'\n"
    ));
}

#[test]
fn another_hook_is_left_and_nothing_is_written() {
    let (folder, installation) = repository();
    fs::create_dir_all(folder.path().join("hooks")).unwrap();
    let post = folder.path().join("hooks/post-receive");
    fs::write(&post, "#!/bin/sh\nmail\n").unwrap();
    let error = install(&installation).unwrap_err().to_string();
    assert!(
        error.contains("post-receive: another hook is installed") && error.contains("updates=$(cat)"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&post).unwrap(), "#!/bin/sh\nmail\n");
    assert!(!folder.path().join("hooks/pre-receive").exists());
}

#[test]
fn hooks_go_where_git_looks_for_them() {
    let (folder, installation) = repository();
    let repository = git2::Repository::open(folder.path()).unwrap();
    repository.config().unwrap().set_str("core.hooksPath", "own").unwrap();
    install(&installation).unwrap();
    assert!(folder.path().join("own/pre-receive").is_file());
}

#[test]
fn what_a_script_cannot_hold_is_refused() {
    let (_folder, mut installation) = repository();
    installation.secret_file = "/it's/secret".into();
    assert!(install(&installation).unwrap_err().to_string().contains("holds a quote"));
    let error = name_of(Path::new("/no/such")).unwrap_err().to_string();
    assert!(error.contains("no such folder"), "{error}");
}
