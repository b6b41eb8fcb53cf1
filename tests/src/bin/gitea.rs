//! Starts a Gitea for a script, with a repository and people who may write to it. Writes what the script needs to
//! know into files, prints one line when it is ready, and ends when stdin closes or on a signal.

use std::fs;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Parser;
use countersign_tests::world::gitea::Gitea;
use countersign_tests::world::gitea::account::Account;
use countersign_tests::world::gitea::settings::PASSWORD;
use countersign_tests::world::script::told_to_end;

/// Starts a Gitea, and ends it when standard input closes.
#[derive(Debug, Parser)]
struct Arguments {
    /// An existing folder: gets `url`, and for each person `NAME.id` and `NAME.token`.
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
    /// The repository to make, as `acme/shop`.
    #[arg(long, value_name = "OWNER/NAME")]
    repository: String,
    /// Someone who may write to it; may be given several times.
    #[arg(long = "person", value_name = "NAME")]
    people: Vec<String>,
    /// The account that Countersign reads and reports with.
    #[arg(long, value_name = "NAME")]
    reporter: String,
    /// Where the repository's webhook leads.
    #[arg(long, value_name = "URL")]
    webhook: String,
    /// What webhooks are signed with.
    #[arg(long, value_name = "SECRET")]
    secret: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    // A signal that comes earlier ends this process at once, and the server with it.
    let gitea = Gitea::start()?;
    let (owner, name) = arguments.repository.split_once('/').context("give --repository as OWNER/NAME")?;
    gitea.organization(owner)?;
    gitea.repository(owner, name)?;
    let people = arguments.people.iter().map(|person| gitea.user(person));
    let reporter =
        gitea.user_with_token(&arguments.reporter, &["read:user", "write:repository", "write:issue"]);
    for account in people.chain([reporter]) {
        let account = account?;
        gitea.grant(&arguments.repository, &account.login, "write")?;
        note(&arguments.folder, &account)?;
    }
    gitea.webhook(&arguments.repository, &arguments.webhook, &arguments.secret)?;
    fs::write(arguments.folder.join("url"), gitea.url())?;
    let told_to_end = told_to_end()?;
    writeln!(stdout(), "{}: everyone's password is \"{PASSWORD}\"", gitea.url())
        .context("cannot print on stdout")?;
    told_to_end.await;
    drop(gitea);
    Ok(())
}

fn note(folder: &Path, account: &Account) -> Result<()> {
    let write = |what: &str, text: &str| {
        let path = folder.join(format!("{}.{what}", account.login));
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))
    };
    write("id", &account.id.to_string())?;
    write("token", &account.token)
}
