//! A witness beside an installation: the real program, with its own folder and key.

use anyhow::Result;

use super::Installation;
use super::server::Server;
use crate::world::ports::Port;

/// A witness that can be started.
#[derive(Debug)]
pub struct Witness {
    port: Port,
    arguments: Vec<String>,
}

/// A witness that runs until this is dropped.
#[derive(Debug)]
pub struct Running(#[expect(dead_code, reason = "it is only kept")] Server);

impl Installation {
    /// A witness of the log that `serve` serves, under the name `witness.example`; nothing runs yet.
    ///
    /// # Errors
    /// When no port is free.
    pub fn witness(&self, log_key: &str) -> Result<Witness> {
        let port = Port::reserve()?;
        let log = format!("{}/log", self.url());
        let listen = format!("127.0.0.1:{}", port.number());
        let arguments = [
            "witness",
            "--log",
            &log,
            "--log-key",
            log_key,
            "--name",
            "witness.example",
            "--state",
            "witness",
            "--listen",
            &listen,
        ];
        Ok(Witness { port, arguments: arguments.map(str::to_owned).to_vec() })
    }
}

impl Witness {
    /// Its arguments, with more.
    #[must_use]
    pub fn arguments<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        self.arguments.iter().map(String::as_str).chain(more.iter().copied()).collect()
    }

    /// Where it serves what it cosigned.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    /// Starts it.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&self, installation: &Installation) -> Result<Running> {
        let mut command = installation.command();
        command.args(&self.arguments);
        Ok(Running(Server::start(command, &installation.folder().join("witness.log"))?))
    }
}
