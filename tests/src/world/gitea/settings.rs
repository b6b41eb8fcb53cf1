//! What a Gitea for tests is told: everything in one folder, nothing to the outside, nothing in the background.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Everyone's password. The server listens on the loopback interface only, and is gone after the test.
pub const PASSWORD: &str = "a password for tests";

/// The user of the server's SSH.
pub(super) const SSH_USER: &str = "git";

/// The file of the key by which the server's SSH proves itself, in its folder.
pub(super) const HOST_KEY: &str = "host-key";

/// The settings file of a server whose data is in `folder` and whose templates are in `resources`.
pub(super) fn app_ini(folder: &Path, resources: &Path, port: u16, ssh: u16) -> Result<String> {
    let output = Command::new("id").arg("-un").output().context("cannot run \"id\": is it on PATH?")?;
    ensure!(output.status.success(), "\"id -un\" does not know who runs this");
    let user = String::from_utf8(output.stdout).context("the name of who runs this is not UTF-8")?;
    let (user, folder, resources) = (user.trim(), folder.display(), resources.display());
    Ok(format!(
        "I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
RUN_USER = {user}
WORK_PATH = {folder}
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
STATIC_ROOT_PATH = {resources}
APP_DATA_PATH = {folder}/data
OFFLINE_MODE = true
START_SSH_SERVER = true
SSH_LISTEN_HOST = 127.0.0.1
SSH_PORT = {ssh}
BUILTIN_SSH_SERVER_USER = {SSH_USER}
SSH_SERVER_HOST_KEYS = {folder}/{HOST_KEY}
SSH_ROOT_PATH = {folder}/ssh
LFS_START_SERVER = false
[database]
DB_TYPE = sqlite3
PATH = {folder}/gitea.db
SQLITE_JOURNAL_MODE = WAL
SQLITE_TIMEOUT = 60000
[repository]
ROOT = {folder}/repositories
[security]
INSTALL_LOCK = true
INTERNAL_TOKEN = internal-token-of-a-server-for-tests
SECRET_KEY = secret-key-of-a-server-for-tests
PASSWORD_COMPLEXITY = off
PASSWORD_HASH_ALGO = pbkdf2$1000$50
[oauth2]
ENABLED = false
[service]
DISABLE_REGISTRATION = true
[webhook]
ALLOWED_HOST_LIST = loopback
[indexer]
ISSUE_INDEXER_TYPE = db
[actions]
ENABLED = false
[packages]
ENABLED = false
[picture]
DISABLE_GRAVATAR = true
[session]
PROVIDER = memory
[log]
MODE = console
LEVEL = Warn
[api]
ENABLE_SWAGGER = false
"
    ))
}
