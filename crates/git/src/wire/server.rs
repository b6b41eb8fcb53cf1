//! A conversation with a server: what references it has, and a pack of what is wanted.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use countersign_core::ports::forge::GitCredential;
use git2::Oid;
use ureq::Agent;

use super::http::Http;
use super::packets::{self, DELIMITER, FLUSH, Packet};
use super::request::{self, Request, Take};
use super::ssh::{Ender, Ssh};
use super::{Trouble, object_id};
use crate::mirror::Source;

/// The most references that a server may list.
const MAX_REFERENCES: usize = 500_000;

/// Where a reference leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tip {
    /// The object that it names.
    pub(crate) id: Oid,
    /// For an annotated tag, what that leads to.
    pub(crate) peeled: Option<Oid>,
}

/// References by name.
pub(crate) type References = BTreeMap<String, Tip>;

/// How a server is spoken to.
enum Connection {
    Http(Http),
    Ssh(Ssh),
}

/// What a server answers.
struct Answer<'a> {
    bytes: Box<dyn Read + 'a>,
    /// Whether nothing but its end comes after the last packet: a session goes on.
    ends: bool,
}

/// What a server understands.
pub(super) enum Protocol {
    /// It was not asked yet.
    Unknown,
    /// Version 2.
    Two(Abilities),
    /// Version 0, which lists all references first.
    Zero(Abilities, References),
}

/// What else a server understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Abilities {
    /// It gives a history as deep as it is asked for.
    pub(crate) depth: bool,
    /// It gives any commit that it has, also such as no reference leads to.
    pub(crate) any_commit: bool,
}

/// A server, for one repository.
pub(crate) struct Server {
    connection: Connection,
    protocol: Protocol,
}

/// What interrupts a conversation from another thread.
pub(crate) enum Interrupt {
    /// Closes the connections of an agent.
    Http(Agent),
    /// Ends a session.
    Ssh(Ender),
}

impl Interrupt {
    /// Interrupts it now.
    pub(crate) fn interrupt(&self) {
        match self {
            Self::Http(agent) => agent.clone().shutdown(),
            Self::Ssh(ender) => ender.end(),
        }
    }
}

impl Server {
    /// The server of `source`. Of one that is known to speak version 2, with these abilities, the greeting is not
    /// asked again. The key of an SSH session lies in `files` while it lasts.
    pub(crate) fn new(
        source: &Source,
        agent: &Agent,
        known: Option<Abilities>,
        files: PathBuf,
    ) -> Result<Self, Trouble> {
        let connection = if source.url.starts_with("ssh://") {
            let Some(GitCredential::Ssh { key, known_hosts }) = &source.credential else {
                return Err(Trouble::Credential(
                    "SSH takes a key: give `ssh.key` and `ssh.knownHosts`".to_owned(),
                ));
            };
            Connection::Ssh(Ssh::start(&source.url, key, known_hosts, files)?)
        } else {
            let credential = match &source.credential {
                Some(GitCredential::Token { user, secret }) => Some((user.as_str(), secret.as_str())),
                _ => None,
            };
            Connection::Http(Http::new(agent.clone(), &source.url, credential))
        };
        let known = known.filter(|_| matches!(connection, Connection::Http(_)));
        Ok(Self { connection, protocol: known.map_or(Protocol::Unknown, Protocol::Two) })
    }

    /// What interrupts this conversation from another thread.
    pub(crate) fn interrupt(&self, agent: &Agent) -> Interrupt {
        match &self.connection {
            Connection::Http(_) => Interrupt::Http(agent.clone()),
            Connection::Ssh(session) => Interrupt::Ssh(session.ender()),
        }
    }

    /// Whether the server turned out to speak version 2, and what else it understands.
    pub(crate) fn second(&self) -> Option<Abilities> {
        match self.protocol {
            Protocol::Two(abilities) => Some(abilities),
            Protocol::Unknown | Protocol::Zero(..) => None,
        }
    }

    /// What the server understands. Asks for its greeting where it has not given one.
    pub(crate) fn abilities(&mut self) -> Result<Abilities, Trouble> {
        if matches!(self.protocol, Protocol::Unknown) {
            self.protocol = self.connection.greeting().map_err(|trouble| self.connection.blame(trouble))?;
        }
        Ok(match self.protocol {
            Protocol::Two(abilities) | Protocol::Zero(abilities, _) => abilities,
            Protocol::Unknown => Abilities::default(),
        })
    }

    /// The references whose names begin with one of `prefixes`, those whose names are none in Git left out.
    pub(crate) fn references(&mut self, prefixes: &[String]) -> Result<References, Trouble> {
        let listed = self.list(prefixes);
        let mut found = listed.map_err(|trouble| self.connection.blame(trouble))?;
        let wanted = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
        found.retain(|name, _| wanted(name) && git2::Reference::is_valid_name(name));
        Ok(found)
    }

    fn list(&mut self, prefixes: &[String]) -> Result<References, Trouble> {
        if matches!(self.protocol, Protocol::Two(_)) {
            match self.list_two(prefixes) {
                // The repository may have moved, or the server been replaced by another.
                Err(Trouble::Missing(_) | Trouble::Elsewhere(_) | Trouble::Garbage(_)) => {}
                listed => return listed,
            }
        }
        // A session greets once.
        if !matches!(self.protocol, Protocol::Zero(..)) {
            self.protocol = self.connection.greeting()?;
        }
        match &self.protocol {
            Protocol::Zero(_, references) => Ok(references.clone()),
            Protocol::Two(_) | Protocol::Unknown => self.list_two(prefixes),
        }
    }

    fn list_two(&mut self, prefixes: &[String]) -> Result<References, Trouble> {
        let mut request = Vec::new();
        packets::line(&mut request, "command=ls-refs");
        request.extend_from_slice(DELIMITER);
        packets::line(&mut request, "peel");
        for prefix in prefixes {
            packets::line(&mut request, &format!("ref-prefix {prefix}"));
        }
        request.extend_from_slice(FLUSH);
        let mut answer = self.connection.ask(&request)?;
        let mut found = References::new();
        while let Packet::Data(line) = packets::read(&mut answer.bytes)? {
            let Some((name, tip)) = listed(&line)? else { continue };
            found.insert(name, tip);
            if found.len() > MAX_REFERENCES {
                return Err(Trouble::Excess(format!("more than {MAX_REFERENCES} references")));
            }
        }
        answer.finish();
        Ok(found)
    }

    /// Asks for a pack, and gives it to `to`.
    pub(crate) fn pack(&mut self, request: &Request, to: &mut impl Take) -> Result<(), Trouble> {
        let (bytes, parted) = match self.protocol {
            Protocol::Zero(..) => (request.zero(), request.depth.is_some()),
            Protocol::Two(_) | Protocol::Unknown => (request.two(), false),
        };
        let answered = self.connection.ask(&bytes).and_then(|mut answer| {
            request::receive(&mut answer.bytes, parted, to)?;
            answer.finish();
            Ok(())
        });
        answered.map_err(|trouble| self.connection.blame(trouble))
    }
}

impl Connection {
    fn greeting(&mut self) -> Result<Protocol, Trouble> {
        match self {
            Self::Http(http) => {
                let mut answer = Answer { bytes: Box::new(http.greeting()?), ends: true };
                let protocol = greeted(&mut answer.bytes)?;
                answer.finish();
                Ok(protocol)
            }
            Self::Ssh(session) => greeted(session.output()),
        }
    }

    fn ask(&mut self, request: &[u8]) -> Result<Answer<'_>, Trouble> {
        match self {
            Self::Http(http) => Ok(Answer { bytes: Box::new(http.ask(request)?), ends: true }),
            Self::Ssh(session) => {
                session.say(request)?;
                Ok(Answer { bytes: Box::new(session.output()), ends: false })
            }
        }
    }

    fn blame(&mut self, trouble: Trouble) -> Trouble {
        match self {
            Self::Http(_) => trouble,
            Self::Ssh(session) => session.blame(trouble),
        }
    }
}

impl Answer<'_> {
    /// Reads to the end of an answer whose last packet was read: only then its connection is kept.
    fn finish(mut self) {
        if self.ends {
            let _ = std::io::copy(&mut self.bytes.by_ref().take(64), &mut std::io::sink());
        }
    }
}

/// Reads a greeting to its end.
pub(super) fn greeted(from: &mut impl Read) -> Result<Protocol, Trouble> {
    let mut first = packets::read(from)?;
    if matches!(&first, Packet::Data(line) if line.starts_with(b"# service=git-upload-pack")) {
        packets::read(from)?;
        first = packets::read(from)?;
    }
    let mut references = References::new();
    if !matches!(&first, Packet::Data(_)) {
        // Taken for an empty repository, it would empty the mirror.
        return Err(Trouble::Garbage("it says nothing".to_owned()));
    }
    let (mut is_two, mut abilities) = (false, Abilities::default());
    let mut packet = first;
    while let Packet::Data(line) = packet {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches('\n');
        if text == "version 2" {
            is_two = true;
            abilities.any_commit = true;
        } else if is_two {
            if text.strip_prefix("object-format=").is_some_and(|format| format != "sha1") {
                return Err(Trouble::Garbage("the repository's object ids are not SHA-1".to_owned()));
            }
            if let Some(features) = text.strip_prefix("fetch=") {
                abilities.depth = features.split(' ').any(|feature| feature == "shallow");
            }
        } else if text != "version 1" {
            if let Some((_, able)) = text.split_once('\0') {
                abilities = abilities_zero(able);
            }
            listed_zero(&mut references, text)?;
        }
        packet = packets::read(from)?;
    }
    Ok(if is_two { Protocol::Two(abilities) } else { Protocol::Zero(abilities, references) })
}

/// What a server of version 0 says that it understands.
fn abilities_zero(words: &str) -> Abilities {
    let able = |word: &str| words.split(' ').any(|able| able == word);
    let any_commit = able("allow-tip-sha1-in-want") && able("allow-reachable-sha1-in-want");
    Abilities { depth: able("shallow"), any_commit }
}

/// One line of version 0's list; the first has the server's abilities after a zero byte.
fn listed_zero(references: &mut References, line: &str) -> Result<(), Trouble> {
    let (line, abilities) = line.split_once('\0').unwrap_or((line, ""));
    let able = abilities.split(' ').any(|ability| ability == "side-band-64k");
    if !able && (references.is_empty() || !abilities.is_empty()) {
        return Err(Trouble::Garbage("the server's Git is too old".to_owned()));
    }
    if line.starts_with("shallow ") {
        return Err(shallow_copy());
    }
    let wrong = || Trouble::Garbage("a reference is not listed as Git lists it".to_owned());
    let (id, name) = line.split_once(' ').ok_or_else(wrong)?;
    let id = object_id(id).ok_or_else(wrong)?;
    match name.strip_suffix("^{}") {
        Some(tag) => {
            if let Some(tip) = references.get_mut(tag) {
                tip.peeled = Some(id);
            }
        }
        None => {
            references.insert(name.to_owned(), Tip { id, peeled: None });
        }
    }
    if references.len() > MAX_REFERENCES {
        return Err(Trouble::Excess(format!("more than {MAX_REFERENCES} references")));
    }
    Ok(())
}

/// The server cannot give what it does not have either.
pub(crate) fn shallow_copy() -> Trouble {
    Trouble::Garbage("the server's repository is a shallow copy".to_owned())
}

/// One line of version 2's list; none where the name is not UTF-8, which no configuration can name.
pub(super) fn listed(line: &[u8]) -> Result<Option<(String, Tip)>, Trouble> {
    let wrong = || Trouble::Garbage("a reference is not listed as Git lists it".to_owned());
    let Ok(text) = std::str::from_utf8(line) else { return Ok(None) };
    let mut words = text.trim_end_matches('\n').split(' ');
    let id = words.next().and_then(object_id).ok_or_else(wrong)?;
    let name = words.next().ok_or_else(wrong)?;
    let peeled = words.find_map(|word| object_id(word.strip_prefix("peeled:")?));
    Ok(Some((name.to_owned(), Tip { id, peeled })))
}
